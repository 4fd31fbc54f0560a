"""Repair of JPEGs that hold all their pixels, but break the standard around them.

Cameras and editors write such files: bytes between the segments, scan parameters of the wrong
kind (Samsung), no end marker. Only bytes outside the entropy-coded data change, so the pixels
stay the same, and the result decodes without a warning.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from ._jpeg import (
    APP2,
    EOI,
    EOI_CODE,
    FRAMES,
    ICC_PREFIX,
    SOI,
    SOI_CODE,
    START_OF_SCAN,
    WITHOUT_LENGTH,
    join_icc,
)

_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")
"""The next marker that is no part of entropy-coded data."""
_EXTRANEOUS = re.compile(r"(\d+) extraneous bytes before marker 0x([0-9a-f]{2})$")
_BETWEEN_SCANS = frozenset({0xC4, START_OF_SCAN, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)})
"""Markers before which bytes may be surplus. Before a restart marker they mean damaged pixels."""
_MAX_SURPLUS = 16
_SEQUENTIAL = frozenset({0xC0, 0xC1, 0xC9})
_PROGRESSIVE = frozenset({0xC2, 0xCA})
_WHOLE_BLOCK = bytes((0, 63, 0))
"""Scan parameters of a sequential JPEG: all 64 coefficients, all bits."""
_JFIF, _ADOBE = b"JFIF\0", b"Adobe"
_JFIF_MAJOR = b"\x01"
"""The only major version of JFIF."""
_YCC, _YCCK = 1, 2
"""Adobe's codes of colour transforms."""
_APP0, _APP14 = 0xE0, 0xEE

FindProblem = Callable[[bytes], str | None]
"""Return the decoder's first warning or error on a JPEG, or None where there is none."""


def repair(data: bytes, find_problem: FindProblem) -> bytes | None:
    """Return a JPEG with the same pixels that decodes without a warning, else None.

    None stands for a file with missing or damaged pixels, or with nothing to repair.
    """
    segments = _read_segments(data)
    if segments is None:
        return None
    segments = _drop_cut_profile(segments)
    num_components = _count_components(segments)
    mended = b"".join((SOI, *(segment.mend(num_components) for segment in segments), EOI))
    for _ in range(_MAX_SURPLUS):
        problem = find_problem(mended)
        if problem is None:
            return None if mended == data else mended
        shorter = _drop_surplus(mended, problem, find_problem)
        if shorter is None:
            return None
        mended = shorter
    return None


@dataclass(frozen=True, kw_only=True)
class _Segment:
    code: int
    frame: int
    """Marker of the frame header before this segment; 0 before there is one."""
    body: bytes
    """From the length on."""
    scan: bytes = b""
    """Entropy-coded data after it."""

    @property
    def num_components(self) -> int:
        """Components of a scan."""
        return self.body[2] if len(self.body) > 2 else 0

    @property
    def icc_part(self) -> bytes:
        """Number, count and part of an ICC profile; no bytes where this is another segment."""
        if self.code != APP2 or not self.body.startswith(ICC_PREFIX, 2):
            return b""
        return self.body[2 + len(ICC_PREFIX) :].ljust(2, b"\0")

    def mend(self, num_components: int) -> bytes:
        """Return the segment with values that a decoder would warn of replaced by what it takes
        them for.

        Args:
            num_components: of the frame.
        """
        body = self.body
        if self.code == START_OF_SCAN and self.frame in _SEQUENTIAL:
            body = body[:-3] + _WHOLE_BLOCK
        elif self.code == _APP0 and body[2:7] == _JFIF and len(body) > 7:
            body = body[:7] + _JFIF_MAJOR + body[8:]
        elif self.code == _APP14 and body[2:7] == _ADOBE and body[13:14] > b"\x02":
            body = body[:13] + bytes((_YCCK if num_components == 4 else _YCC,)) + body[14:]
        return bytes((0xFF, self.code)) + body + self.scan


def _read_segments(data: bytes) -> list[_Segment] | None:
    """Read every segment; None where the file ends within one, or before all coefficients."""
    segments: list[_Segment] = []
    position, frame, is_ended = len(SOI), 0, False
    while not is_ended and (found := _MARKER.search(data, position)) is not None:
        code, start = found[1][0], found.end()
        position, is_ended = start, code == EOI_CODE
        if is_ended or code == SOI_CODE or code in WITHOUT_LENGTH:
            continue
        position += int.from_bytes(data[start : start + 2])
        if not start + 2 <= position <= len(data):
            return None
        frame = code if code in FRAMES else frame
        body, scan = data[start:position], b""
        if code == START_OF_SCAN:
            end = _MARKER.search(data, position)
            scan = data[position : end.start()] if end else data[position:].rstrip(b"\xff")
            position += len(scan)
        segments.append(_Segment(code=code, frame=frame, body=body, scan=scan))
    is_whole = frame != 0 and (is_ended or _has_all_bits(segments))
    return segments if is_whole else None


def _has_all_bits(segments: list[_Segment]) -> bool:
    """Tell whether a JPEG without an end marker may be whole.

    The decoder notices missing blocks of a scan, but not a missing scan of a progressive JPEG.
    """
    scans = [segment for segment in segments if segment.code == START_OF_SCAN]
    num_components = _count_components(segments)
    if segments[-1].frame not in _PROGRESSIVE:
        return sum(scan.num_components for scan in scans) == num_components
    done: set[tuple[int, int]] = set()
    for scan in scans:
        first, last, bits = scan.body[-3:]
        if bits & 15 == 0:
            ids = scan.body[3 : 3 + 2 * scan.num_components : 2]
            done.update((id_, place) for id_ in ids for place in range(first, last + 1))
    return len(done) == 64 * num_components


def _drop_cut_profile(segments: list[_Segment]) -> list[_Segment]:
    """Drop the ICC profile where parts of it are missing: a decoder would warn of it."""
    parts = [segment.icc_part for segment in segments if segment.icc_part]
    if not parts or join_icc(parts):
        return segments
    return [segment for segment in segments if not segment.icc_part]


def _count_components(segments: list[_Segment]) -> int:
    frame = next(segment for segment in segments if segment.code in FRAMES)
    return frame.body[7] if len(frame.body) > 7 else 0


def _drop_surplus(data: bytes, problem: str, find_problem: FindProblem) -> bytes | None:
    """Drop the bytes between scans that a decoder complains of; None where that does not help."""
    found = _EXTRANEOUS.search(problem)
    if found is None or int(found[2], 16) not in _BETWEEN_SCANS:
        return None
    count, code = int(found[1]), int(found[2], 16)
    for marker in _MARKER.finditer(data):
        if marker[1][0] == code:
            shorter = data[: marker.start() - count] + data[marker.start() :]
            rest = find_problem(shorter)
            if rest is None or (rest != problem and _EXTRANEOUS.search(rest)):
                return shorter
    return None
