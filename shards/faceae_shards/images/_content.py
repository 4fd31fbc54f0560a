"""What a file is, by its first bytes."""

_HTML_STARTS = (b"<!doctype html", b"<html")
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_PICTURES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
"""Formats that are decoded, except those in RIFF and ISO containers."""
_OTHERS = {
    b"\0\0\0\x0cjP  ": "a JPEG 2000 file",
    b"\xff\x4f\xff\x51": "a JPEG 2000 file",
    b"\0\0\0\x0cJXL ": "a JPEG XL file",
    b"\xff\x0a": "a JPEG XL file",
    b"8BPS": "a Photoshop file",
    b"%PDF": "a PDF file",
    b"%!PS": "a PostScript file",
    b"<svg": "an SVG drawing",
    b"<?xml": "an XML or SVG file",
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"version https://git-lfs": "a Git LFS pointer, which `git lfs pull` replaces by the file",
    b"{": "a JSON file",
}
_START_BYTES = 1024


def is_html(data: bytes) -> bool:
    """Tell an HTML page, which servers send in place of a file, by its first bytes."""
    return data[:_START_BYTES].lstrip().lower().startswith(_HTML_STARTS)


def is_heic(data: bytes) -> bool:
    """Tell a HEIC picture, which Pillow does not decode."""
    brands = _read_brands(data)
    return bool(brands & _HEIC_BRANDS) and not brands & _AVIF_BRANDS


def name_picture_format(data: bytes) -> str | None:
    """Return the name of the picture format that a file claims to have, or None."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if _read_brands(data) & _AVIF_BRANDS:
        return "AVIF"
    return next((name for start, name in _PICTURES.items() if data.startswith(start)), None)


def describe_other(data: bytes) -> str:
    """Say what a file is that is no picture."""
    if is_html(data):
        return "it is an HTML page"
    if not data[:_START_BYTES].strip(b"\0"):
        return "it begins with zero bytes"
    if data[4:8] == b"ftyp":
        return f"it is a video or another ISO media file (brand {data[8:12]!r})"
    start = data[:_START_BYTES].lstrip()
    for magic, name in _OTHERS.items():
        if data.startswith(magic) or start.startswith(magic):
            return f"it is {name}"
    return "not a file of JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF, HEIC"


def _read_brands(data: bytes) -> set[bytes]:
    """Return the brands of an ISO media file, none for another file."""
    if data[4:8] != b"ftyp":
        return set()
    box = data[8 : min(int.from_bytes(data[:4]), _START_BYTES)]
    return {box[place : place + 4] for place in range(0, len(box), 4) if place != 4}
