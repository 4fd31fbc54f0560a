"""What a report says about reconstructions and new faces."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from faceae.evaluation import EvalRecord, RankedFace, Score, describe_reconstruction
from faceae.evaluation.samples import SampleRecord, describe_quality
from faceae.model import Variant
from faceae.runs import Run


@dataclass(frozen=True, kw_only=True)
class Eval:
    """Reconstructions of the held-out faces of one split."""

    name: str
    record: EvalRecord
    is_current: bool
    """Whether the run still has the weights that were measured."""
    variant: Variant

    @property
    def verdict(self) -> str | None:
        """What the figures mean."""
        return describe_reconstruction(self.record, self.variant)

    @property
    def ranking(self) -> str:
        """Names of the worst and the best faces; empty in files of earlier versions."""
        worst, best = (_list_names(faces) for faces in (self.record.worst, self.record.best))
        return f" Worst: {worst}. Best: {best}." if worst else ""

    @property
    def rows(self) -> Iterator[tuple[str, Score, str]]:
        """Name of the method, its scores, and a note."""
        record, notes = self.record, [f"{self.record.num_images:,} faces"]
        if not self.is_current:
            notes.append("earlier weights of this run")
        if not record.is_run_dataset:
            notes.append("other data than the run's")
        yield "model", record.model, "; ".join(notes)
        pca = record.pca
        if pca is not None:
            fitted = f"fitted on {pca.num_fit_images:,} of {pca.num_train_images:,} faces"
            yield f"PCA, {pca.num_components:,} components", pca.score, fitted


@dataclass(frozen=True, kw_only=True)
class Samples:
    """New faces, measured against one split."""

    name: str
    record: SampleRecord
    is_current: bool
    """Whether the run still has the weights that were measured."""

    @property
    def verdict(self) -> str:
        """What the figures mean, and what limits them."""
        notes = []
        if not self.is_current:
            notes.append("Measured on earlier weights of this run.")
        if not self.record.is_run_dataset:
            notes.append("Measured on other data than the run's.")
        return " ".join([describe_quality(self.record), *notes])

    @property
    def rows(self) -> Iterator[tuple[str, list[str]]]:
        """Name of each set of faces, and its figures in the order of `SAMPLE_COLUMNS`."""
        for name, quality in self.record.rows:
            yield name, [form.format(getattr(quality, field)) for _, field, form in SAMPLE_COLUMNS]


SAMPLE_COLUMNS = (
    ("Fréchet distance", "frechet_distance", "{:.2f}"),
    ("kernel distance", "kernel_distance", "{:.3f}"),
    ("precision", "precision", "{:.2f}"),
    ("recall", "recall", "{:.2f}"),
    ("density", "density", "{:.2f}"),
    ("coverage", "coverage", "{:.2f}"),
    ("sharpness", "sharpness", "{:.2f}"),
    ("nearest training face", "nearest_train", "{:.2f}"),
    ("copied share", "copied_share", "{:.3f}"),
)
"""Heading, field of `SampleQuality` and number format."""


def read_evals(run: Run, current_weights: str) -> list[Eval]:
    """Return what `faceae eval` measured about reconstructions; see `read_edits`."""
    records = [(path.stem, EvalRecord.load(path)) for path in run.list_evals()]
    return [
        Eval(
            name=name,
            record=record,
            is_current=record.weights_hash == current_weights,
            variant=run.model.variant,
        )
        for name, record in records
    ]


def read_samples(run: Run, current_weights: str) -> list[Samples]:
    """Return what `faceae eval` measured about new faces; see `read_edits`."""
    records = [(path.stem, SampleRecord.load(path)) for path in run.list_samples()]
    return [
        Samples(name=name, record=record, is_current=record.weights_hash == current_weights)
        for name, record in records
    ]


def _list_names(faces: Iterable[RankedFace]) -> str:
    return ", ".join(f"{face.name} ({face.psnr_db:.1f} dB)" for face in faces if face.name)
