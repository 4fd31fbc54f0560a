"""Running a model on a device, whatever runs it."""

from ._io_binding import BoundRuns
from ._providers import CPU, choose_providers, explain_not_loaded
from ._session import MICRO_BATCH, InPieces, Session, in_pieces
from ._transfer import to_device, to_host

__all__ = [
    "CPU",
    "MICRO_BATCH",
    "BoundRuns",
    "InPieces",
    "Session",
    "choose_providers",
    "explain_not_loaded",
    "in_pieces",
    "to_device",
    "to_host",
]
