"""eval-SPLIT.json: the figures of an evaluation."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceae.runs import read_figures
from faceae_shards import write_json

from ._quality import Quality, RankedFace

_FORMAT = "faceae-eval"
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Score:
    """Quality of the reconstructions of a split."""

    psnr_db: float
    """PSNR over all pixels of all faces."""
    mean_image_psnr_db: float
    """Mean of the PSNRs of the faces. Infinite if one was reconstructed exactly."""
    ssim: float
    """Mean over the faces."""

    @classmethod
    def of(cls, quality: Quality) -> "Score":
        """Return the means of `quality`."""
        return cls(
            psnr_db=quality.psnr_db,
            mean_image_psnr_db=float(quality.image_psnrs_db.mean()),
            ssim=float(quality.ssims.mean()),
        )


@dataclass(frozen=True, kw_only=True)
class PcaRecord:
    """Quality of PCA on the same faces."""

    num_components: int
    """Equal to the model's latent size."""
    num_fit_images: int
    """Faces that PCA was fitted on: the training split, or a random subset of it."""
    num_train_images: int
    score: Score


@dataclass(frozen=True, kw_only=True)
class EvalRecord:
    """The quality of a run's model on a split of a dataset."""

    split: str
    num_images: int
    dataset_hash: str
    is_run_dataset: bool
    """Whether the dataset is the one the run was started with."""
    weights_hash: str
    """`faceae.model.weights_hash` of the model."""
    model: Score
    pca: PcaRecord | None
    """None: not measured."""
    worst: tuple[RankedFace, ...]
    """The lowest PSNR first."""
    best: tuple[RankedFace, ...]
    """The highest PSNR first."""

    def save(self, path: Path) -> None:
        """Write JSON. The file appears complete or not at all. Infinity is written as null."""
        record = {"format": _FORMAT, "version": _VERSION, **dataclasses.asdict(self)}
        write_json(path, _null_infinite(record))

    @classmethod
    def load(cls, path: Path) -> "EvalRecord":
        """Read what `save` wrote.

        Raises:
            FaceaeError: the file is damaged, foreign, or of another version.
        """
        remedy = "run `faceae eval` again"
        return read_figures(path, _FORMAT, _VERSION, _build, remedy=remedy)


def _build(fields: dict[str, Any]) -> EvalRecord:
    pca = fields.pop("pca")
    return EvalRecord(
        model=_read_score(fields.pop("model")),
        pca=pca and PcaRecord(score=_read_score(pca.pop("score")), **pca),
        worst=_read_ranked(fields.pop("worst")),
        best=_read_ranked(fields.pop("best")),
        **fields,
    )


def _null_infinite(value: Any) -> Any:
    """JSON has no number for infinity."""
    if isinstance(value, dict):
        return {key: _null_infinite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_null_infinite(item) for item in value]
    return None if value == math.inf else value


def _read_score(record: dict[str, float | None]) -> Score:
    return Score(**{name: _read_db(value) for name, value in record.items()})


def _read_ranked(records: list[dict[str, Any]]) -> tuple[RankedFace, ...]:
    return tuple(
        RankedFace(**{**record, "psnr_db": _read_db(record["psnr_db"])}) for record in records
    )


def _read_db(value: float | None) -> float:
    return math.inf if value is None else float(value)
