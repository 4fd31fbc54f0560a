"""samples-SPLIT.json: how new faces compare with photographs."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceae.runs import read_figures
from faceae_shards import write_json

from ._quality import SampleQuality
from ._space import SpaceName

_FORMAT = "faceae-samples"
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class SampleRecord:
    """New faces of a run beside reconstructions and photographs, all of equally many faces."""

    split: str
    """Split that was held out."""
    num_asked: int
    """New faces that were asked for. Fewer are compared where a split has fewer."""
    seed: int
    """Seed of the new faces, whose numbers start at 0."""
    truncation: float
    """Factor on the distance of their latents from the mean."""
    num_train_images: int
    """Training faces that copies were looked for among."""
    dataset_hash: str
    is_run_dataset: bool
    """Whether the dataset is the one the run was started with."""
    weights_hash: str
    """`faceae.model.weights_hash` of the model."""
    space: SpaceName
    new_faces: SampleQuality
    reconstructions: SampleQuality
    """Reconstructions of the held-out photographs."""
    photographs: SampleQuality
    """Held-out photographs: the floor."""

    @property
    def faces(self) -> str:
        """Which faces of `faceae generate` were measured, in words."""
        text = f"seed {self.seed}"
        return text if self.truncation == 1 else f"{text}, truncation {self.truncation:g}"

    @property
    def rows(self) -> tuple[tuple[str, SampleQuality], ...]:
        """The compared sets by name, in the order of a table."""
        return (
            ("new faces", self.new_faces),
            ("reconstructions", self.reconstructions),
            ("held-out photographs", self.photographs),
        )

    def save(self, path: Path) -> None:
        """Write JSON, whole or not at all."""
        write_json(path, {"format": _FORMAT, "version": _VERSION, **dataclasses.asdict(self)})

    @classmethod
    def load(cls, path: Path) -> "SampleRecord":
        """Read what `save` wrote.

        Raises:
            FaceaeError: the file is damaged, foreign, or of another version.
        """
        remedy = "run `faceae eval` with `samples` again"
        return read_figures(path, _FORMAT, _VERSION, _build, remedy=remedy)


def _build(fields: dict[str, Any]) -> SampleRecord:
    return SampleRecord(
        space=SpaceName(**fields.pop("space")),
        new_faces=SampleQuality(**fields.pop("new_faces")),
        reconstructions=SampleQuality(**fields.pop("reconstructions")),
        photographs=SampleQuality(**fields.pop("photographs")),
        **{"truncation": 1.0, **fields},
    )
