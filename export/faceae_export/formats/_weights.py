"""The decoder's weights alone, for code that defines the network: .pt and .safetensors.

The names of the tensors are those of the decoder as an `nn.Sequential`: `0.weight`, `1.weight`,
`1.bias`, ...
"""

import io
import json
import zipfile
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from faceae.model import FaceAutoEncoder

from .._metadata import ExportInfo
from ..graph import Decoder, Network, split_layers
from ._torch import METADATA_NAME, TorchSession, encode_metadata, read_info

SAFETENSORS_SUFFIX = ".safetensors"
_METADATA_KEY = "faceae_export"


def write_weights(module: nn.Module, info: ExportInfo, path: Path) -> None:
    """Write the weights of a `Decoder` whose network was not rewritten, with metadata.

    The suffix of `path` selects the format. A .pt holds a dict of tensors, for
    `torch.load(path, weights_only=True)`.
    """
    assert isinstance(module, Decoder)
    decoder = nn.Sequential(*(part for layer in module.decoder for part in layer.children()))
    tensors = {name: tensor.contiguous() for name, tensor in decoder.state_dict().items()}
    if path.suffix.lower() == SAFETENSORS_SUFFIX:
        metadata = {_METADATA_KEY: json.dumps(info.to_metadata())}
        path.write_bytes(safetensors.torch.save(tensors, metadata))
        return
    archive = io.BytesIO()
    torch.save(tensors, archive)
    with zipfile.ZipFile(archive, "a") as records:
        record = zipfile.ZipInfo(f"archive/extra/{METADATA_NAME}")  # without today's date
        records.writestr(record, encode_metadata(info))
    path.write_bytes(archive.getvalue())


def open_weights(path: Path, device: torch.device) -> TorchSession:
    """Load the weights into a decoder of the architecture in the metadata, to check them."""
    info, tensors = _read(path)
    with torch.device("meta"):
        decoder = FaceAutoEncoder(info.model).decoder
    decoder.load_state_dict(tensors, assign=True)
    network = Network(encoder=nn.Sequential(), decoder=split_layers(decoder))
    return TorchSession(Decoder(network).to(device), info, device, "the weights in a decoder")


def _read(path: Path) -> tuple[ExportInfo, dict[str, Tensor]]:
    if path.suffix.lower() != SAFETENSORS_SUFFIX:
        tensors = torch.load(path, weights_only=True)
        return read_info(path, "data.pkl", "a file of weights"), tensors
    with safetensors.safe_open(path, framework="pt") as file:
        metadata = json.loads(file.metadata()[_METADATA_KEY])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return ExportInfo.from_metadata(path, metadata), tensors
