"""How good a model's reconstructions are, and how good those of principal components."""

from ._pca import Pca, choose_faces, fit_pca
from ._quality import Quality, RankedFace, Reconstruct, measure_quality, take_faces
from ._record import EvalRecord, PcaRecord, Score

__all__ = [
    "EvalRecord",
    "Pca",
    "PcaRecord",
    "Quality",
    "RankedFace",
    "Reconstruct",
    "Score",
    "choose_faces",
    "fit_pca",
    "measure_quality",
    "take_faces",
]
