"""Inputs a module is traced with."""

import torch
from torch import Tensor

from .._metadata import FREE, ExportInfo

_SIZE = 3
"""Of a free axis, and every value: no exporter takes it for a constant, as it may 0 and 1, or for
the two pictures of a morph."""


def example_inputs(info: ExportInfo) -> tuple[Tensor, ...]:
    """Return inputs of the right shapes and types; their values mean nothing."""
    return tuple(
        torch.full(
            [_SIZE if isinstance(size, str) else size for size in port.shape],
            _SIZE,
            dtype=getattr(torch, port.dtype),
        )
        for port in info.inputs
    )


def free_axes(info: ExportInfo, axis: object) -> tuple[dict[int, object], ...]:
    """Return torch.export's `dynamic_shapes`: `axis` wherever a size of an input is free."""
    return tuple(
        {number: axis for number, size in enumerate(port.shape) if size == FREE}
        for port in info.inputs
    )
