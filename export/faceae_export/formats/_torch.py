"""What the formats of torch have in common: the session, and zip archives with a record of ours."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from faceae.errors import FaceaeError

from .._metadata import ExportInfo
from ..sessions import to_device, to_host

METADATA_NAME = "faceae.json"


class TorchSession:
    """A module, or what was loaded of a file, in torch."""

    def __init__(
        self,
        module: Callable[..., Tensor],
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
    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        """Return the results of `inputs`; see `Session`."""
        named = self.info.feed(inputs)
        tensors = [to_device(array, self._device) for array in named.values()]
        # float32 is to mean float32 on a GPU too, as on the CPU.
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            result = self._module(*tensors)
        return to_host(result)


def encode_metadata(info: ExportInfo) -> bytes:
    """Return our record."""
    return json.dumps(info.to_metadata(), indent=1).encode()


def read_info(path: Path, needs: str, what: str) -> ExportInfo:
    """Read our record of a zip archive without running anything of it, after checking its bytes.

    Args:
        needs: end of a record's name that every archive of this format has.
        what: such an archive, for the message: "a TorchScript file".

    Raises:
        FaceaeError: cut short, damaged, of another format, or not ours.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            names = archive.namelist()
            if not any(name.endswith(needs) for name in names):
                # Another archive, or one within a file that was cut.
                raise zipfile.BadZipFile(f"no {needs}")
            ours = [name for name in names if name.endswith(f"extra/{METADATA_NAME}")]
            metadata = json.loads(archive.read(ours[0])) if ours else {}
    except (zipfile.BadZipFile, ValueError) as error:
        raise FaceaeError(
            f"{path}: cut short or not {what} (weights alone cannot be run); export the run again"
        ) from error
    if damaged is not None:
        raise FaceaeError(f"{path}: damaged at {damaged}; export the run again")
    return ExportInfo.from_metadata(path, metadata if isinstance(metadata, dict) else {})


def load_error(path: Path, device: torch.device, error: Exception) -> FaceaeError:
    """Return what to raise where torch cannot load a sound archive of ours."""
    return FaceaeError(
        f"{path}: torch cannot load it to {device.type} ({error}); export the run again, or use "
        "another --device"
    )
