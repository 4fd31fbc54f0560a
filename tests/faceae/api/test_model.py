"""A trained model from Python: arrays and paths in, arrays out."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import faceae
from faceae.errors import FaceaeError
from faceae.framing import read_face


def test_sizes(model: faceae.FaceModel) -> None:
    assert (model.image_size, model.latent_size) == (32, 16)


def test_encode_decode_reconstruct(model: faceae.FaceModel, photos: list[str]) -> None:
    latents = model.encode(photos)
    assert (latents.shape, latents.dtype) == ((3, 16), np.float32)
    faces = model.decode(latents)
    assert (faces.shape, faces.dtype) == ((3, 32, 32, 3), np.uint8)
    assert np.array_equal(model.reconstruct(photos), faces)


def test_paths_and_arrays_are_the_same_images(model: faceae.FaceModel, photos: list[str]) -> None:
    by_path = model.encode(photos)
    arrays = np.stack([read_face(Path(photo), 32) for photo in photos])
    assert np.allclose(model.encode(arrays), by_path, atol=1e-5)
    assert np.allclose(model.encode(list(arrays)), by_path, atol=1e-5)
    assert np.allclose(model.encode(photos[0]), by_path[:1], atol=1e-5)
    assert np.allclose(model.encode(Path(photos[0])), by_path[:1], atol=1e-5)


def test_an_array_of_another_size_is_scaled(model: faceae.FaceModel, photos: list[str]) -> None:
    from PIL import Image

    array = np.asarray(Image.open(photos[0]).convert("RGB"))
    assert array.shape == (218, 178, 3)
    assert np.allclose(model.encode(array), model.encode(photos[0]), atol=1e-3)


def test_many_images_are_those_of_one_at_a_time(model: faceae.FaceModel) -> None:
    images = np.random.default_rng(0).integers(0, 256, (70, 32, 32, 3), np.uint8)
    together = model.encode(images)
    assert np.allclose(together[65:], model.encode(images[65:]), atol=1e-5)


def test_generate_is_that_of_the_command_line(
    model: faceae.FaceModel, api_run: str, tmp_path: Path
) -> None:
    from faceae.cli import run

    faces = model.generate(5, seed=3, start=2, truncation=0.8)
    assert faces.shape == (5, 32, 32, 3)
    assert np.array_equal(model.generate(3, seed=3, start=4, truncation=0.8), faces[2:])
    out = tmp_path / "faces.npy"
    options = ["-n", "5", "--seed", "3", "--start", "2", "--truncation", "0.8", "--device", "cpu"]
    assert run(["generate", api_run, str(out), *options]) == 0
    assert np.array_equal(np.load(out), faces)


def test_morph_goes_from_one_reconstruction_to_the_other(
    model: faceae.FaceModel, photos: list[str]
) -> None:
    frames = model.morph(photos[0], photos[1], frames=5)
    ends = model.reconstruct(photos[:2])
    assert frames.shape == (5, 32, 32, 3)
    assert np.abs(frames[[0, -1]].astype(int) - ends).max() <= 1


def test_morph_through_several_faces_along_the_prior(
    model: faceae.FaceModel, photos: list[str]
) -> None:
    frames = model.morph(*photos[:2], frames=7, then=photos[2:], interpolation="prior", ease=True)
    assert np.abs(frames[[0, 3, 6]].astype(int) - model.reconstruct(photos)).max() <= 1


def test_nothing_in_nothing_out(model: faceae.FaceModel) -> None:
    assert model.decode(np.empty((0, 16))).shape == (0, 32, 32, 3)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("nowhere.jpg", "nowhere.jpg"),
        (np.zeros((32, 32)), "uint8"),
        (np.zeros((32, 32, 4), np.uint8), "32 x 32 x 4"),
        (np.zeros((0, 32, 3), np.uint8), "0 x 32 x 3"),
        (np.zeros((32, 32, 3), np.float32), "float32"),
    ],
)
def test_bad_images(model: faceae.FaceModel, image: object, message: str) -> None:
    with pytest.raises((FaceaeError, OSError), match=message):
        model.encode([image])  # type: ignore[list-item]


@pytest.mark.parametrize(
    "latents", [np.zeros((2, 15)), np.zeros((1, 1, 16)), np.full((1, 16), np.nan)]
)
def test_bad_latents(model: faceae.FaceModel, latents: np.ndarray) -> None:
    with pytest.raises(FaceaeError, match="`latents`"):
        model.decode(latents)


@pytest.mark.parametrize("options", [{"count": 0}, {"count": 1, "seed": -1}])
def test_bad_counts(model: faceae.FaceModel, options: dict[str, int]) -> None:
    with pytest.raises(FaceaeError, match="`count`"):
        model.generate(**options)


def test_load_where_there_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(FaceaeError, match=str(tmp_path)):
        faceae.load(str(tmp_path))


def test_generate_without_fitted_latents(api_run: str, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(api_run, tmp_path / "run")
    (tmp_path / "run" / "latents.safetensors").unlink()
    unfitted = faceae.load(tmp_path / "run", device="cpu")
    with pytest.raises(FaceaeError, match="fit"):
        unfitted.generate(1)


def test_a_device_that_is_not_there(api_run: str) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(FaceaeError, match="cuda"):
        faceae.load(api_run, device="cuda")


def test_names_are_loaded_when_used() -> None:
    code = (
        "import sys, faceae; assert 'torch' not in sys.modules; "
        "assert set(faceae.__all__) <= set(dir(faceae)); "
        "faceae.load; assert 'torch' in sys.modules; assert faceae.__version__"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
