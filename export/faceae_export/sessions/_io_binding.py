"""Run ONNX Runtime on arrays in torch's memory on the device (IO binding).

Without IO binding ONNX Runtime copies arrays to and from pageable memory while the GPU waits.
The tests run this code on a CPU. It has not run on a GPU yet.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import onnxruntime
import torch
from numpy.typing import NDArray

from .._metadata import ExportInfo
from ._transfer import to_device, to_host


class IoBinding:
    """An ONNX Runtime session whose inputs and output are bound on a device."""

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        info: ExportInfo,
        device: torch.device,
        stream: "torch.cuda.Stream | None",
    ) -> None:
        """Bind the inputs and output of `session`, which computes on `device`.

        Args:
            stream: CUDA stream that `session` computes on. Copies to and from the device are
                enqueued on it, in order. None: `device` is no GPU.
        """
        self._session = session
        self._info = info
        self._device = device
        self._stream = stream

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        """Return the output for `inputs`; see `Session`."""
        binding = self._session.io_binding()
        with self._on_stream():
            # The inputs must live until the run has read them.
            tensors = [
                self._bind_input(binding, name, array)
                for name, array in self._info.feed(inputs).items()
            ]
            num_rows = len(inputs[0]) if self._info.is_batched else int(inputs[1])
            result = self._bind_output(binding, num_rows)
            self._session.run_with_iobinding(binding)
            del tensors
            return to_host(result)

    @property
    def _place(self) -> tuple[str, int]:
        return self._device.type, self._device.index or 0

    def _bind_input(self, binding: Any, name: str, array: NDArray[Any]) -> torch.Tensor | None:
        """Bind an input; return its tensor on the device, or None for a single number."""
        if array.ndim == 0:
            # ONNX Runtime copies a single number to where the graph needs it.
            binding.bind_cpu_input(name, array)
            return None
        tensor = to_device(array, self._device).contiguous()
        binding.bind_input(name, *self._place, array.dtype, list(tensor.shape), tensor.data_ptr())
        return tensor

    def _bind_output(self, binding: Any, num_rows: int) -> torch.Tensor:
        output = self._info.output
        shape = (num_rows, *map(int, output.shape[1:]))
        result = torch.empty(shape, dtype=getattr(torch, output.dtype), device=self._device)
        binding.bind_output(output.name, *self._place, output.dtype, list(shape), result.data_ptr())
        return result

    def _on_stream(self) -> AbstractContextManager[Any]:
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)
