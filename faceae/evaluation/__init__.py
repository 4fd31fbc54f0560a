"""Quality of a model's reconstructions, compared with principal components."""

from ._evaluate import EvalConfig, Evaluation, evaluate_run
from ._pca import Pca, choose_faces, fit_pca
from ._quality import Quality, RankedFace, Reconstruct, measure_quality, take_faces
from ._record import EvalRecord, PcaRecord, Score
from ._verdict import describe_reconstruction

__all__ = [
    "EvalConfig",
    "EvalRecord",
    "Evaluation",
    "Pca",
    "PcaRecord",
    "Quality",
    "RankedFace",
    "Reconstruct",
    "Score",
    "choose_faces",
    "describe_reconstruction",
    "evaluate_run",
    "fit_pca",
    "measure_quality",
    "take_faces",
]
