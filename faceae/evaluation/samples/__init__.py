"""Quality of new faces: how close sets of faces are to photographs, in a fixed feature space."""

from ._distances import frechet_distance, kernel_distance
from ._face_set import FaceSet, describe_faces
from ._inception import InceptionSpace
from ._measure_run import SampleConfig, check_samples, evaluate_samples, nearest_path
from ._neighbours import Overlap, measure_overlap
from ._quality import SampleQuality, compare_faces, measure_samples
from ._record import SampleRecord
from ._space import FeatureSpace, SpaceName
from ._textures import TextureSpace
from ._verdict import describe_quality

__all__ = [
    "FaceSet",
    "FeatureSpace",
    "InceptionSpace",
    "Overlap",
    "SampleConfig",
    "SampleQuality",
    "SampleRecord",
    "SpaceName",
    "TextureSpace",
    "check_samples",
    "compare_faces",
    "describe_faces",
    "describe_quality",
    "evaluate_samples",
    "frechet_distance",
    "kernel_distance",
    "measure_overlap",
    "measure_samples",
    "nearest_path",
]
