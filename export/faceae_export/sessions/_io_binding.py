"""Runs of ONNX Runtime on arrays that lie in torch's memory on the device.

Otherwise ONNX Runtime copies to and from ordinary memory, through a buffer of its own and while the
GPU waits. Tested on a CPU; it has not run on a GPU.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import onnxruntime
import torch
from numpy.typing import NDArray

from .._metadata import ExportInfo
from ._transfer import to_device, to_host


class IoBinding:
    """Runs an ONNX Runtime session with its inputs and output bound on a device."""

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        info: ExportInfo,
        device: torch.device,
        stream: "torch.cuda.Stream | None",
    ) -> None:
        """Run `session`, which computes on `device`.

        Args:
            stream: that it computes on, where `device` is a GPU: what is copied there and back is
                put in the same order.
        """
        self._session = session
        self._info = info
        self._device = device
        self._stream = stream

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        """Return the results of `inputs`; see `Session`."""
        binding = self._session.io_binding()
        output = self._info.output
        num_rows = len(inputs[0]) if self._info.is_batched else int(inputs[1])
        with self._in_order():
            kept = [
                self._bind(binding, name, array) for name, array in self._info.feed(inputs).items()
            ]
            result = torch.empty(
                (num_rows, *map(int, output.shape[1:])),
                dtype=getattr(torch, output.dtype),
                device=self._device,
            )
            binding.bind_output(
                output.name, *self._place, output.dtype, list(result.shape), result.data_ptr()
            )
            self._session.run_with_iobinding(binding)
            del kept
            return to_host(result)

    @property
    def _place(self) -> tuple[str, int]:
        return self._device.type, self._device.index or 0

    def _bind(self, binding: Any, name: str, array: NDArray[Any]) -> torch.Tensor | None:
        """Bind an input and return what must live until it was used."""
        if array.ndim == 0:
            # One number: which device needs it is the graph's affair.
            binding.bind_cpu_input(name, array)
            return None
        tensor = to_device(array, self._device).contiguous()
        binding.bind_input(name, *self._place, array.dtype, list(tensor.shape), tensor.data_ptr())
        return tensor

    def _in_order(self) -> AbstractContextManager[Any]:
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)
