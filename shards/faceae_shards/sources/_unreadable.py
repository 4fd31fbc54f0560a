"""Sources that cannot be packed as they are: what each one is, and what to do with it."""

import posixpath
from collections.abc import Sequence

from .._errors import ShardsError
from ..storage import Location
from ._source import IMAGE_SUFFIXES, Source
from ._splits import find_file_splits

MAX_PREVIEWS = 10
"""Images that may lie beside archives without being what is meant."""
FAR_MORE = 10
"""Ratio of bytes from which on the larger of two kinds of content is what is meant."""

_STARTS = (
    (b"\x28\xb5\x2f\xfd", "is compressed by Zstandard; decompress it with `unzstd`"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7-Zip archive; unpack it with `7z x`"),
    (b"Rar!\x1a\x07", "is a RAR archive; unpack it with `unrar x`"),
    (b"\x1f\x8b", "is compressed by gzip; decompress it with `gunzip`"),
    (b"BZh", "is compressed by bzip2; decompress it with `bunzip2`"),
    (b"\xfd7zXZ\0", "is compressed by xz; decompress it with `unxz`"),
    (b"\x89HDF", "is an HDF5 file; save its pictures as PNG files"),
    (b"\x93NUMPY", "is a NumPy array; save its pictures as PNG files"),
    (b"ARROW1", "is an Arrow file; save it as Parquet"),
    (b"\xff\xff\xff\xff", "is an Arrow stream; save it as Parquet"),
    (b"\x04\x22\x4d\x18", "is compressed by LZ4; decompress it with `unlz4`"),
    (b"%PDF", "is a PDF; save its pictures as files"),
)
"""First bytes of files that are no source, and what to say of them."""
_ARCHIVES = (
    *(".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst"),
    *(".7z", ".7z.001", ".rar", ".gz", ".parquet"),
)
_ARRAYS = (
    *(".npy", ".npz", ".arrow", ".feather", ".h5", ".hdf5", ".mat", ".pkl", ".pickle", ".pt"),
    *(".tfrecord", ".tfrecords", ".rec", ".mdb", ".lmdb"),
)
_READABLE = (".zip", ".tar", ".parquet")


def refuse_container(location: Location, start: bytes) -> None:
    """Raise ShardsError where the first bytes of a file are those of a container nobody reads."""
    for magic, what in _STARTS:
        if start.startswith(magic):
            raise ShardsError(f"{location} {what}, and give what comes out")


def explain_no_images(source: Source) -> str:
    """Return why a source without images holds none, and what to give in its place."""
    others = list(source.others.names)
    if source.kind in ("parquet", "list"):
        return f"{source.path} holds no {'rows' if source.kind == 'parquet' else 'paths'}"
    arrays = [name for name in others if name.lower().endswith(_ARRAYS)]
    archives = [name for name in others if name.lower().endswith(_ARCHIVES)]
    if archives:
        remedy = _choose_remedy(source, archives)
        return f"{source.path} holds no images but {_list(archives)}; {remedy}"
    if arrays:
        return (
            f"{source.path} holds arrays ({_list(arrays)}), no image files; save its pictures as "
            "PNG files, or as Parquet with a column of image files"
        )
    suffixes = " ".join(sorted(IMAGE_SUFFIXES))
    return f"{source.path} holds no images (files ending in {suffixes})"


def note_unread(source: Source) -> tuple[str, ...]:
    """Return a note on archives beside the images of a source, which are not read.

    Raises:
        ShardsError: the images are few and small beside the archives, which are what is meant.
    """
    unread = source.others.select(lambda name: name.lower().endswith(_ARCHIVES))
    images = source.entries
    if not images or not unread:
        return ()
    names = unread.names
    if len(images) <= MAX_PREVIEWS and images.sum_bytes() * FAR_MORE <= unread.sum_bytes():
        raise ShardsError(
            f"{source.path} holds {_list(names)}, and beside it only {len(images)} images; "
            f"{_choose_remedy(source, names)}"
        )
    return (f"archives beside the images are not read: {_list(names)}",)


def _choose_remedy(source: Source, archives: Sequence[str]) -> str:
    (first, *more) = archives
    if source.kind != "folder":
        return "unpack it, and give the archive inside or the folder"
    if more and find_file_splits(archives):
        return "unpack each into a folder of its own name, and give the folder that holds these"
    if more or not first.lower().endswith(_READABLE):
        return "unpack them into one folder, and give that"
    return f"give {posixpath.join(str(source.path), first)}"


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    return f"{names[0]}{more}"
