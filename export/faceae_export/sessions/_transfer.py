"""Copy arrays to a device and back.

On CUDA both directions use pinned memory, which the GPU reads and writes at the full rate of the
bus. torch caches it for the next batch. The CUDA path has not run on a GPU yet.
"""

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor


def to_device(array: NDArray[Any], device: torch.device) -> Tensor:
    """Return an array as a tensor on `device`.

    On CUDA the copy is enqueued on the current stream, and may not have finished on return.
    """
    tensor = torch.from_numpy(array)
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def to_host(tensor: Tensor) -> NDArray[Any]:
    """Return a tensor as a contiguous array, once the device has computed it."""
    if tensor.device.type != "cuda":
        return tensor.cpu().contiguous().numpy()
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    host.copy_(tensor, non_blocking=True)
    torch.cuda.current_stream(tensor.device).synchronize()
    return host.numpy()
