"""First weights from a file: whole models, decoders, and files that do not fit."""

import os
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

from faceae.errors import FaceaeError
from faceae.model import FaceAutoEncoder, ModelConfig, load_initial_weights, save_model


def make(seed: int, **options: Any) -> FaceAutoEncoder:
    torch.manual_seed(seed)
    return FaceAutoEncoder(
        ModelConfig(**{"image_size": 32, "latent_size": 16, "width": 4, **options})
    )


def assert_same(left: nn.Module, right: nn.Module) -> None:
    for name, tensor in left.state_dict().items():
        assert torch.equal(tensor, right.state_dict()[name]), name


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth"])
def test_whole_model(tmp_path: Path, suffix: str) -> None:
    path, theirs, ours = tmp_path / f"weights{suffix}", make(1), make(2)
    theirs.encoder[3].running_mean += 1
    if suffix == ".safetensors":
        save_model(theirs, path)
    else:
        torch.save(theirs.state_dict(), path)
    load_initial_weights(ours.to(memory_format=torch.channels_last), path)
    assert_same(ours, theirs)
    assert ours.encoder[2].weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("keys", ["decoder.0.weight", "0.weight"])
def test_decoder_alone(tmp_path: Path, keys: str) -> None:
    theirs, ours = make(1), make(2)
    tensors = theirs.decoder.state_dict(prefix=keys.removesuffix("0.weight"))
    assert keys in tensors
    torch.save(tensors, tmp_path / "decoder.pt")
    load_initial_weights(ours, tmp_path / "decoder.pt")
    assert_same(ours.decoder, theirs.decoder)
    assert_same(ours.encoder, make(2).encoder)


def test_plain_weights_begin_a_variational_model(tmp_path: Path) -> None:
    theirs, ours = make(1), make(2, variant="variational")
    torch.save(theirs.state_dict(), tmp_path / "weights.pt")
    load_initial_weights(ours, tmp_path / "weights.pt")
    assert_same(theirs, ours)


def test_keys_and_shapes_of_the_tutorial_script(tmp_path: Path) -> None:
    """The encoder as the usual tutorial script defines it, layer by layer."""

    def conv(num_in: int, num_out: int) -> nn.Conv2d:
        return nn.Conv2d(num_in, num_out, 4, 2, 1, bias=False)

    encoder = nn.Sequential(
        *(conv(3, 64), nn.LeakyReLU(0.2)),
        *(conv(64, 128), nn.BatchNorm2d(128), nn.LeakyReLU(0.2)),
        *(conv(128, 256), nn.BatchNorm2d(256), nn.LeakyReLU(0.2)),
        *(conv(256, 512), nn.BatchNorm2d(512), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(512, 16, 4, bias=False), nn.LeakyReLU(0.2)),
    )
    torch.save(nn.ModuleDict({"encoder": encoder}).state_dict(), tmp_path / "tutorial.pth")
    ours = FaceAutoEncoder(ModelConfig(latent_size=16))
    load_initial_weights(ours, tmp_path / "tutorial.pth")
    assert_same(encoder, ours.encoder)


def renamed(tensors: dict[str, torch.Tensor], old: str, new: str) -> dict[str, torch.Tensor]:
    return {name.replace(old, new): tensor for name, tensor in tensors.items()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t, r"encoder.0.weight is 4x3x4x4 where the model's is 8x3x4x4"),
        (lambda t: renamed(t, "encoder", "module.encoder"), "the model has no module.encoder.0"),
        (lambda t: {}, "there is neither an encoder nor a decoder"),
        (lambda t: {"log_variance.weight": torch.zeros(1)}, "the model has no log_variance.weight"),
    ],
)
def test_another_architecture(tmp_path: Path, change: Any, message: str) -> None:
    ours = make(2, width=8)
    torch.save(change(make(1).state_dict()), tmp_path / "weights.pt")
    with pytest.raises(FaceaeError, match=f"not weights of this architecture: {message}"):
        load_initial_weights(ours, tmp_path / "weights.pt")
    assert_same(ours, make(2, width=8))


def test_layer_that_is_missing(tmp_path: Path) -> None:
    tensors = make(1).state_dict()
    del tensors["decoder.4.running_var"]
    torch.save(tensors, tmp_path / "weights.pt")
    with pytest.raises(FaceaeError, match=r"it has no decoder\.4\.running_var"):
        load_initial_weights(make(2), tmp_path / "weights.pt")


class Touch:
    """Runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.path}",)


def test_code_in_the_file_is_not_run(tmp_path: Path) -> None:
    torch.save({"encoder.0.weight": Touch(tmp_path / "ran")}, tmp_path / "weights.pt")
    with pytest.raises(FaceaeError, match=r"weights\.pt: cut short, or not a file of weights"):
        load_initial_weights(make(1), tmp_path / "weights.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pt"])
@pytest.mark.parametrize("keep", [0, 100, -20])
def test_truncated_file(tmp_path: Path, name: str, keep: int) -> None:
    save = safetensors.torch.save_file if name.endswith("safetensors") else torch.save
    save(make(1).state_dict(), tmp_path / name)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:keep])
    with pytest.raises(FaceaeError, match="cut short, or not a file of weights"):
        load_initial_weights(make(1), tmp_path / name)


def test_file_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(FaceaeError, match=r"nowhere\.pt: no such file"):
        load_initial_weights(make(1), tmp_path / "nowhere.pt")
    (tmp_path / "weights.h5").touch()
    with pytest.raises(FaceaeError, match=r"must end in \.safetensors, \.pt or \.pth"):
        load_initial_weights(make(1), tmp_path / "weights.h5")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(FaceaeError, match="not a state dict"):
        load_initial_weights(make(1), tmp_path / "list.pt")
