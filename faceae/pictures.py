"""Reads photographs, and writes pictures and grids. Files appear complete or not at all.

Shapes: N pictures, H and W pixels.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from faceae.errors import FaceaeError
from faceae_shards import (
    ShardsError,
    atomic_path,
    decode_image,
    encode_jpeg,
    fit_image,
    holds_files,
    remove,
)

PICTURE_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
"""Suffixes of pictures that can be written, and the names of their formats."""

_READ_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".avif", ".bmp", ".tif", ".tiff", ".gif", ".heic", ".heif"}
)

MAX_GRID_PIXELS = 80_000_000
"""Pillow and others refuse larger pictures as decompression bombs."""

_PNG_OPTIONS = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
)
"""For faces of 64x64 this takes less than half the time of zlib's default, for files as small."""

_GAP_PIXELS = 2
_SHEET_COLUMNS = 8
_MAX_TILE = 128
_TITLE_PIXELS = 16
_WHITE = 255
_MAX_JPEG_SIDE = 65_535


def read_photograph(path: Path) -> NDArray[np.uint8]:
    """Read a whole photograph, turned upright, H x W x 3 uint8, RGB.

    Raises:
        FaceaeError: naming the file: not a picture, or damaged.
        OSError: it cannot be read.
    """
    try:
        return decode_image(path.read_bytes())
    except ShardsError as error:
        raise FaceaeError(f"{path}: {error}; give another photograph") from error


def list_pictures(folder: Path) -> list[Path]:
    """Return the picture files in a folder and its subfolders, sorted, by their suffixes.

    Raises:
        FaceaeError: there is no such folder, or it holds no pictures.
    """
    if not folder.is_dir():
        raise FaceaeError(f"{folder}: no such folder; give a folder of photographs")
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in _READ_SUFFIXES and not path.name.startswith(".")
    )
    if not paths:
        raise FaceaeError(f"{folder}: holds no pictures; give a folder of photographs")
    return paths


def save_image(path: Path, image: NDArray[np.uint8]) -> None:
    """Write one picture, H x W x 3 uint8, RGB, as PNG or JPEG (quality 95) by its suffix.

    Raises:
        FaceaeError: another suffix, or too many pixels for a JPEG.
    """
    if path.suffix.lower() not in PICTURE_FORMATS:
        raise FaceaeError(f"{path}: a picture must end in {', '.join(PICTURE_FORMATS)}")
    if path.suffix.lower() != ".png" and max(image.shape) > _MAX_JPEG_SIDE:
        raise FaceaeError(
            f"{path}: a JPEG has at most {_MAX_JPEG_SIDE:,} pixels a side, not {max(image.shape):,}"
            "; name a .png file"
        )
    content = encode_picture(image, path.suffix)
    with atomic_path(path) as part:
        part.write_bytes(content)


def enlarge(image_HWC: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """Return a picture whose sides are `scale` times as long (Lanczos), H x W x 3 uint8, RGB."""
    if scale == 1:
        return image_HWC
    height, width, _ = image_HWC.shape
    size = (width * scale, height * scale)
    return np.array(Image.fromarray(image_HWC).resize(size, Image.Resampling.LANCZOS))


def encode_picture(image_HWC: NDArray[np.uint8], suffix: str) -> bytes:
    """Return the bytes of a PNG, or a JPEG of quality 95, of a picture, H x W x 3 uint8, RGB.

    Args:
        suffix: a key of PICTURE_FORMATS, in any case.
    """
    if PICTURE_FORMATS[suffix.lower()] == "JPEG":
        return encode_jpeg(np.ascontiguousarray(image_HWC))
    _, content = cv2.imencode(".png", image_HWC[:, :, ::-1], _PNG_OPTIONS)
    return content.tobytes()


def encode_grid(images: NDArray[np.uint8], suffix: str) -> bytes:
    """Return the bytes of a picture with all images, N x H x W x 3 uint8, RGB; one fills it.

    Args:
        suffix: a key of PICTURE_FORMATS.
    """
    columns = math.ceil(math.sqrt(len(images)))
    return encode_picture(images[0] if len(images) == 1 else _lay_out(images, columns), suffix)


def save_grid(path: Path, images: NDArray[np.uint8], columns: int | None = None) -> None:
    """Write pictures, N x H x W x 3 uint8, RGB, as a grid on white, row after row.

    Args:
        columns: pictures per row. None: about as many as rows.

    Raises:
        FaceaeError: there are no pictures, or too many for one file.
    """
    num_images, height, width, _ = images.shape
    if num_images == 0:
        raise FaceaeError(f"{path}: there are no pictures to lay out")
    check_grid_size(path, num_images, height, width)
    save_image(path, _lay_out(images, columns or math.ceil(math.sqrt(num_images))))


def _lay_out(images: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    num_images, height, width, _ = images.shape
    rows = math.ceil(num_images / columns)
    step_y, step_x = height + _GAP_PIXELS, width + _GAP_PIXELS
    shape = (rows * step_y + _GAP_PIXELS, columns * step_x + _GAP_PIXELS, 3)
    grid_HWC = np.full(shape, _WHITE, dtype=np.uint8)
    for index, image_HWC in enumerate(images):
        y = index // columns * step_y + _GAP_PIXELS
        x = index % columns * step_x + _GAP_PIXELS
        grid_HWC[y : y + height, x : x + width] = image_HWC
    return grid_HWC


def save_contact_sheet(path: Path, pictures: Mapping[str, Sequence[NDArray[np.uint8]]]) -> None:
    """Write titles, and below each its pictures, eight in a row, on white.

    Each picture is cut to its centre square. Large ones are scaled down to 128 pixels.

    Args:
        pictures: by title; each H x W x 3 uint8, RGB.

    Raises:
        FaceaeError: `path` has another suffix than `PICTURE_FORMATS`.
    """
    sides = [min(image.shape[:2]) for group in pictures.values() for image in group]
    side = min(max(sides), _MAX_TILE)
    width = _SHEET_COLUMNS * (side + _GAP_PIXELS) + _GAP_PIXELS
    sections = []
    for title, group in pictures.items():
        sections.append(_draw_title(title, width))
        tiles = np.stack([fit_image(image, None, side) for image in group])
        sections.append(_lay_out(tiles, _SHEET_COLUMNS))
    save_image(path, np.concatenate(sections))


def _draw_title(title: str, width: int) -> NDArray[np.uint8]:
    strip = Image.new("RGB", (width, _TITLE_PIXELS), "white")
    ImageDraw.Draw(strip).text((_GAP_PIXELS, _GAP_PIXELS), title, fill="black")
    return np.array(strip)


def check_grid_size(
    path: Path,
    num_images: int,
    height: int,
    width: int,
    remedy: str = "name a folder or a .npy file instead",
) -> None:
    """Raise FaceaeError, which ends in `remedy`, if pictures are too many for one picture file."""
    most = MAX_GRID_PIXELS // ((height + _GAP_PIXELS) * (width + _GAP_PIXELS))
    if num_images > most:
        raise FaceaeError(
            f"{path}: a grid holds at most {most} pictures of {width}x{height}, not {num_images}; "
            f"{remedy}"
        )


def save_folder(path: Path, pictures: Iterable[bytes], suffix: str, first_number: int = 0) -> None:
    """Write a new folder of pictures named by number: 000000.png, 000001.png and so on.

    The folder appears when it is complete. Memory holds one picture.

    Args:
        pictures: results of `encode_picture`.
        suffix: suffix of the files, a key of PICTURE_FORMATS.
        first_number: number of the first file.

    Raises:
        FaceaeError: `path` exists and is not an empty folder.
    """
    save_named(path, (f"{number:06}" for number in itertools.count(first_number)), pictures, suffix)


def save_named(path: Path, names: Iterable[str], pictures: Iterable[bytes], suffix: str) -> None:
    """Write a new folder of pictures; see `save_folder`.

    Args:
        names: of the files, without the suffix. A name that comes again gets a number.
    """
    check_new_folder(path)
    with atomic_path(path) as part:
        part.mkdir()
        for name, content in zip(names, pictures, strict=False):
            file, copies = part / f"{name}{suffix}", 1
            while file.exists():
                copies += 1
                file = part / f"{name}-{copies}{suffix}"
            file.write_bytes(content)
        if path.is_dir():
            remove(path)  # which holds nothing, or what a file manager has left


def check_new_folder(path: Path) -> None:
    """Raise FaceaeError unless `path` is free, or an empty folder."""
    if path.is_dir() and not holds_files(path):
        return
    if path.exists():
        raise FaceaeError(f"{path}: already there; name a new folder, or remove it first")


def save_array(
    path: Path, batches: Iterable[NDArray[np.uint8]], shape: tuple[int, int, int, int]
) -> None:
    """Write pictures as one .npy file, uint8, C order. Memory holds one batch.

    Args:
        batches: pictures, N x H x W x 3 uint8, RGB.
        shape: shape of the whole array.
    """
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with atomic_path(path) as part, part.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for images_NHWC in batches:
            file.write(images_NHWC.tobytes())
