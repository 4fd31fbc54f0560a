"""TorchScript files and modules, run by torch.

TorchScript is deprecated in torch 2.10, and widely deployed; its warnings are silenced here alone.
"""

import io
import json
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from faceae.errors import FaceaeError

from ._info import ExportInfo

_METADATA_NAME = "faceae.json"
_EXAMPLE_FACES = 2


def write_torchscript(module: nn.Module, info: ExportInfo, path: Path) -> None:
    """Write `module`, traced and frozen, as one TorchScript archive with metadata inside."""
    example_NZ = torch.zeros(_EXAMPLE_FACES, info.model.latent_size)
    buffer = io.BytesIO()
    with torch.inference_mode(), _without_deprecation():
        script = torch.jit.freeze(torch.jit.trace(module, example_NZ))  # type: ignore[no-untyped-call]
        metadata = json.dumps(info.to_metadata(), indent=1).encode()
        torch.jit.save(script, buffer, _extra_files={_METADATA_NAME: metadata})
    _copy_without_debug(buffer, path)


def _copy_without_debug(archive: io.BytesIO, path: Path) -> None:
    """Copy without the records that tell source lines and paths of the machine it was made on."""
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(path, "w") as target:
        for record in source.infolist():
            if not record.filename.endswith(".debug_pkl"):
                target.writestr(record, source.read(record))


class TorchSession:
    """A module, or an exported TorchScript file, in torch."""

    def __init__(
        self,
        module: Callable[[Tensor], Tensor],
        info: ExportInfo,
        device: torch.device,
        engine: str,
    ) -> None:
        """Run `module`, which is on `device`."""
        self._module = module
        self._device = device
        self.info = info
        self.engine = f"{engine} in torch {torch.__version__}, {device.type}"

    @torch.inference_mode()
    def run(self, inputs: NDArray[np.float32]) -> NDArray[Any]:
        """Return the faces of `inputs`; see `Session`."""
        # float32 is to mean float32 on a GPU too, as on the CPU.
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            faces = self._module(torch.from_numpy(inputs).to(self._device))
        return faces.cpu().contiguous().numpy()


def open_torchscript(path: Path, device: torch.device) -> TorchSession:
    """Open an exported TorchScript file on `device`; see `open_session`."""
    info = ExportInfo.from_metadata(path, _read_metadata(path))
    try:
        with _without_deprecation():
            script = torch.jit.load(path, map_location=device)  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise FaceaeError(
            f"{path}: torch cannot load it to {device.type} ({error}); export the run again, or "
            "use another --device"
        ) from error
    return TorchSession(script, info, device, "TorchScript")


def _read_metadata(path: Path) -> dict[str, str]:
    """Read our record without running anything of the archive; {} where it has none."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            names = [
                name for name in archive.namelist() if name.endswith(f"extra/{_METADATA_NAME}")
            ]
            metadata = json.loads(archive.read(names[0])) if names else {}
    except (zipfile.BadZipFile, ValueError) as error:
        raise FaceaeError(
            f"{path}: cut short or not a TorchScript file; export the run again"
        ) from error
    if damaged is not None:
        raise FaceaeError(f"{path}: damaged at {damaged}; export the run again")
    return metadata if isinstance(metadata, dict) else {}


@contextmanager
def _without_deprecation() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit", DeprecationWarning)
        yield
