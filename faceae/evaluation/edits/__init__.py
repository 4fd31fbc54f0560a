"""Quality of edits: whether they change what they name, and leave the rest and the person."""

from ._judge import Judge, train_judge
from ._measure import EditsConfig, evaluate_edits
from ._record import EditQuality, EditRecord

__all__ = [
    "EditQuality",
    "EditRecord",
    "EditsConfig",
    "Judge",
    "evaluate_edits",
    "train_judge",
]
