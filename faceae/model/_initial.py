"""Loads first weights from a file, which other software may have written."""

import pickle
from pathlib import Path

import safetensors
import safetensors.torch
import torch

from faceae.errors import FaceaeError

from ._network import FaceAutoEncoder

_PICKLE_SUFFIXES = (".pt", ".pth")


def load_initial_weights(model: FaceAutoEncoder, path: Path) -> None:
    """Copy the weights in `path` into `model`, on any device. Weights not in the file are kept.

    The file is a state dict: safetensors, or written by `torch.save` (.pt, .pth; only data is
    loaded from it, no code). Its keys are those of a model (`encoder.0.weight` ...), at least the
    whole encoder or decoder, or those of a decoder alone (`0.weight` ...).

    Raises:
        FaceaeError: the file cannot be read, or its weights are those of another architecture.
    """
    tensors = _read_tensors(path)
    if tensors and all(name.split(".")[0].isdecimal() for name in tensors):
        tensors = {f"decoder.{name}": tensor for name, tensor in tensors.items()}
    _check_tensors(path, model, tensors)
    model.load_state_dict(tensors, strict=False)


def _read_tensors(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise FaceaeError(f"`init` {path}: no such file")
    try:
        if path.suffix == ".safetensors":
            tensors: object = safetensors.torch.load_file(path)
        elif path.suffix in _PICKLE_SUFFIXES:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
        else:
            raise FaceaeError(f"`init` {path}: must end in .safetensors, .pt or .pth")
    except (
        EOFError,
        OSError,
        RuntimeError,
        pickle.UnpicklingError,
        safetensors.SafetensorError,
    ) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise FaceaeError(
            f"`init` {path}: cut short, or not a file of weights only ({reason}); "
            "save model.state_dict() again"
        ) from error
    if not isinstance(tensors, dict) or not all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor)
        for name, tensor in tensors.items()
    ):
        raise FaceaeError(f"`init` {path}: not a state dict; save model.state_dict()")
    return tensors


def _check_tensors(path: Path, model: FaceAutoEncoder, tensors: dict[str, torch.Tensor]) -> None:
    """Raise FaceaeError that names the first weight that does not fit, in the model's order."""
    expected = model.state_dict()
    unknown = next((name for name in tensors if name not in expected), None)
    if unknown is not None:
        raise _mismatch(path, model, f"the model has no {unknown}")
    parts = {name.split(".")[0] for name in tensors}
    if not parts & {"encoder", "decoder"}:
        raise _mismatch(path, model, "there is neither an encoder nor a decoder")
    for name, weight in expected.items():
        if name.split(".")[0] not in parts:
            continue
        if name not in tensors:
            raise _mismatch(path, model, f"it has no {name}")
        if tensors[name].shape != weight.shape:
            what = f"{name} is {_shape(tensors[name])} where the model's is {_shape(weight)}"
            raise _mismatch(path, model, what)


def _mismatch(path: Path, model: FaceAutoEncoder, what: str) -> FaceaeError:
    return FaceaeError(
        f"`init` {path}: not weights of this architecture: {what} ({model.config}); "
        "choose `image_size`, `latent_size` and `width` as the weights have them"
    )


def _shape(tensor: torch.Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"
