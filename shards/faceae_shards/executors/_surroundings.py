"""What must be the same on every machine of a cluster: versions of libraries, and visible files."""

import importlib.metadata
import socket
from dataclasses import dataclass
from pathlib import Path

from .._errors import ShardsError

_LIBRARIES = ("faceae", "pillow", "simplejpeg", "cykooz-resizer")
"""The bytes of a shard depend on the versions of these."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What must be the same wherever a task runs."""

    versions: dict[str, str]
    paths: tuple[Path, ...]
    """Files and folders that every machine must see."""

    def check(self) -> None:
        """Compare with the machine that this process runs on.

        Raises:
            ShardsError: a version differs, or a path is missing.
        """
        here = socket.gethostname()
        for name, version in get_versions().items():
            if version != self.versions[name]:
                raise ShardsError(
                    f"{here} has {name} {version}, but the machine where faceae was started has "
                    f"{self.versions[name]}; install the same versions on all machines of the "
                    "cluster"
                )
        for path in self.paths:
            if not path.exists():
                raise ShardsError(
                    f"{here} does not see {path}; with Ray, all files and folders must lie where "
                    "every machine of the cluster sees them, or at URLs"
                )


def get_versions() -> dict[str, str]:
    """Return the installed versions of the libraries that shape a shard's bytes."""
    return {name: _find_version(name) for name in _LIBRARIES}


def _find_version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:  # cykooz-resizer, for Linux on ARM
        return "(not installed)"
