"""Studies: many short trainings that search for good options (extra `tune`)."""

from ._cluster import tune_on_cluster
from ._config import Objective, Pruning, TuneConfig
from ._read_space import parse_parameter, read_space
from ._record import StudyRecord
from ._runs import promote
from ._space import Choices, Parameter, Range, Space, make_parameter, make_space, suggest_name
from ._storage import is_study
from ._tune import TuneResult, tune
from ._view import StudyView, TrialView, read_study
from ._watch import TuneObserver

__all__ = [
    "Choices",
    "Objective",
    "Parameter",
    "Pruning",
    "Range",
    "Space",
    "StudyRecord",
    "StudyView",
    "TrialView",
    "TuneConfig",
    "TuneObserver",
    "TuneResult",
    "is_study",
    "make_parameter",
    "make_space",
    "parse_parameter",
    "promote",
    "read_space",
    "read_study",
    "suggest_name",
    "tune",
    "tune_on_cluster",
]
