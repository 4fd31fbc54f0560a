"""Measures the new faces of a run against photographs.

Shapes: N faces, C channels, H and W pixels, Z latent size.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from faceae.data import Loader, LoaderKind, open_split
from faceae.device import DeviceName, resolve_device
from faceae.errors import FaceaeError
from faceae.explore import find_nearest, take_faces
from faceae.model import FaceAutoEncoder, weights_hash
from faceae.pictures import save_grid
from faceae.runs import Run, open_run
from faceae_shards import Dataset

from ._face_set import FaceSet, describe_faces
from ._faces import choose_places, draw_faces, reconstruct, take, to_arrays
from ._inception import InceptionSpace
from ._neighbours import find_train_neighbours
from ._quality import check_count, compare_faces
from ._record import SampleRecord
from ._space import FeatureSpace
from ._textures import TextureSpace

OnProgress = Callable[[str, int, int], None]
"""Receives the name of a stage, the number of its faces done, and of all its faces."""

_TRAIN_SPLIT = "train"
_MAX_TRAIN_FACES = 20_000
_GRID_FACES = 64
_NUM_SUSPECTS = 8
_NUM_NEAREST = 8


@dataclass(frozen=True, kw_only=True)
class SampleConfig:
    """Options of a measurement of new faces.

    Raises:
        FaceaeError: an option is out of its range.
    """

    samples: int = 10_000
    """New faces to draw. As many reconstructions and photographs are compared, or as many as the
    smaller of both splits has."""
    seed: int = 0
    """Seed of the new faces."""
    truncation: float = 1.0
    """Factor on the distance of latents from their mean, as `faceae generate` takes it."""
    split: str = "test"
    """Held-out split of other people than those in the training split."""
    inception: Path | None = None
    """Weights of the Inception-v3 of FID, to measure in its features. None: the built-in space."""
    batch_size: int = 64
    """Faces per batch. Does not change the figures beyond rounding."""
    device: DeviceName = "auto"
    """Device to measure on; auto: the GPU if there is one."""
    loader: LoaderKind = "auto"
    """Library that reads the shards; auto: DALI if it can be imported."""

    def __post_init__(self) -> None:
        for name, value in (("samples", self.samples), ("batch_size", self.batch_size)):
            if value < 1:
                raise FaceaeError(f"`{name}` must be at least 1, got {value}")
        if not 0 <= self.truncation < math.inf:
            raise FaceaeError(
                f"`truncation` must be a finite number of at least 0, got {self.truncation}"
            )
        if self.split == _TRAIN_SPLIT:
            raise FaceaeError(
                "`split='train'` is what new faces are compared with; hold out another"
            )


def evaluate_samples(
    run: Run,
    dataset: Dataset,
    out: Path | None = None,
    config: SampleConfig | None = None,
    on_progress: OnProgress = lambda stage, done, total: None,
) -> SampleRecord:
    """Measure new faces of a run, and write the figures and two pictures.

    One picture shows 64 new faces. The other, `nearest_path`, shows the 8 that look most like
    copies, each before its 8 nearest training faces.

    New faces, reconstructions of held-out photographs, and these photographs themselves are each
    compared with as many training photographs. At most 20,000 training photographs are searched
    for copies. Face i of a seed is that of `faceae generate`.

    Args:
        out: file of the figures, which ends in .json; the grid lies beside it and ends in .png.
            None: `run.samples_path(split)`.

    Raises:
        FaceaeError, ShardsError: the run has no weights or no fitted latents, the dataset lacks a
            split or has too few faces, an image cannot be read, or `out` has another suffix.
    """
    config = config or SampleConfig()
    out = out or run.samples_path(config.split)
    if out.suffix != ".json":
        raise FaceaeError(f"{out}: the figures are JSON; give a name that ends in .json")
    device = resolve_device(config.device)
    trained = open_run(run, latents=True)
    assert trained.sampler is not None
    model, sampler = trained.model.to(device), trained.sampler
    space = TextureSpace() if config.inception is None else InceptionSpace(config.inception, device)
    count = _choose_count(dataset, config, space)
    draw = partial(draw_faces, model, sampler, config.seed, truncation=config.truncation)
    new_faces = _describe("new faces", draw(count, config.batch_size), count, space, on_progress)
    open_loader = partial(
        open_split,
        dataset,
        image_size=model.config.image_size,
        device=device,
        batch_size=config.batch_size,
        loader=config.loader,
    )
    with ExitStack() as stack:
        train = stack.enter_context(open_loader(split=_TRAIN_SPLIT))
        held_out = stack.enter_context(open_loader(split=config.split))
        known = _describe_known(train, space, on_progress)
        floor, back = _describe_held_out(held_out, model, count, space, on_progress)
    record = SampleRecord(
        split=config.split,
        num_asked=config.samples,
        seed=config.seed,
        truncation=config.truncation,
        num_train_images=len(known),
        dataset_hash=dataset.hash,
        is_run_dataset=dataset.hash == run.dataset_hash,
        weights_hash=weights_hash(model),
        space=space.name,
        new_faces=compare_faces(samples=new_faces, held_out=floor, train=known),
        reconstructions=compare_faces(samples=back, held_out=floor, train=known),
        photographs=compare_faces(samples=floor, held_out=floor, train=known),
    )
    save_grid(out.with_suffix(".png"), to_arrays(draw(_GRID_FACES, config.batch_size)))
    suspects = _show_suspects(draw, model.config.image_size, dataset, config, new_faces, known)
    save_grid(nearest_path(out), suspects, columns=_NUM_NEAREST + 1)
    record.save(out)
    return record


def nearest_path(out: Path) -> Path:
    """Return the picture of new faces beside their nearest training faces, by the figures' file."""
    return out.with_name(f"{out.stem}-nearest.png")


def _show_suspects(
    draw: Callable[..., Iterator[torch.Tensor]],
    size: int,
    dataset: Dataset,
    config: SampleConfig,
    new_faces: FaceSet,
    known: FaceSet,
) -> NDArray[np.uint8]:
    """Return the new faces that look most like copies, each before its nearest training faces.

    N x S x S x 3 uint8, RGB, for rows of 1 + 8 faces.

    Args:
        draw: returns so many new faces, in batches of so many, from the number `start`.
        size: height and width of a face, in pixels.
    """
    closeness_N = find_train_neighbours(new_faces.features, known.features).closeness
    numbers = closeness_N.argsort()[:_NUM_SUSPECTS]
    k = min(_NUM_NEAREST, len(known))
    near = find_nearest(new_faces.features[numbers], known.features, k).rows.cpu().numpy()
    rows = choose_places(dataset.num_samples(_TRAIN_SPLIT), len(known))[near]
    train_NHWC = take_faces(dataset, _TRAIN_SPLIT, rows.reshape(-1), size, config.loader)
    drawn = [to_arrays(draw(1, 1, start=number)) for number in numbers.tolist()]
    pairs = zip(drawn, train_NHWC.reshape(*rows.shape, size, size, 3), strict=True)
    return np.concatenate([face for pair in pairs for face in pair])


def check_samples(dataset: Dataset, config: SampleConfig) -> None:
    """Raise FaceaeError unless a dataset has enough faces to measure new faces with."""
    if config.inception is None:
        _choose_count(dataset, config, TextureSpace())


def _choose_count(dataset: Dataset, config: SampleConfig, space: FeatureSpace) -> int:
    for split in (config.split, _TRAIN_SPLIT):
        check_count(f"split='{split}'", dataset.num_samples(split), space.name.size)
    check_count("samples", config.samples, space.name.size)
    splits = (dataset.num_samples(split) for split in (config.split, _TRAIN_SPLIT))
    return min(config.samples, *splits)


def _describe_known(train: Loader, space: FeatureSpace, on_progress: OnProgress) -> FaceSet:
    places = choose_places(train.num_samples, _MAX_TRAIN_FACES)
    return _describe("training faces", take(train, places), len(places), space, on_progress)


def _describe_held_out(
    held_out: Loader,
    model: FaceAutoEncoder,
    count: int,
    space: FeatureSpace,
    on_progress: OnProgress,
) -> tuple[FaceSet, FaceSet]:
    """Return `count` held-out photographs, and their reconstructions."""
    places = choose_places(held_out.num_samples, count)
    photographs = take(held_out, places)
    back = (reconstruct(model, images_NCHW) for images_NCHW in take(held_out, places))
    return (
        _describe("photographs", photographs, count, space, on_progress),
        _describe("reconstructions", back, count, space, on_progress),
    )


def _describe(
    stage: str,
    batches: Iterable[torch.Tensor],
    total: int,
    space: FeatureSpace,
    on_progress: OnProgress,
) -> FaceSet:
    def report() -> Iterator[torch.Tensor]:
        done = 0
        for images_NCHW in batches:
            yield images_NCHW
            done += len(images_NCHW)
            on_progress(stage, done, total)

    return describe_faces(report(), space)
