"""Arrays to a device and back. What concerns GPUs has not run on one.

On CUDA both ways lead through page-locked memory, which the GPU copies from and to by itself, at
the full rate of the bus; torch keeps it for the next batch.
"""

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor


def to_device(array: NDArray[Any], device: torch.device) -> Tensor:
    """Return an array as a tensor on `device`; on CUDA it may still be on its way there, in the
    order of the current stream."""
    tensor = torch.from_numpy(array)
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def to_host(tensor: Tensor) -> NDArray[Any]:
    """Return a tensor as a contiguous array, when all that it follows from is computed."""
    if tensor.device.type != "cuda":
        return tensor.cpu().contiguous().numpy()
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    host.copy_(tensor, non_blocking=True)
    torch.cuda.current_stream(tensor.device).synchronize()
    return host.numpy()
