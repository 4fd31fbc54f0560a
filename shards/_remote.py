"""Places told by URLs (s3://, gs://, https://), reached through fsspec."""

import errno
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ._errors import ShardsError

Location = Path | str
"""A path of this machine, or a URL as a str."""

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
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def parse_location(text: str) -> Location:
    """Return a URL as it is and everything else as a path."""
    return text if _URL.match(text) else Path(text)


def connect(url: str) -> tuple[Any, str]:
    """Return the file system of a URL (an `fsspec.AbstractFileSystem`) and the path inside it.

    Keys, endpoints and the like are taken from where the library behind the scheme looks for them,
    such as AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL in the environment.

    Raises:
        ShardsError: the scheme is unknown, or the library it needs is not installed.
    """
    import fsspec  # here: it takes a tenth of a second, which a command's help need not wait for

    try:
        return fsspec.core.url_to_fs(url, use_listings_cache=False)  # type: ignore[no-any-return]
    except ImportError as error:
        raise ShardsError(
            f"{url} cannot be reached ({error}); pip install 'faceae[remote]'"
        ) from error
    except ValueError as error:
        raise ShardsError(f"{url} cannot be used: {error}") from error


@contextmanager
def explain_errors(url: str) -> Iterator[None]:
    """Make one line of what a server, or the way to it, has against the block.

    Raises:
        ShardsError: naming `url`, and what happened.
        OSError: the disk of this machine is full.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise ShardsError(f"{url} does not exist ({_first_line(error)}); {_REMEDY}") from error
    except PermissionError as error:
        raise ShardsError(f"{url}: access is refused ({_first_line(error)}); {_REMEDY}") from error
    except _expected_errors() as error:
        if getattr(error, "errno", None) in _OF_THIS_DISK:
            raise
        raise ShardsError(f"{url}: {_first_line(error)}; {_REMEDY}") from error


def _expected_errors() -> tuple[type[Exception], ...]:
    """Return what may be raised, of the libraries that are in use."""
    modules = [(sys.modules.get(module), name) for module, name in _LIBRARY_ERRORS]
    theirs = [getattr(module, name) for module, name in modules if module is not None]
    return (OSError, NotImplementedError, *theirs)


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]
