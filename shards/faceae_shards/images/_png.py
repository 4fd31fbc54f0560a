"""The chunks of a PNG file: those that make the picture, without the rest."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_MAX_TEXT_BYTES = 1 << 20
"""Bytes of a text that may hold the orientation. Pillow refuses the whole file at more."""
_MAX_PROFILE_BYTES = 1 << 24
"""Bytes of a decompressed ICC profile."""
_ANCILLARY = 0x20
_NEEDED = frozenset({b"tRNS", b"eXIf", b"acTL", b"fcTL", b"fdAT"})
"""Ancillary chunks that change the picture."""
_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_ORIENTATION_TEXTS = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")


@dataclass(frozen=True, kw_only=True)
class PngFile:
    """A PNG for Pillow to decode, and the colour profile it holds."""

    data: bytes
    """The file without chunks that do not change the picture: Pillow refuses a file for large or
    damaged ones."""
    icc: bytes | None
    """The ICC profile, empty where it cannot be read, or None without one."""


def read_png(data: bytes) -> PngFile:
    """Sort the chunks of a PNG. What cannot be parsed stays for the decoder to judge."""
    kept, icc = [data[: len(SIGNATURE)]], None
    for chunk in _split_chunks(data):
        kind, body = chunk[4:8], chunk[8:-4]
        if not kind[:1] or not kind[0] & _ANCILLARY:
            kept.append(chunk)
        elif not _is_sound(chunk):
            icc = b"" if kind == b"iCCP" else icc
        elif kind == b"iCCP":
            icc = _read_profile(body)
        elif kind in _NEEDED or (kind in _TEXTS and _tells_orientation(kind, body)):
            kept.append(chunk)
    return PngFile(data=b"".join(kept), icc=icc)


def _split_chunks(data: bytes) -> Iterator[bytes]:
    """Yield every chunk, from its length to its checksum; the last may be cut."""
    position = len(SIGNATURE)
    while position < len(data):
        size = int.from_bytes(data[position : position + 4]) + 12
        yield data[position : position + size]
        position += size


def _is_sound(chunk: bytes) -> bool:
    return len(chunk) >= 12 and zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:])


def _read_profile(body: bytes) -> bytes:
    _, _, rest = body.partition(b"\0")
    return _decompress(rest[1:], _MAX_PROFILE_BYTES)


def _tells_orientation(kind: bytes, body: bytes) -> bool:
    if not body.startswith(_ORIENTATION_TEXTS) or len(body) > _MAX_TEXT_BYTES:
        return False
    _, _, rest = body.partition(b"\0")
    if kind == b"zTXt":
        return bool(_decompress(rest[1:], _MAX_TEXT_BYTES))
    is_compressed = kind == b"iTXt" and rest[:1] == b"\1"
    return not is_compressed  # Adobe forbids compressing XMP


def _decompress(data: bytes, limit: int) -> bytes:
    """Return the decompressed bytes, or none where they are damaged or more than `limit`."""
    decoder = zlib.decompressobj()
    try:
        content = decoder.decompress(data, limit)
    except zlib.error:
        return b""
    return content if decoder.eof else b""
