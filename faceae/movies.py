"""Writes animations: GIF, WebP and MP4. Files appear complete or not at all.

Shapes: N frames, H and W pixels.
"""

import io
import itertools
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faceae.errors import FaceaeError
from faceae.pictures import enlarge
from faceae_shards import atomic_path

MOVIE_FORMATS = (".gif", ".webp", ".mp4")
"""Suffixes of animations that can be written."""

FRAMES_PER_SECOND = 25

_MIN_FRAME_MS = 20
"""Viewers of GIF and WebP slow down shorter frames."""
_GIF_STEP_MS = 10
"""GIF stores times in hundredths of a second."""
_MAX_PIXELS = 2**28
"""Most pixels of all frames together: Pillow holds them in memory."""
_WEBP_QUALITY = 90
_MP4_QUALITY = 14
"""x264's rate factor; visually lossless. Its default, 23, blurs small faces."""


def check_movie(path: Path) -> None:
    """Check that an animation can be written as `path`, before its frames are computed.

    Raises:
        FaceaeError: another suffix than `MOVIE_FORMATS`, or PyAV is not installed.
    """
    suffix = path.suffix.lower()
    if suffix not in MOVIE_FORMATS:
        raise FaceaeError(f"{path}: an animation must end in one of {', '.join(MOVIE_FORMATS)}")
    if suffix == ".mp4":
        try:
            import av  # noqa: F401
        except ImportError as error:
            raise FaceaeError(
                f"{path}: MP4 needs PyAV: pip install 'faceae[video]'; or name a .gif or .webp file"
            ) from error


def check_movie_size(
    path: Path,
    num_frames: int,
    height: int,
    width: int,
    seconds: float | None = None,
    *,
    remedy: str = "take fewer `frames` or a smaller `scale`",
) -> None:
    """Raise FaceaeError if frames are too many for an animation, or too fast.

    Args:
        seconds: duration of all frames. None: 25 frames per second.
        remedy: against too many frames.
    """
    if num_frames * height * width > _MAX_PIXELS:
        raise FaceaeError(
            f"{path}: {num_frames:,} frames of {width}x{height} are too many for one animation; "
            f"{remedy}"
        )
    if seconds is not None and seconds * 1000 < num_frames * _MIN_FRAME_MS:
        raise FaceaeError(
            f"{path}: {num_frames:,} frames in {seconds:g} seconds are more than "
            f"{1000 // _MIN_FRAME_MS} per second; take fewer `frames` or more `seconds`"
        )


def save_movie(
    path: Path, frames: NDArray[np.uint8], *, seconds: float | None = None, scale: int = 1
) -> None:
    """Write frames, N x H x W x 3 uint8, RGB, in the format that the suffix of `path` names.

    GIF and WebP repeat endlessly. Each frame of a GIF has its own palette of 256 colours. MP4 is
    H.264 with half the resolution for colours.

    Args:
        seconds: duration of all frames. None: 25 frames per second.
        scale: factor that enlarges the frames.

    Raises:
        FaceaeError: as `check_movie` and `check_movie_size`.
    """
    check_movie(path)
    num_frames, height, width, _ = frames.shape
    check_movie_size(path, num_frames, height * scale, width * scale, seconds)
    seconds = seconds or num_frames / FRAMES_PER_SECOND
    scaled = (enlarge(frame_HWC, scale) for frame_HWC in frames)
    suffix = path.suffix.lower()
    with atomic_path(path) as part:
        if suffix == ".mp4":
            _write_mp4(part, scaled, Fraction(num_frames / seconds).limit_denominator(1000))
        elif suffix == ".webp":
            part.write_bytes(_encode_webp(scaled, _list_times(num_frames, seconds, 1)))
        else:
            part.write_bytes(_encode_gif(scaled, _list_times(num_frames, seconds, _GIF_STEP_MS)))


def encode_gif(frames: NDArray[np.uint8]) -> bytes:
    """Return the bytes of the GIF that `save_movie` writes, at 25 frames per second."""
    times_ms = _list_times(len(frames), len(frames) / FRAMES_PER_SECOND, _GIF_STEP_MS)
    return _encode_gif(frames, times_ms)


def _list_times(num_frames: int, seconds: float, step_ms: int) -> list[int]:
    """Return how long each frame lasts, in milliseconds, in multiples of a step."""
    ends = np.arange(num_frames + 1) * (seconds * 1000 / num_frames / step_ms)
    times: list[int] = (np.diff(ends.round().astype(int)) * step_ms).tolist()
    return times


def _encode_gif(frames: Iterable[NDArray[np.uint8]], times_ms: list[int]) -> bytes:
    """Palettes are by median cut, then k-means, without dithering."""
    first, *others = [Image.fromarray(frame_HWC).quantize(256, kmeans=1) for frame_HWC in frames]
    return _save(first, others, format="GIF", duration=times_ms, loop=0)


def _encode_webp(frames: Iterable[NDArray[np.uint8]], times_ms: list[int]) -> bytes:
    first, *others = [Image.fromarray(frame_HWC) for frame_HWC in frames]
    options = {"quality": _WEBP_QUALITY, "method": 4}
    return _save(first, others, format="WEBP", duration=times_ms, loop=0, **options)


def _save(first: Image.Image, others: list[Image.Image], **options: Any) -> bytes:
    stream = io.BytesIO()
    first.save(stream, save_all=True, append_images=others, **options)
    return stream.getvalue()


def _write_mp4(path: Path, frames: Iterator[NDArray[np.uint8]], rate: Fraction) -> None:
    import av
    from av.video.reformatter import ColorRange, Colorspace

    first = _make_even(next(frames))
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": str(_MP4_QUALITY)})
        stream.height, stream.width, _ = first.shape
        stream.pix_fmt = "yuv420p"
        stream.color_range, stream.colorspace = ColorRange.MPEG, Colorspace.ITU709
        for frame_HWC in itertools.chain([first], map(_make_even, frames)):
            frame = av.VideoFrame.from_ndarray(frame_HWC, format="rgb24").reformat(
                format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
            )
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _make_even(frame_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeat the last row and column where their number is odd, which yuv420p does not allow."""
    height, width, _ = frame_HWC.shape
    padding = ((0, height % 2), (0, width % 2), (0, 0))
    return np.ascontiguousarray(np.pad(frame_HWC, padding, mode="edge"))
