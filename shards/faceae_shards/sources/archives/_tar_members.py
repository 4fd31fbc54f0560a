"""The members of a tar: names and places, links followed, and tars that were concatenated."""

import posixpath
import tarfile
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from ..._errors import ShardsError
from .._source import clean_member_name
from ..files import SourceFiles

COMPRESSED_STARTS = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")
"""First bytes of gzip, bzip2 and xz."""


class TarMember(NamedTuple):
    """A file of a tar, and where its bytes lie."""

    name: str
    offset: int
    num_bytes: int | None
    """None: a sparse file, or a link that leads nowhere."""


def list_tar_members(files: SourceFiles, name: str) -> Iterator[TarMember]:
    """Yield the visible files of an uncompressed tar, in order; links after all others.

    A link is yielded with the place of the member it leads to. Tars that were concatenated are
    read one after another.

    Raises:
        ShardsError: it is compressed, damaged or cut short.
    """
    links: dict[str, str] = {}
    for info in _read_headers(files, name):
        member_name = clean_member_name(info.name)
        if not member_name:
            continue
        if info.islnk() or info.issym():
            links[member_name] = _find_target(info)
        elif info.isreg():
            # The pieces of a sparse file do not lie where its bytes would.
            yield TarMember(member_name, info.offset_data, None if info.issparse() else info.size)
    if links:
        yield from _follow(links, files, name)


def _find_target(info: tarfile.TarInfo) -> str:
    """Return the name of the member that a link leads to."""
    folder = "" if info.islnk() else posixpath.dirname(info.name)
    return posixpath.normpath(posixpath.join(folder, info.linkname))


def _follow(links: dict[str, str], files: SourceFiles, name: str) -> Iterator[TarMember]:
    """Yield each link as the member it leads to, without a size where it leads to none."""
    ends = {}
    for link, target in links.items():
        passed = {link}
        while target in links and target not in passed:
            passed.add(target)
            target = links[target]
        ends[link] = target
    wanted = set(ends.values())
    found = {
        posixpath.normpath(info.name): info
        for info in _read_headers(files, name)
        if info.isreg() and not info.issparse() and posixpath.normpath(info.name) in wanted
    }
    for link, target in ends.items():
        info = found.get(posixpath.normpath(target))
        yield (
            TarMember(link, 0, None)
            if info is None
            else TarMember(link, info.offset_data, info.size)
        )


def _read_headers(files: SourceFiles, name: str) -> Iterator[tarfile.TarInfo]:
    """Yield the header of each member of a tar, or of several that were concatenated."""
    where = files.locate(name)
    with files.open(name) as file:
        try:
            start: int | None = 0
            while start is not None:
                file.seek(start)
                with tarfile.open(fileobj=file, mode="r:") as tar:
                    while (info := tar.next()) is not None:
                        yield info
                        tar.members.clear()  # type: ignore[attr-defined]  # else it keeps all
                    end = tar.offset
                start = _find_next_tar(file, end, where)
        except tarfile.TarError as error:
            file.seek(0)
            is_compressed = file.read(8).startswith(COMPRESSED_STARTS)
            remedy = "uncompress it" if is_compressed else "get it again"
            raise ShardsError(f"{where} cannot be read as a tar ({error}); {remedy}") from error


def _find_next_tar(file: BinaryIO, end: int, where: str) -> int | None:
    """Return where another tar begins behind the one that ends at `end`; None without one."""
    file.seek(end)
    block = file.read(tarfile.BLOCKSIZE)
    if block != bytes(tarfile.BLOCKSIZE):
        raise ShardsError(f"{where} is a tar cut short; get it again")
    while block and not any(block):
        end += len(block)
        block = file.read(tarfile.BLOCKSIZE)
    if len(block) < tarfile.BLOCKSIZE:
        return None
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:  # whatever else was appended
        return None
    return end
