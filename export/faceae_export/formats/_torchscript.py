"""TorchScript files.

TorchScript is deprecated in torch 2.10, but widely deployed. Its deprecation warnings are silenced
in this module only.
"""

import io
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from .._metadata import ExportInfo
from ._examples import example_inputs
from ._torch import METADATA_NAME, TorchSession, encode_metadata, load_error, read_info

_DEBUG_RECORDS = (".debug_pkl", ".data/serialization_id")


def write_torchscript(module: nn.Module, info: ExportInfo, path: Path) -> None:
    """Write `module`, traced and frozen, as one TorchScript archive with metadata inside."""
    buffer = io.BytesIO()
    with torch.inference_mode(), _without_deprecation():
        traced = torch.jit.trace(module, example_inputs(info))  # type: ignore[no-untyped-call]
        script = torch.jit.freeze(traced)
        torch.jit.save(script, buffer, _extra_files={METADATA_NAME: encode_metadata(info)})
    _copy_without_debug(buffer, path)


def _copy_without_debug(archive: io.BytesIO, path: Path) -> None:
    """Copy an archive without its debug records: source lines and paths of this machine.

    The serialization id is a hash of all records, these included, so it is left out, too.
    """
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(path, "w") as target:
        for record in source.infolist():
            if not record.filename.endswith(_DEBUG_RECORDS):
                target.writestr(record, source.read(record))


def open_torchscript(path: Path, device: torch.device) -> TorchSession:
    """Open an exported TorchScript file on `device`; see `open_session`."""
    info = read_info(path, "constants.pkl", "a TorchScript file")
    try:
        with _without_deprecation():
            script = torch.jit.load(path, map_location=device)  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise load_error(path, device, error) from error
    return TorchSession(script, info, device, "TorchScript")


@contextmanager
def _without_deprecation() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit", DeprecationWarning)
        yield
