"""Running a model on a device, whatever runs it."""

from ._io_binding import IoBinding
from ._providers import CPU, choose_providers, explain_not_loaded
from ._session import MICRO_BATCH, MicroBatchedSession, Session, split_into_micro_batches
from ._transfer import to_device, to_host

__all__ = [
    "CPU",
    "MICRO_BATCH",
    "IoBinding",
    "MicroBatchedSession",
    "Session",
    "choose_providers",
    "explain_not_loaded",
    "split_into_micro_batches",
    "to_device",
    "to_host",
]
