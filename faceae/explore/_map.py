"""A picture of the latent space: faces at their two principal components.

Shapes: N faces, Z latent size.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from faceae.data import LoaderKind, OnImages
from faceae.editing import read_labels
from faceae.errors import FaceaeError
from faceae.model import FaceAutoEncoder
from faceae_shards import Dataset, fit_image

from ._faces import encode_split, take_faces

_SIDE = 1600
"""Pixels of the map's sides, without the legend."""
_TILE = 56
"""Pixels of a face's sides."""
_FRAME = 4
"""Pixels of the coloured frame around a face."""
_DOT = 3
"""Radius in pixels of a face that is drawn as a dot."""
_LEGEND = 76
_TEXT = 24
_TAIL = 0.005
"""Share of the faces at each end of an axis that are moved to its end, so that a few unusual faces
do not press all others together."""

_COLOURS = {1: (230, 97, 0), -1: (64, 83, 211), 0: (160, 160, 160)}
"""Yes, no and unknown: orange, blue and grey, which colour-blind people tell apart."""


@dataclass(frozen=True, kw_only=True)
class MapConfig:
    """Options of a map."""

    split: str = "test"
    """Split of the dataset to show."""
    attribute: str | None = None
    """Attribute that the colours show. None: all faces have one colour."""
    loader: LoaderKind = "auto"
    """Library that reads the shards; auto: DALI if it can be imported."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FaceMap:
    """A map of faces."""

    picture: NDArray[np.uint8]
    """H x W x 3, RGB."""
    num_faces: int
    """Faces on the map."""
    num_tiles: int
    """Faces of them that are shown as pictures; the others are dots."""
    shares: tuple[float, float]
    """Shares of the latents' variance along both axes."""
    reader: str
    """Name and version of the library that read the faces."""


def draw_map(
    model: FaceAutoEncoder,
    dataset: Dataset,
    config: MapConfig | None = None,
    on_images: OnImages = lambda done, total: None,
) -> FaceMap:
    """Draw the faces of a split at the first two principal components of their latents.

    Faces are shown as pictures where they do not overlap others, and as dots elsewhere. Faces that
    come first in the split take their places first.

    Args:
        model: in evaluation mode, on the device to encode on.
        on_images: receives the number of faces encoded, and of all faces.

    Raises:
        FaceaeError, ShardsError: there is no such split or attribute, the split has fewer than
            three faces or the model fewer than two latents, or an image cannot be read.
    """
    config = config or MapConfig()
    num_faces = dataset.num_samples(config.split)
    if num_faces < 3:
        raise FaceaeError(f"`split`: {config.split} has {num_faces} faces; a map needs at least 3")
    if model.config.latent_size < 2:
        raise FaceaeError("a map has two directions, and the model's `latent_size` is 1")
    labels_N = _read_labels(dataset, config)
    encoded = encode_split(model, dataset, config.split, config.loader, on_images)
    points_N2, shares = _project(encoded.latents)
    places_N2 = _to_pixels(points_N2)
    rows = _choose_tiles(places_N2)
    tiles = take_faces(dataset, config.split, rows, model.config.image_size, config.loader)
    image = Image.new("RGB", (_SIDE, _SIDE + _LEGEND), "white")
    is_coloured = config.attribute is not None
    _draw_faces(image, places_N2, labels_N, rows, tiles, is_coloured=is_coloured)
    _draw_legend(ImageDraw.Draw(image), config, labels_N, shares)
    return FaceMap(
        picture=np.array(image),
        num_faces=num_faces,
        num_tiles=len(rows),
        shares=shares,
        reader=encoded.reader,
    )


def _read_labels(dataset: Dataset, config: MapConfig) -> NDArray[np.int8]:
    """Return 1, -1 or 0 (unknown) for each face, N."""
    num_faces = dataset.num_samples(config.split)
    if config.attribute is None:
        return np.zeros(num_faces, np.int8)
    if config.attribute not in dataset.attribute_names:
        raise FaceaeError(
            f"`attribute`: {dataset.path} has no {config.attribute}"
            f"{_suggest(config.attribute, dataset.attribute_names)}"
        )
    labels_NK, _ = read_labels(dataset, config.split, num_faces)
    return labels_NK[:, dataset.attribute_names.index(config.attribute)]


def _suggest(name: str, known: Sequence[str]) -> str:
    if not known:
        return "; its images have no attributes"
    similar = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {similar[0]}?" if similar else f"; it has {', '.join(known)}"


def _project(latents: NDArray[np.float32]) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Return the principal components of latents, N x 2, and their shares of the variance."""
    z_NZ = latents.astype(np.float64) - latents.mean(axis=0, dtype=np.float64)
    variances, vectors = np.linalg.eigh(np.cov(z_NZ.T))
    axes_Z2 = vectors[:, :-3:-1]
    # Signs of eigenvectors differ between libraries.
    largest = np.abs(axes_Z2).argmax(axis=0)
    axes_Z2 = axes_Z2 * np.sign(axes_Z2[largest, range(axes_Z2.shape[1])])
    shares = variances[::-1][:2] / max(variances.sum(), 1e-12)
    return z_NZ @ axes_Z2, (float(shares[0]), float(shares[1]))


def _to_pixels(points_N2: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the left and top pixel of each face's tile, N x 2."""
    low, high = np.quantile(points_N2, [_TAIL, 1 - _TAIL], axis=0)
    share_N2 = ((points_N2 - low) / np.maximum(high - low, 1e-12)).clip(0, 1)
    share_N2[:, 1] = 1 - share_N2[:, 1]  # the second component grows upwards
    pixels: NDArray[np.int64] = (share_N2 * (_SIDE - _TILE)).round().astype(np.int64)
    return pixels


def _choose_tiles(places_N2: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows of faces whose tiles do not overlap those before them."""
    taken = np.zeros((_SIDE, _SIDE), np.bool_)
    rows = []
    for row, (x, y) in enumerate(places_N2):
        tile = taken[y : y + _TILE, x : x + _TILE]
        if not tile.any():
            tile[:] = True
            rows.append(row)
    return np.array(rows)


def _draw_faces(
    image: Image.Image,
    places_N2: NDArray[np.int64],
    labels_N: NDArray[np.int8],
    rows: NDArray[np.int64],
    tiles: NDArray[np.uint8],
    *,
    is_coloured: bool,
) -> None:
    draw = ImageDraw.Draw(image)
    for (x, y), label in zip((places_N2 + _TILE // 2).tolist(), labels_N.tolist(), strict=True):
        draw.ellipse((x - _DOT, y - _DOT, x + _DOT, y + _DOT), fill=_COLOURS[label])
    frame = _FRAME if is_coloured else 0
    for row, tile in zip(rows.tolist(), tiles, strict=True):
        x, y = places_N2[row].tolist()
        draw.rectangle((x, y, x + _TILE - 1, y + _TILE - 1), fill=_COLOURS[int(labels_N[row])])
        image.paste(
            Image.fromarray(fit_image(tile, None, _TILE - 2 * frame)), (x + frame, y + frame)
        )


def _draw_legend(
    draw: ImageDraw.ImageDraw,
    config: MapConfig,
    labels_N: NDArray[np.int8],
    shares: tuple[float, float],
) -> None:
    font = ImageFont.load_default(_TEXT)
    axes = (
        f"{len(labels_N):,} faces ({config.split}). Across: first principal component of the "
        f"latents ({shares[0]:.0%} of the variance). Upwards: second ({shares[1]:.0%})."
    )
    draw.text((_TILE // 2, _SIDE + _LEGEND - 8), axes, "black", font, anchor="ls")
    if config.attribute is None:
        return
    x, y = _TILE // 2, _SIDE + 8
    draw.text((x, y), f"{config.attribute}:", "black", font)
    x += int(draw.textlength(f"{config.attribute}:  ", font))
    for label, name in ((1, "yes"), (-1, "no"), (0, "unknown")):
        count = int((labels_N == label).sum())
        if count:
            draw.rectangle((x, y + 2, x + _TEXT, y + 2 + _TEXT), fill=_COLOURS[label])
            draw.text((x + 1.4 * _TEXT, y), f"{name} {count:,}", "black", font)
            x += int(draw.textlength(f"{name} {count:,}  ", font) + 2 * _TEXT)
