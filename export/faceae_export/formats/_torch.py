"""The session of torch's formats, and the metadata record in their zip archives."""

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
    """A module, or a file loaded as one, run by torch."""

    def __init__(
        self,
        module: Callable[..., Tensor],
        info: ExportInfo,
        device: torch.device,
        engine: str,
    ) -> None:
        """Run `module`, which must be on `device`.

        Args:
            engine: text for `engine`, before torch's version and the device.
        """
        self._module = module
        self._device = device
        self.info = info
        self.engine = f"{engine} in torch {torch.__version__}, {device.type}"

    @torch.inference_mode()
    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        """Return the output for `inputs`; see `Session`."""
        named = self.info.feed(inputs)
        tensors = [to_device(array, self._device) for array in named.values()]
        # Full float32 on a GPU, as on the CPU.
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            result = self._module(*tensors)
        return to_host(result)


def encode_metadata(info: ExportInfo) -> bytes:
    """Return the metadata record."""
    return json.dumps(info.to_metadata(), indent=1).encode()


def read_info(path: Path, needs: str, format_title: str) -> ExportInfo:
    """Read the metadata record of a zip archive, without running any code in the archive.

    Args:
        needs: suffix of a record's name that every archive of this format contains.
        format_title: name of the format for the error message, such as "a TorchScript file".

    Raises:
        FaceaeError: the archive is truncated, damaged, of another format, or not from
            `faceae export`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            names = archive.namelist()
            if not any(name.endswith(needs) for name in names):
                # Another kind of archive, or an archive inside a truncated file.
                raise zipfile.BadZipFile(f"no {needs}")
            ours = [name for name in names if name.endswith(f"extra/{METADATA_NAME}")]
            metadata = json.loads(archive.read(ours[0])) if ours else {}
    except (zipfile.BadZipFile, ValueError) as error:
        raise FaceaeError(
            f"{path}: cut short or not {format_title} (weights alone cannot be run); export the "
            "run again"
        ) from error
    if damaged is not None:
        raise FaceaeError(f"{path}: damaged at {damaged}; export the run again")
    return ExportInfo.from_metadata(path, metadata if isinstance(metadata, dict) else {})


def load_error(path: Path, device: torch.device, error: Exception) -> FaceaeError:
    """Return an error for an undamaged archive that torch cannot load."""
    return FaceaeError(
        f"{path}: torch cannot load it to {device.type} ({error}); export the run again, or use "
        "another `device`"
    )
