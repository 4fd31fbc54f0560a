"""edits-SPLIT.json: what edits change, and what they leave."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceae.runs import read_figures
from faceae_shards import write_json

_FORMAT = "faceae-edits"
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class EditQuality:
    """What a direction does to held-out faces, as the judge sees it."""

    name: str
    judge_accuracy: float
    """Balanced accuracy of the judge on unedited reconstructions of held-out faces."""
    num_without: int
    """Faces labelled and judged to be without the attribute."""
    num_with: int
    """Faces labelled and judged to have it."""
    turned_on: float | None
    """Share of the faces without that the judge sees with it at strength 2; None: too few faces."""
    turned_off: float | None
    """Share of the faces with that the judge sees without it at strength -2; None: too few."""
    monotonic: float
    """Share of all these faces whose score never falls from strength -3 to 3."""
    mean_scores: tuple[float, ...]
    """Mean score at each of the strengths, in distances between the mean scores of both classes."""
    drift: Mapping[str, float]
    """Change of each other attribute's mean score by strength 2 towards the edit, in distances
    between the mean scores of both classes of that attribute."""
    same_person: float
    """Share of the faces at strength 2, or -2, that are nearest to their own person."""
    median_rank: float
    """Median rank of the own person among the held-out persons; 1 is the nearest."""

    @property
    def mean_drift(self) -> float:
        """Mean absolute drift of all other attributes; 0 if there is no other."""
        return sum(map(abs, self.drift.values())) / max(len(self.drift), 1)

    @property
    def largest_drift(self) -> tuple[str, float]:
        """The attribute that drifts most, and its drift; ("", 0.0) if there is no other."""
        return max(self.drift.items(), key=lambda item: abs(item[1]), default=("", 0.0))


@dataclass(frozen=True, kw_only=True)
class EditRecord:
    """Edits of held-out faces of a run."""

    split: str
    """Split that was held out."""
    num_faces: int
    """Held-out faces."""
    num_train_images: int
    """Faces that the judge was trained on."""
    num_persons: int
    """Persons among the held-out faces."""
    knows_persons: bool
    """Whether persons are named. Else each face counts as a person."""
    strengths: tuple[float, ...]
    dataset_hash: str
    weights_hash: str
    """`faceae.model.weights_hash` of the model."""
    edits: tuple[EditQuality, ...]
    not_measured: Mapping[str, str]
    """Directions that were not measured, and why."""

    def save(self, path: Path) -> None:
        """Write JSON, whole or not at all."""
        write_json(path, {"format": _FORMAT, "version": _VERSION, **dataclasses.asdict(self)})

    @classmethod
    def load(cls, path: Path) -> "EditRecord":
        """Read what `save` wrote.

        Raises:
            FaceaeError: the file is damaged, foreign, or of another version.
        """
        remedy = "run `faceae eval` with `edits=True` again"
        return read_figures(path, _FORMAT, _VERSION, _build, remedy=remedy)


def _build(fields: dict[str, Any]) -> EditRecord:
    edits = tuple(
        EditQuality(**{**edit, "mean_scores": tuple(edit["mean_scores"])})
        for edit in fields.pop("edits")
    )
    return EditRecord(edits=edits, strengths=tuple(fields.pop("strengths")), **fields)
