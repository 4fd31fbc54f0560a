"""The header of a JPEG file: what must be known before its pixels are decoded."""

import struct
from dataclasses import dataclass

_SOI = b"\xff\xd8"
_START_OF_SCAN = 0xDA
_APP1 = 0xE1
_EXIF_PREFIX = b"Exif\0\0"
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Start-of-frame markers (ITU T.81, table B.1)."""
_COMMON_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
"""Baseline, extended sequential and progressive, Huffman-coded: what every decoder reads."""
_FRAME = struct.Struct(">BHBHH")
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})


@dataclass(frozen=True, kw_only=True)
class JpegHeader:
    """The frame header and the EXIF block of a JPEG."""

    frame: int
    """Marker of the frame header: the coding process."""
    bits: int
    """Of one component of one pixel."""
    height: int
    width: int
    exif: bytes | None
    """As Pillow takes it, `Exif` prefix included."""

    @property
    def is_common(self) -> bool:
        """Whether decoders on CPUs and GPUs alike read this coding process."""
        return self.frame in _COMMON_FRAMES and self.bits == 8


def is_jpeg(data: bytes) -> bool:
    """Tell a JPEG by its first bytes."""
    return data.startswith(_SOI)


def read_header(data: bytes) -> JpegHeader | None:
    """Read the segments before the first scan; None where they are damaged or end before it."""
    exif = frame = None
    position = len(_SOI)
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF or marker in _WITHOUT_LENGTH:  # fill byte, or a marker alone
            position += 1 if marker == 0xFF else 2
            continue
        if marker == _START_OF_SCAN:
            return None if frame is None else _parse_frame(frame, exif)
        start = position + 4
        position += 2 + int.from_bytes(data[position + 2 : start])
        if marker in _FRAMES:
            frame = data[start - 3 : position]
        elif marker == _APP1 and data.startswith(_EXIF_PREFIX, start):
            exif = data[start:position]
    return None


def _parse_frame(frame: bytes, exif: bytes | None) -> JpegHeader | None:
    """Parse marker code, segment length, bits, height and width."""
    if len(frame) < _FRAME.size:
        return None
    code, _, bits, height, width = _FRAME.unpack_from(frame)
    return JpegHeader(frame=code, bits=bits, height=height, width=width, exif=exif)
