"""Places told by URLs (s3://, gs://, https://), reached through fsspec."""

import re
from pathlib import Path
from typing import Any

import fsspec

from ._errors import ShardsError

Location = Path | str
"""A path of this machine, or a URL as a str."""

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
    try:
        return fsspec.core.url_to_fs(url)  # type: ignore[no-any-return]
    except ImportError as error:
        raise ShardsError(
            f"{url} cannot be reached ({error}); pip install 'faceae[remote]'"
        ) from error
    except ValueError as error:
        raise ShardsError(f"{url} cannot be used: {error}") from error
