"""The file of a model, its hash, and files that are damaged or foreign."""

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import safetensors.torch
import torch

from faceae.errors import FaceaeError
from faceae.model import FaceAutoEncoder, ModelConfig, Variant, load_model, save_model, weights_hash

CPU = torch.device("cpu")
SMALL = ModelConfig(image_size=32, latent_size=16, width=4)


@pytest.fixture
def model() -> FaceAutoEncoder:
    torch.manual_seed(0)
    return FaceAutoEncoder(SMALL)


@pytest.fixture
def saved(model: FaceAutoEncoder, tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_model(model, path)
    return path


def test_round_trip(model: FaceAutoEncoder, saved: Path) -> None:
    loaded = load_model(saved, CPU)
    assert loaded.config == SMALL
    assert not loaded.training
    assert all(parameter.requires_grad for parameter in loaded.parameters())
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    assert weights_hash(loaded) == weights_hash(model)


def test_channels_last_weights_are_saved_in_plain_order(
    model: FaceAutoEncoder, saved: Path
) -> None:
    before = saved.read_bytes()
    save_model(model.to(memory_format=torch.channels_last), saved)
    assert saved.read_bytes() == before


def test_loading_leaves_the_random_state_alone(saved: Path) -> None:
    before = torch.get_rng_state()
    load_model(saved, CPU)
    assert torch.equal(torch.get_rng_state(), before)


def test_hash_sees_one_changed_weight_and_one_changed_buffer(model: FaceAutoEncoder) -> None:
    hashes = {weights_hash(model)}
    with torch.no_grad():
        model.encoder[0].weight[0, 0, 0, 0] += 1e-6
    hashes.add(weights_hash(model))
    model.encoder[3].running_mean[0] += 1e-6
    hashes.add(weights_hash(model))
    assert len(hashes) == 3


@pytest.mark.parametrize("variant", get_args(Variant))
def test_variant_comes_back(tmp_path: Path, variant: Variant) -> None:
    torch.manual_seed(0)
    model = FaceAutoEncoder(replace(SMALL, variant=variant)).eval()
    save_model(model, tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors", CPU)
    assert loaded.config.variant == variant
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(loaded(images), model(images))


def test_files_from_before_the_variants_are_plain(saved: Path) -> None:
    rewrite(saved, {"version": 1, "config": SMALL_FIELDS})
    assert load_model(saved, CPU).config.variant == "plain"


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FaceaeError, match=r"nowhere\.safetensors: no such file; `faceae train`"):
        load_model(tmp_path / "nowhere.safetensors", CPU)


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_truncated_file(saved: Path, keep: int) -> None:
    saved.write_bytes(saved.read_bytes()[:keep])
    with pytest.raises(FaceaeError, match=r"model\.safetensors: cut short or not a safetensors"):
        load_model(saved, CPU)


def test_file_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "photo.safetensors"
    path.write_bytes(b"<html>Quota exceeded</html>" * 10)
    with pytest.raises(FaceaeError, match="not a safetensors file"):
        load_model(path, CPU)


def test_safetensors_of_other_software(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    safetensors.torch.save_file({"weight": torch.zeros(3)}, path, {"format": "pt"})
    with pytest.raises(FaceaeError, match="not a model written by faceae"):
        load_model(path, CPU)


SMALL_FIELDS = {"image_size": 32, "latent_size": 16, "width": 4}


def rewrite(path: Path, record: object) -> None:
    """Write the file again with another record of its config."""
    tensors = safetensors.torch.load_file(path)
    safetensors.torch.save_file(tensors, path, {"faceae_model": json.dumps(record)})


def test_later_format_version(saved: Path) -> None:
    rewrite(saved, {"version": 2, "config": SMALL_FIELDS})
    with pytest.raises(FaceaeError, match="version 2, where this faceae reads 1"):
        load_model(saved, CPU)


@pytest.mark.parametrize(
    "record",
    [
        [],
        {"version": 1},
        {"version": 1, "config": []},
        {"version": 1, "config": SMALL_FIELDS | {"image_size": 48}},
        {"version": 1, "config": SMALL_FIELDS | {"depth": 3}},
        {"version": 1, "config": SMALL_FIELDS | {"width": "4"}},
        {"version": 1, "config": SMALL_FIELDS | {"variant": "gan"}},
        {"version": 1, "config": SMALL_FIELDS | {"variant": 1}},
        {"version": 1, "config": SMALL_FIELDS | {"width": 4.0}},
    ],
)
def test_unreadable_config(saved: Path, record: object) -> None:
    rewrite(saved, record)
    with pytest.raises(FaceaeError, match="its model config cannot be read"):
        load_model(saved, CPU)


def test_weights_of_another_architecture(saved: Path) -> None:
    rewrite(saved, {"version": 1, "config": SMALL_FIELDS | {"width": 8}})
    with pytest.raises(FaceaeError, match=r"not those of the architecture .*width=8"):
        load_model(saved, CPU)


def test_save_that_fails_keeps_the_old_file(
    model: FaceAutoEncoder, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()

    def full_disk(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full_disk)
        with pytest.raises(OSError, match="No space"):
            save_model(FaceAutoEncoder(SMALL), saved)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
