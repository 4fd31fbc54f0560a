"""Sessions: run a model on a device, in any engine."""

from ._errors import ENGINE_ERRORS, explain_gpu_failure, is_gpu_failure, summarise
from ._io_binding import IoBinding
from ._providers import CPU, Providers, choose_providers, explain_not_loaded
from ._session import (
    CPU_MICRO_BATCH,
    GPU_MICRO_BATCH,
    MicroBatchedSession,
    Session,
    split_into_micro_batches,
)
from ._transfer import to_device, to_host

__all__ = [
    "CPU",
    "CPU_MICRO_BATCH",
    "ENGINE_ERRORS",
    "GPU_MICRO_BATCH",
    "IoBinding",
    "MicroBatchedSession",
    "Providers",
    "Session",
    "choose_providers",
    "explain_gpu_failure",
    "explain_not_loaded",
    "is_gpu_failure",
    "split_into_micro_batches",
    "summarise",
    "to_device",
    "to_host",
]
