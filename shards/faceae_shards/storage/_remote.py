"""Places told by URLs (s3://, gs://, https://), reached through fsspec."""

import errno
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from .._errors import ShardsError

Location = Path | str
"""A path of this machine, or a URL as a str."""

MAX_REQUESTS = 32
"""That a process makes at once."""

FIRST_ANSWER_S = 10.0
"""Waited for what a server tells this process first, tries that the library repeats included. Where
nobody answers, those of S3 and Google would go on for minutes."""

_RETRY_DELAYS_S = (0.5, 2.0, 5.0)
"""Waited before a request that failed is made again. S3 and Google's libraries try again by
themselves, several times, before they tell of a failure."""
_OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {"config_kwargs": {"max_pool_connections": MAX_REQUESTS}},  # 10 by default
}
"""Of the file systems, by scheme."""
_LIBRARY_ERRORS = (
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("aiohttp", "ClientError"),
    ("gcsfs.retry", "HttpError"),
    ("google.auth.exceptions", "GoogleAuthError"),
)
"""What the libraries raise besides OSError where a server is away, or refuses."""
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
"""For servers that did not answer, by scheme."""
_BUSY_STATUS = 429
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")

T = TypeVar("T")

logging.getLogger("gcsfs").addHandler(logging.NullHandler())  # else it prints what it also raises

_answered: set[str] = set()
"""Schemes and hosts (or buckets) that have told this process something."""


class NotThere(ShardsError):
    """Nothing is at a URL."""


class AccessRefused(ShardsError):
    """A server keeps to itself what is at a URL."""


def is_url(text: str) -> bool:
    """Tell a URL from a path."""
    return _URL.match(text) is not None


def is_web(text: str) -> bool:
    """Tell the URL of a web server, which knows of no folders."""
    return text.lower().startswith(("http://", "https://"))


def parse_location(text: str) -> Location:
    """Return a URL as it is and everything else as a path."""
    return text if is_url(text) else Path(text)


def name_of(location: Location) -> str:
    """Return the last part of a location, without a query, which may hold keys."""
    if isinstance(location, Path):
        return location.resolve().name
    path = unquote(urlsplit(location).path) if is_web(location) else location
    return path.rstrip("/").rpartition("/")[2]


def connect(url: str) -> tuple[Any, str]:
    """Return the file system of a URL (an `fsspec.AbstractFileSystem`) and the path inside it.

    Keys, endpoints and the like are taken from where the library behind the scheme looks for them,
    such as AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL in the environment.

    Raises:
        ShardsError: the scheme is unknown, or the library it needs is not installed.
    """
    import fsspec  # here: it takes a tenth of a second, which a command's help need not wait for

    options = _OPTIONS.get(url.partition("://")[0], {})
    try:
        # What is listed must be what is there, not what was when somebody listed it before.
        system: tuple[Any, str] = fsspec.core.url_to_fs(url, use_listings_cache=False, **options)
        return system
    except ImportError as error:
        raise ShardsError(
            f"{url} cannot be reached ({error}); pip install 'faceae[remote]'"
        ) from error
    except ValueError as error:
        raise ShardsError(f"{url} cannot be used: {error}") from error


def ask(url: str, system: Any, question: Callable[..., T], path: str) -> T:
    """Return `question(path)`, a method of the file system of `url`.

    Raises:
        ShardsError: it would be the server's first answer, and does not come in time.
        Exception: the method's own.
    """
    from fsspec.exceptions import FSTimeoutError

    server = "/".join(url.split("/", 3)[:3])
    if server in _answered or not system.async_impl:
        return question(path)
    try:
        answer = question(path, timeout=FIRST_ANSWER_S)  # fsspec's own, for all its requests
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
    """Make one line of what a server, or the way to it, has against the block.

    Raises:
        ShardsError: naming `url`, and what happened.
        OSError: the disk of this machine is full.
    """
    try:
        yield
    except _expected_errors() as error:
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


def retry(request: Callable[[], T]) -> T:
    """Make a request, and again where it failed in a way that may pass."""
    for delay_s in _RETRY_DELAYS_S:
        try:
            return request()
        except _expected_errors() as error:
            if not _may_pass(error):
                raise
            time.sleep(delay_s)
    return request()


def _may_pass(error: Exception) -> bool:
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return status == _BUSY_STATUS or status >= 500
    aiohttp = sys.modules.get("aiohttp")
    passing = () if aiohttp is None else (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError)
    return isinstance(error, (ConnectionError, TimeoutError, *passing))


def _expected_errors() -> tuple[type[Exception], ...]:
    """Return what may be raised, of the libraries that are in use."""
    modules = [(sys.modules.get(module), name) for module, name in _LIBRARY_ERRORS]
    theirs = [getattr(module, name) for module, name in modules if module is not None]
    return (OSError, NotImplementedError, *theirs)


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]
