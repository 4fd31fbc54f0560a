"""torch.export archives (.pt2), the successor of TorchScript."""

import io
import warnings
from pathlib import Path

import torch
from torch import nn
from torch.export import Dim, ExportedProgram
from torch.export.passes import move_to_device_pass

from .._metadata import ExportInfo
from ._examples import example_inputs, free_axes
from ._torch import METADATA_NAME, TorchSession, encode_metadata, load_error, read_info

_NOTES = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node")
"""torch's notes on the origin of a node, which hold source lines and paths of this machine."""


def write_pt2(module: nn.Module, info: ExportInfo, path: Path) -> None:
    """Write `module` as one .pt2 archive with a free batch size and metadata inside."""
    with torch.no_grad():
        axes = free_axes(info, Dim("batch", min=1))
        program = torch.export.export(module, example_inputs(info), dynamic_shapes=axes)
    _strip(program)
    archive = io.BytesIO()
    torch.export.save(program, archive, extra_files={METADATA_NAME: encode_metadata(info).decode()})
    path.write_bytes(archive.getvalue())


def _strip(program: ExportedProgram) -> None:
    for node in program.graph.nodes:
        for note in _NOTES:
            node.meta.pop(note, None)


def open_pt2(path: Path, device: torch.device) -> TorchSession:
    """Open an exported .pt2 archive on `device`; see `open_session`."""
    info = read_info(path, "archive_format", "a torch.export archive")
    try:
        with warnings.catch_warnings():
            # torch creates tensors on a read-only buffer, and warns about it.
            warnings.filterwarnings("ignore", "The given buffer is not writable", UserWarning)
            program = move_to_device_pass(torch.export.load(path), device)
    except RuntimeError as error:
        raise load_error(path, device, error) from error
    return TorchSession(program.module(), info, device, "torch.export")
