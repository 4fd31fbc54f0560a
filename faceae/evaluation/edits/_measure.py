"""Measures edits of held-out faces by a judge that sees pixels alone.

Shapes: N faces, M edited faces, F strengths, K attributes, S image size.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from faceae.data import LoaderKind
from faceae.device import DeviceName, resolve_device
from faceae.editing import Directions, balanced_accuracy, class_gaps, has_signal
from faceae.errors import FaceaeError
from faceae.model import FaceAutoEncoder, load_model, weights_hash
from faceae.pictures import save_grid
from faceae.runs import Run
from faceae_shards import Dataset

from ._faces import Faces, decode, read_faces
from ._identity import Gallery, IdentitySpace
from ._judge import Judge, train_judge
from ._record import EditQuality, EditRecord

OnProgress = Callable[[str, int, int], None]
"""Receives the name of a stage, the number of its faces done, and of all its faces."""

STRENGTHS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
_NONE, _ON, _OFF = (STRENGTHS.index(strength) for strength in (0.0, 2.0, -2.0))

_TRAIN_SPLIT = "train"
_MAX_TRAIN_FACES = 20_000
_MAX_HELD_OUT = 2_000
_MIN_TRAIN_EXAMPLES = 20
_MIN_FACES = 5
"""Faces of a kind that an attribute's figures need."""


@dataclass(frozen=True, kw_only=True)
class EditsConfig:
    """Options of a measurement of edits.

    Raises:
        FaceaeError: an option is out of its range.
    """

    split: str = "test"
    """Held-out split of other people than those in the training split."""
    faces: int = 100
    """Faces without an attribute, and as many with it, that are edited at most."""
    judge_steps: int = 800
    """Training steps of the judge, of 64 faces."""
    device: DeviceName = "auto"
    """Device to measure on; auto: the GPU if there is one."""
    loader: LoaderKind = "auto"
    """Library that reads the shards; auto: DALI if it can be imported."""

    def __post_init__(self) -> None:
        for name, value, least in (
            ("faces", self.faces, _MIN_FACES),
            ("judge_steps", self.judge_steps, 1),
        ):
            if value < least:
                raise FaceaeError(f"`{name}` must be at least {least}, got {value}")
        if self.split == _TRAIN_SPLIT:
            raise FaceaeError("`split='train'` is what the judge learns from; hold out another")


def evaluate_edits(
    run: Run,
    dataset: Dataset,
    out: Path | None = None,
    config: EditsConfig | None = None,
    on_progress: OnProgress = lambda stage, done, total: None,
) -> EditRecord:
    """Edit held-out faces along every direction of a run, and write figures and a picture.

    A small convolutional network, the judge, learns the attributes from the pixels of training
    faces and of their reconstructions, and never sees latents. It judges edited held-out faces.
    Attributes that it does not recognise are not measured.

    Args:
        out: file of the figures, which ends in .json; the picture lies beside it and ends in .png.
            It has a row for each direction: a held-out face at strengths from -3 to 3. None:
            `run.edits_path(split)`.

    Raises:
        FaceaeError, ShardsError: the run has no weights or no directions, the dataset lacks a split
            or attributes, an image cannot be read, or `out` has another suffix.
    """
    config = config or EditsConfig()
    out = out or run.edits_path(config.split)
    if out.suffix != ".json":
        raise FaceaeError(f"{out}: the figures are JSON; give a name that ends in .json")
    directions = Directions.load(run.directions_path)
    model = load_model(run.model_path, resolve_device(config.device))
    directions.check_weights(weights_hash(model), run.directions_path)
    train, held_out = _read_splits(model, dataset, config, on_progress)
    bench = _set_up(model, directions, dataset, train, held_out, config, on_progress)
    edits, rows, not_measured = bench.run(on_progress)
    record = EditRecord(
        split=config.split,
        num_faces=len(held_out.labels),
        num_train_images=len(train.labels),
        num_persons=bench.gallery.num_persons,
        knows_persons=bench.space.knows_persons,
        strengths=STRENGTHS,
        dataset_hash=dataset.hash,
        weights_hash=directions.weights_hash,
        edits=tuple(edits),
        not_measured=not_measured,
    )
    if rows:
        images_NHWC = torch.cat(rows).permute(0, 2, 3, 1).numpy()
        save_grid(out.with_suffix(".png"), images_NHWC, columns=len(STRENGTHS))
    record.save(out)
    return record


@dataclass(frozen=True, kw_only=True, eq=False)
class _Bench:
    """Held-out faces, and everything that judges them."""

    model: FaceAutoEncoder
    directions: Directions
    judge: Judge
    names: Sequence[str]
    """Of the K attributes that the judge was trained on."""
    held_out: Faces
    labels: NDArray[np.int8]
    """N x K."""
    scores: NDArray[np.float64]
    """N x K, of the unedited reconstructions."""
    space: IdentitySpace
    gallery: Gallery
    most: int

    def run(
        self, on_progress: OnProgress
    ) -> tuple[list[EditQuality], list[torch.Tensor], Mapping[str, str]]:
        """Return the figures and a row of pictures of each direction, and what was left out."""
        accuracies_K = balanced_accuracy(self.scores, self.labels)
        seen_K = has_signal(accuracies_K, self.labels)
        gaps_K = _score_gaps(self.scores, self.labels)
        edits: list[EditQuality] = []
        rows: list[torch.Tensor] = []
        not_measured = {}
        for done, name in enumerate(self.directions.names, 1):
            if name not in self.names:
                not_measured[name] = "the dataset has too few labels of it"
            elif not seen_K[self.names.index(name)]:
                accuracy = accuracies_K[self.names.index(name)]
                not_measured[name] = f"the judge does not see it: balanced accuracy {accuracy:.2f}"
            else:
                quality, row = self._measure(name, seen_K, gaps_K, accuracies_K)
                edits.append(quality)
                rows.append(row)
            on_progress("edits", done, len(self.directions.names))
        return edits, rows, not_measured

    def _measure(
        self,
        name: str,
        seen_K: NDArray[np.bool_],
        gaps_K: NDArray[np.float64],
        accuracies_K: NDArray[np.float64],
    ) -> tuple[EditQuality, torch.Tensor]:
        k = self.names.index(name)
        without, with_it = (self._choose(k, sign) for sign in (-1, 1))
        chosen = np.concatenate([without, with_it])
        frames = [self._edit(chosen, name, strength) for strength in STRENGTHS]
        scores_FMK = np.stack([self.judge.score(faces_NCHW) for faces_NCHW in frames])
        moved_FM = scores_FMK[:, :, k] / gaps_K[k]
        is_without = np.arange(len(chosen)) < len(without)
        # Each face as it is at the end of its edit, and the way that its scores went.
        ends = np.where(is_without, _ON, _OFF)
        places = np.arange(len(chosen))
        way_M1 = np.where(is_without, 1, -1)[:, None]
        drift_K = (way_M1 * (scores_FMK[ends, places] - scores_FMK[_NONE])).mean(axis=0) / gaps_K
        edited = torch.stack([frames[end][place] for place, end in zip(places, ends, strict=True)])
        ranks = self.gallery.rank(self.space.extract(edited), chosen)
        quality = EditQuality(
            name=name,
            judge_accuracy=float(accuracies_K[k]),
            num_without=len(without),
            num_with=len(with_it),
            turned_on=_share(scores_FMK[_ON, is_without, k] > 0),
            turned_off=_share(scores_FMK[_OFF, ~is_without, k] <= 0),
            monotonic=float((np.diff(moved_FM, axis=0) >= 0).all(axis=0).mean()),
            mean_scores=tuple(float(score) for score in moved_FM.mean(axis=1)),
            drift={
                other: float(drift_K[place])
                for place, other in enumerate(self.names)
                if other != name and seen_K[place]
            },
            same_person=float((ranks == 1).mean()),
            median_rank=float(np.median(ranks)),
        )
        return quality, torch.stack([faces_NCHW[0] for faces_NCHW in frames])

    def _choose(self, k: int, sign: int) -> NDArray[np.intp]:
        """Return the places of faces that are labelled and judged to be of a kind."""
        is_judged = self.scores[:, k] > 0 if sign == 1 else self.scores[:, k] <= 0
        return np.flatnonzero((self.labels[:, k] == sign) & is_judged)[: self.most]

    def _edit(self, rows: NDArray[np.intp], name: str, strength: float) -> torch.Tensor:
        change_Z = torch.from_numpy(self.directions.change({name: strength}))
        return decode(self.model, self.held_out.latents[torch.from_numpy(rows)] + change_Z)


def _read_splits(
    model: FaceAutoEncoder, dataset: Dataset, config: EditsConfig, on_progress: OnProgress
) -> tuple[Faces, Faces]:
    """Return the training faces and the held-out faces."""
    if not dataset.attribute_names:
        raise FaceaeError(f"{dataset.location}: its faces have no attributes to judge edits by")

    def read(split: str, most: int) -> Faces:
        return read_faces(
            model,
            dataset,
            split,
            most,
            loader=config.loader,
            on_images=lambda done, total: on_progress(f"{split} faces", done, total),
        )

    return read(_TRAIN_SPLIT, _MAX_TRAIN_FACES), read(config.split, _MAX_HELD_OUT)


def _set_up(
    model: FaceAutoEncoder,
    directions: Directions,
    dataset: Dataset,
    train: Faces,
    held_out: Faces,
    config: EditsConfig,
    on_progress: OnProgress,
) -> _Bench:
    """Train what judges the held-out faces, for the attributes with enough labels."""
    enough_K = _have_enough(train.labels, _MIN_TRAIN_EXAMPLES)
    enough_K &= _have_enough(held_out.labels, _MIN_FACES)
    names = np.array(dataset.attribute_names)[enough_K].tolist()
    if not names:
        raise FaceaeError(
            f"{dataset.location}: no attribute has {_MIN_TRAIN_EXAMPLES} training faces and "
            f"{_MIN_FACES} held-out faces of both kinds; pack more faces"
        )
    judge = train_judge(
        torch.cat([train.photographs, train.reconstructions]),
        np.concatenate([train.labels[:, enough_K]] * 2),
        steps=config.judge_steps,
        device=next(model.parameters()).device,
        on_steps=lambda done, total: on_progress("judge", done, total),
    )
    space = IdentitySpace(train.reconstructions, train.persons)
    return _Bench(
        model=model,
        directions=directions,
        judge=judge,
        names=names,
        held_out=held_out,
        labels=held_out.labels[:, enough_K],
        scores=judge.score(held_out.reconstructions),
        space=space,
        gallery=Gallery(space.extract(held_out.reconstructions), held_out.persons),
        most=config.faces,
    )


def _have_enough(labels: NDArray[np.int8], least: int) -> NDArray[np.bool_]:
    counts_2K = np.stack([(labels == sign).sum(axis=0) for sign in (1, -1)])
    enough_K: NDArray[np.bool_] = np.all(counts_2K >= least, axis=0)
    return enough_K


def _score_gaps(scores: NDArray[np.float64], labels: NDArray[np.int8]) -> NDArray[np.float64]:
    """Return the distances between the mean scores of both classes, K."""
    gaps_K: NDArray[np.float64] = np.diag(class_gaps(scores, labels))
    return np.where(np.abs(gaps_K) > 1e-6, gaps_K, 1e-6)


def _share(hits: NDArray[np.bool_]) -> float | None:
    return float(hits.mean()) if len(hits) >= _MIN_FACES else None
