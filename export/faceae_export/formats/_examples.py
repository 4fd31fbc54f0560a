"""Example inputs to trace a module with."""

import torch
from torch import Tensor

from .._metadata import FREE, ExportInfo

_SIZE = 3
"""Size of a free axis, and every value. Exporters may treat 0 and 1 as constants, and 2 is the
number of a morph's pictures."""


def example_inputs(info: ExportInfo) -> tuple[Tensor, ...]:
    """Return inputs of the right shapes and dtypes, with arbitrary values."""
    return tuple(
        torch.full(
            [_SIZE if isinstance(size, str) else size for size in port.shape],
            _SIZE,
            dtype=getattr(torch, port.dtype),
        )
        for port in info.inputs
    )


def free_axes(info: ExportInfo, axis: object) -> tuple[dict[int, object], ...]:
    """Return torch.export's `dynamic_shapes`: `axis` for each free axis of an input."""
    return tuple(
        {number: axis for number, size in enumerate(port.shape) if size == FREE}
        for port in info.inputs
    )
