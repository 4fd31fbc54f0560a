"""Files at URLs (s3://, gs://, https://), through fsspec.

fsspec is imported where it is used: the import takes a tenth of a second, which neither the help of
a command nor a worker that reads local files should wait for.
"""

import errno
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from .._errors import ShardsError

Location = Path | str
"""A path on this machine, or a URL as a str."""

MAX_REQUESTS = 32
"""Requests that a process makes at once."""

FIRST_ANSWER_S = 10.0
"""Longest wait for a server's first answer to this process, the library's own retries included.
Without this limit the S3 and Google libraries retry for minutes where nobody answers."""

_PACKAGES = {
    **dict.fromkeys(("s3", "s3a", "gs", "gcs", "http", "https"), "'faceae[remote]'"),
    "hf": "huggingface_hub",
    **dict.fromkeys(("az", "abfs", "abfss", "adl"), "adlfs"),
}
"""What to install for a scheme."""
_TRIED_SCHEMES = frozenset({"s3", "gs", "http", "https", "memory", "file"})
"""Schemes whose libraries' exceptions are known; with others every exception is an answer."""
_RETRY_DELAYS_S = (0.5, 2.0, 5.0)
"""Waits before each retry of a failed request. The S3 and Google libraries retry several times by
themselves before they report a failure."""
_OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {"config_kwargs": {"max_pool_connections": MAX_REQUESTS}},  # 10 by default
}
"""Arguments of the file systems, by scheme."""
_LIBRARY_ERRORS = (
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("aiohttp", "ClientError"),
    ("gcsfs.retry", "HttpError"),
    ("google.auth.exceptions", "GoogleAuthError"),
)
"""Exceptions besides OSError that the libraries raise where a server is away or refuses."""
_OF_THIS_DISK = (errno.ENOSPC, errno.EDQUOT)
_REMEDY = "check the address, the keys and the network, then run the same command again"
_CREDENTIALS_REMEDY = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or FSSPEC_S3_ANON=true for a public bucket"
)
_SILENT_REMEDIES = {
    "s3": "check AWS_ENDPOINT_URL, AWS_REGION and the network",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS, or FSSPEC_GS_TOKEN=anon for a public bucket, and "
    "check the network",
}
"""Remedies for servers that do not answer, by scheme."""
_BUSY_STATUS = 429
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")

T = TypeVar("T")

logging.getLogger("gcsfs").addHandler(
    logging.NullHandler()
)  # else it prints the errors that it also raises

_answered: set[str] = set()
"""Schemes and hosts (or buckets) that have answered this process."""


class NotThere(ShardsError):
    """Nothing is at a URL."""


class AccessRefused(ShardsError):
    """A server refuses access to a URL."""


def is_url(text: str) -> bool:
    """Return whether a text is a URL, not a path."""
    return _URL.match(text) is not None


def is_web(text: str) -> bool:
    """Return whether a URL is on a web server, which lists no folders."""
    return text.lower().startswith(("http://", "https://"))


def parse_location(text: str) -> Location:
    """Return a URL unchanged and any other text as a path."""
    return text if is_url(text) else Path(text)


def name_of(location: Location) -> str:
    """Return the last part of a location, without its query, which may hold keys."""
    if isinstance(location, Path):
        return location.resolve().name
    path = unquote(urlsplit(location).path) if is_web(location) else location
    return path.rstrip("/").rpartition("/")[2]


def connect(url: str) -> tuple[Any, str]:
    """Return the file system of a URL (an `fsspec.AbstractFileSystem`) and the path in it.

    The library behind the scheme finds keys and endpoints by its own rules, for example in the
    environment variables AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL.

    Raises:
        ShardsError: the scheme is unknown, or the library it needs is not installed.
    """
    import fsspec

    options = _OPTIONS.get(url.partition("://")[0], {})
    try:
        # Every listing must be current, so that none is taken from a cache.
        system: tuple[Any, str] = fsspec.core.url_to_fs(url, use_listings_cache=False, **options)
        return system
    except ImportError as error:
        raise ShardsError(f"{url} cannot be reached: {_name_missing(url, error)}") from error
    except ValueError as error:
        raise ShardsError(f"{url} cannot be used: {error}") from error


def _name_missing(url: str, error: ImportError) -> str:
    """Return what to install for a scheme whose library is missing."""
    scheme = url.partition("://")[0]
    if scheme in _PACKAGES:
        return f"{error}; pip install {_PACKAGES[scheme]}"
    return str(error)  # fsspec's own words name the package


def ask(url: str, system: Any, question: Callable[..., T], path: str) -> T:
    """Return `question(path)`, where `question` is a method of the file system of `url`.

    Raises:
        ShardsError: the server has never answered, and does not within `FIRST_ANSWER_S`.
        Exception: as the method raises it.
    """
    from fsspec.exceptions import FSTimeoutError

    server = "/".join(url.split("/", 3)[:3])
    if server in _answered or not system.async_impl:
        return question(path)
    try:
        answer = question(path, timeout=FIRST_ANSWER_S)  # for all requests that fsspec makes
    except FSTimeoutError as error:
        remedy = _SILENT_REMEDIES.get(url.partition("://")[0], "check the address and the network")
        raise ShardsError(
            f"{url}: no answer within {FIRST_ANSWER_S:g} s; {remedy}, then run the same command "
            "again"
        ) from error
    _answered.add(server)
    return answer


@contextmanager
def explain_errors(url: str) -> Iterator[None]:
    """Turn errors of a server or of the network in the block into one line.

    Raises:
        ShardsError: naming `url` and the error.
        OSError: the disk of this machine is full.
    """
    try:
        yield
    except _get_errors(url) as error:
        if isinstance(error, ShardsError):
            raise
        if getattr(error, "errno", None) in _OF_THIS_DISK:
            raise
        text, status = _first_line(error), getattr(error, "status", None)
        if isinstance(error, FileNotFoundError) or status in (404, 410):
            raise NotThere(f"{url} does not exist ({text}); {_REMEDY}") from error
        if isinstance(error, PermissionError) or status in (401, 403):
            raise AccessRefused(f"{url}: access is refused ({text}); {_REMEDY}") from error
        lacks_keys = type(error).__name__ == "NoCredentialsError"
        remedy = _CREDENTIALS_REMEDY if lacks_keys else _REMEDY
        raise ShardsError(f"{url}: {text}; {remedy}") from error


def _get_errors(url: str) -> tuple[type[Exception], ...]:
    return _expected_errors() if url.partition("://")[0] in _TRIED_SCHEMES else (Exception,)


def retry(request: Callable[[], T]) -> T:
    """Make a request; repeat it after failures that may be temporary."""
    for delay_s in _RETRY_DELAYS_S:
        try:
            return request()
        except _expected_errors() as error:
            if not _may_pass(error):
                raise
            time.sleep(delay_s)
    return request()


def merge_ranges(
    ranges: Sequence[tuple[str, int, int]], *, max_gap: int, max_block: int
) -> list[tuple[str, int, int]]:
    """Merge neighbouring parts of files; return the merged parts, sorted.

    Args:
        ranges: file name, start and stop in bytes.
        max_gap: largest number of bytes between two parts that are merged.
        max_block: largest size in bytes of a merged part.
    """
    from fsspec.utils import merge_offset_ranges

    if not ranges:
        return []
    names, starts, stops = map(list, zip(*ranges, strict=True))
    merged = merge_offset_ranges(names, starts, stops, max_gap=max_gap, max_block=max_block)
    return list(zip(*merged, strict=True))


def _may_pass(error: Exception) -> bool:
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return status == _BUSY_STATUS or status >= 500
    aiohttp = sys.modules.get("aiohttp")
    passing = () if aiohttp is None else (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError)
    return isinstance(error, (ConnectionError, TimeoutError, *passing))


def _expected_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that the imported libraries may raise."""
    modules = [(sys.modules.get(module), name) for module, name in _LIBRARY_ERRORS]
    theirs = [getattr(module, name) for module, name in modules if module is not None]
    return (OSError, NotImplementedError, *theirs)


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]
