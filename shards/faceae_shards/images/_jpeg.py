"""The header of a JPEG file: what must be known before its pixels are decoded."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

SOI = b"\xff\xd8"
EOI = b"\xff\xd9"
START_OF_SCAN = 0xDA
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Start-of-frame markers (ITU T.81, table B.1)."""
WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers that stand alone: TEM and RST0 to RST7."""
SOI_CODE, EOI_CODE = SOI[1], EOI[1]

_WITHOUT_SEGMENT = WITHOUT_LENGTH | {SOI_CODE, EOI_CODE, 0xFF}

_APP1, APP2 = 0xE1, 0xE2
_EXIF_PREFIX = b"Exif\0\0"
_XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"
ICC_PREFIX = b"ICC_PROFILE\0"
_COMMON_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
"""Baseline, extended sequential and progressive, Huffman-coded: what every decoder reads."""
_FRAME = struct.Struct(">BHBHH")


@dataclass(frozen=True, kw_only=True)
class JpegHeader:
    """The frame header of a JPEG, and the metadata that changes how its pixels are shown."""

    frame: int
    """Marker of the frame header: the coding process."""
    bits: int
    """Bits of one channel of one pixel."""
    height: int
    width: int
    exif: bytes | None
    """First EXIF block as Pillow takes it, `Exif` prefix included."""
    xmp: bytes | None
    """Last XMP packet, as Pillow takes it."""
    icc_parts: tuple[bytes, ...]
    """Segments of the ICC profile, in file order: number, count, then part of the profile."""

    @property
    def is_common(self) -> bool:
        """Whether decoders on CPUs and GPUs alike read this coding process."""
        return self.frame in _COMMON_FRAMES and self.bits == 8

    @property
    def icc(self) -> bytes | None:
        """The ICC profile, empty where parts of it are missing, or None without one."""
        return join_icc(self.icc_parts) if self.icc_parts else None


def join_icc(parts: Sequence[bytes]) -> bytes:
    """Return the ICC profile whose segments these are, or no bytes where one is missing."""
    ordered = sorted(parts, key=lambda part: part[:1])
    is_whole = all(part[0] == number for number, part in enumerate(ordered, 1))
    is_agreed = all(part[1] == len(ordered) for part in ordered)
    return b"".join(part[2:] for part in ordered) if is_whole and is_agreed else b""


def is_jpeg(data: bytes) -> bool:
    """Tell a JPEG by its first bytes."""
    return data.startswith(SOI)


def read_header(data: bytes) -> JpegHeader | None:
    """Read the segments before the first scan; None where they are damaged or end before it."""
    exif = xmp = frame = None
    icc_parts: list[bytes] = []
    position = len(SOI)
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker in _WITHOUT_SEGMENT:
            if marker in (SOI_CODE, EOI_CODE):
                return None
            position += 1 if marker == 0xFF else 2  # fill byte, or a marker alone
            continue
        if marker == START_OF_SCAN:
            break
        start = position + 4
        position += 2 + int.from_bytes(data[position + 2 : start])
        if marker in FRAMES:
            frame = data[start - 3 : position]
        elif marker == _APP1 and exif is None and data.startswith(_EXIF_PREFIX, start):
            exif = data[start:position]
        elif marker == _APP1 and data.startswith(_XMP_PREFIX, start):
            xmp = data[start + len(_XMP_PREFIX) : position]
        elif marker == APP2 and data.startswith(ICC_PREFIX, start):
            icc_parts.append(data[start + len(ICC_PREFIX) : position].ljust(2, b"\0"))
    else:
        return None
    if frame is None or len(frame) < _FRAME.size:
        return None
    code, _, bits, height, width = _FRAME.unpack_from(frame)
    return JpegHeader(
        frame=code,
        bits=bits,
        height=height,
        width=width,
        exif=exif,
        xmp=xmp,
        icc_parts=tuple(icc_parts),
    )
