"""Principal components, against NumPy's; which faces they are fitted on."""

import re

import numpy as np
import pytest
import torch

from faceae.errors import FaceaeError
from faceae.evaluation import _pca, choose_faces, fit_pca
from faceae.model import to_float


def random_faces(num_faces: int, side: int = 8) -> torch.Tensor:
    """Faces that vary less and less in further directions, as photographs do."""
    rng = np.random.default_rng(0)
    directions_KD = rng.standard_normal((60, 3 * side * side))
    spread_K = 25.0 / np.arange(1, 61)
    x_ND = 127 + (rng.standard_normal((num_faces, 60)) * spread_K) @ directions_KD
    return torch.from_numpy(x_ND.clip(0, 255).astype(np.uint8)).view(-1, 3, side, side)


@pytest.mark.parametrize("num_faces", [40, 300])
def test_reconstruction_is_that_of_numpys_components(num_faces: int) -> None:
    """Fewer faces than values, and more."""
    faces = random_faces(num_faces)
    held_out = to_float(random_faces(500)[-5:])
    found = fit_pca(faces, 10).reconstruct(held_out)
    x_ND = to_float(faces).flatten(1).double().numpy()
    mean_D = x_ND.mean(axis=0)
    v_KD = np.linalg.svd(x_ND - mean_D, full_matrices=False)[2][:10]
    y_ND = held_out.flatten(1).double().numpy() - mean_D
    expected = (y_ND @ v_KD.T @ v_KD + mean_D).clip(-1, 1)
    np.testing.assert_allclose(found.flatten(1).numpy(), expected, atol=2e-4)
    assert found.shape == held_out.shape


def test_all_directions_give_the_faces_back() -> None:
    faces = random_faces(20)
    images = to_float(faces)
    torch.testing.assert_close(fit_pca(faces, 19).reconstruct(images), images, atol=1e-4, rtol=0)


def test_pixels_are_clipped() -> None:
    pca = fit_pca(random_faces(20), 1)
    images = torch.full((1, 3, 8, 8), 1.0)
    away = pca.reconstruct(images * 40)
    assert away.abs().max() == 1.0


def test_the_same_again_and_torchs_random_state_stays() -> None:
    state = torch.get_rng_state()
    first = fit_pca(random_faces(300), 5)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(7)
    assert torch.equal(fit_pca(random_faces(300), 5).components, first.components)


def test_all_faces_are_chosen_where_they_fit() -> None:
    np.testing.assert_array_equal(choose_faces(50, 32, 10), np.arange(50))


def test_a_seeded_part_of_the_faces_where_they_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pca, "_MAX_BYTES", 30 * 4 * 3 * 32**2)
    places = choose_faces(500, 32, 10)
    assert len(places) == 30
    assert np.all(np.diff(places) > 0)
    assert places[-1] > 400  # not just the first ones
    np.testing.assert_array_equal(choose_faces(500, 32, 10), places)
    assert set(choose_faces(500, 32, 10, seed=1)) != set(places)


@pytest.mark.parametrize(
    ("num_images", "num_components", "message"),
    [
        (16, 16, "needs more faces than that to be fitted on, and here are 16"),
        (5000, 4000, "of 32x32 pixels, which have only 3,072 values"),
    ],
)
def test_too_many_components_are_an_error(
    num_images: int, num_components: int, message: str
) -> None:
    with pytest.raises(FaceaeError, match=re.escape(message)) as caught:
        choose_faces(num_images, 32, num_components)
    assert "`pca=False`" in str(caught.value)
