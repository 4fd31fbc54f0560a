"""Saves and loads a model as one safetensors file with its config in the metadata."""

import dataclasses
import hashlib
import json
import logging
from pathlib import Path

import safetensors
import safetensors.torch
import torch

from faceae.errors import FaceaeError
from faceae_shards import atomic_path

from ._config import ModelConfig
from ._network import FaceAutoEncoder

log = logging.getLogger(__name__)

_METADATA_KEY = "faceae_model"
"""The only metadata key, since safetensors writes several keys in a random order."""
_VERSION = 1


def save_model(model: FaceAutoEncoder, path: Path) -> None:
    """Write `model` to `path`. The file appears complete or not at all."""
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    metadata = json.dumps({"version": _VERSION, "config": dataclasses.asdict(model.config)})
    with atomic_path(path) as part:
        part.write_bytes(safetensors.torch.save(tensors, {_METADATA_KEY: metadata}))


def load_model(path: Path, device: torch.device) -> FaceAutoEncoder:
    """Return the model stored in `path`, on `device`, in evaluation mode.

    Raises:
        FaceaeError: the file is missing, truncated, not a model of this project, of a later
            version, or its weights do not fit its config.
    """
    if not path.is_file():
        raise FaceaeError(f"{path}: no such file; `faceae train` writes a run's model.safetensors")
    log.debug("opening %s", path)
    try:
        with safetensors.safe_open(path, framework="pt", device="cpu") as file:
            config = _read_config(path, file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise FaceaeError(
            f"{path}: cut short or not a safetensors file ({error}); copy it again, "
            "or take a checkpoint's model.safetensors"
        ) from error
    # Weights on the meta device take no time and do not change the random state.
    with torch.device("meta"):
        model = FaceAutoEncoder(config)
    _check_tensors(path, model, tensors)
    model.load_state_dict(tensors, assign=True)
    return model.to(device).eval()


def weights_hash(model: FaceAutoEncoder) -> str:
    """Return the sha256 of all weights and buffers, in hex. Device and layout do not change it."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.cpu().contiguous().numpy())
    return digest.hexdigest()


def _read_config(path: Path, metadata: dict[str, str]) -> ModelConfig:
    if _METADATA_KEY not in metadata:
        raise FaceaeError(f"{path}: not a model written by faceae; give a run's model.safetensors")
    try:
        record = json.loads(metadata[_METADATA_KEY])
        version, fields = record["version"], record["config"]
        if version != _VERSION:
            raise ValueError(f"version {version}, where this faceae reads {_VERSION}")
        config = ModelConfig(**fields)
        if not all(type(fields[name]) is type(getattr(ModelConfig, name)) for name in fields):
            raise TypeError(f"of other types: {fields}")
        return config
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise FaceaeError(
            f"{path}: its model config cannot be read ({error}); use the faceae that wrote it"
        ) from error


def _check_tensors(path: Path, model: FaceAutoEncoder, tensors: dict[str, torch.Tensor]) -> None:
    expected = {name: (t.shape, t.dtype) for name, t in model.state_dict().items()}
    found = {name: (t.shape, t.dtype) for name, t in tensors.items()}
    different = sorted(
        name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)
    )
    if different:
        raise FaceaeError(
            f"{path}: {len(different)} of its tensors, the first {different[0]}, are not those of "
            f"the architecture it names ({model.config}); it was changed or made by other software"
        )
