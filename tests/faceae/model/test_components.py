"""First weights from principal components reconstruct what PCA does."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from faceae.model import FaceAutoEncoder, ModelConfig, _principal, start_from_components, to_float

GAIN = 1.2
"""Of the last layer."""


def make(**options: Any) -> FaceAutoEncoder:
    torch.manual_seed(0)
    model = FaceAutoEncoder(
        ModelConfig(**{"image_size": 32, "latent_size": 24, "width": 16, **options})
    )
    return model.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]


def draw_faces(count: int, num_patterns: int, *, seed: int = 0) -> Tensor:
    """Mixtures of so many smooth coloured patterns, each weaker than the one before; uint8."""
    generator = torch.Generator().manual_seed(seed)
    patterns = torch.randn(num_patterns, 3, 6, 6, generator=torch.Generator().manual_seed(9))
    patterns = nn.functional.interpolate(patterns, 32, mode="bicubic")
    strengths = 0.93 ** torch.arange(num_patterns)
    weights = torch.randn(count, num_patterns, generator=generator) * strengths
    mixed = torch.einsum("np,pchw->nchw", weights, patterns)
    return (127.5 + 20.0 * mixed).round().clamp(0, 255).to(torch.uint8)


def linear_output(model: FaceAutoEncoder, images: Tensor) -> Tensor:
    """Reconstructions without what the gain and tanh do to them."""
    with torch.no_grad():
        return torch.atanh(model(to_float(images))) / GAIN


def pca_output(faces: Tensor, images: Tensor, num_components: int) -> Tensor:
    """What PCA of the faces and their mirror images keeps of others."""
    x_ND = to_float(torch.cat([faces, faces.flip(3)])).flatten(1).double()
    mean_D = x_ND.mean(0)
    _, _, components_KD = torch.linalg.svd(x_ND - mean_D, full_matrices=False)
    kept_KD = components_KD[:num_components]
    y_ND = to_float(images).flatten(1).double() - mean_D
    return ((y_ND @ kept_KD.T) @ kept_KD + mean_D).float().view(images.shape)


def psnr_db(left: Tensor, right: Tensor) -> float:
    return 10.0 * math.log10(4.0 / (left - right).square().mean().item())


def test_reconstructs_what_pca_does() -> None:
    faces, others = draw_faces(300, 60), draw_faces(50, 60, seed=1)
    model = make()
    assert start_from_components(model, faces.split(64)) == 23
    expected = pca_output(faces, others, 23)
    # The stages keep fewer features than a block has values, so the directions differ a little.
    least_db = psnr_db(expected, to_float(others)) - 0.3
    assert psnr_db(linear_output(model, others), to_float(others)) > least_db
    all_db = psnr_db(pca_output(faces, others, 60), to_float(others))
    assert all_db > least_db + 3.0, "else any 23 directions would do"


@pytest.mark.parametrize(("size", "rank"), [(200, 40), (60, 60)])
def test_eigenpairs_of_a_gpu_are_those_of_the_covariance(size: int, rank: int) -> None:
    """The way that is taken on a GPU, on the CPU."""
    generator = torch.Generator().manual_seed(0)
    basis_DD, _ = torch.linalg.qr(torch.randn(size, size, generator=generator))
    variance_D = 0.8 ** torch.arange(size)
    covariance_DD = basis_DD * variance_D @ basis_DD.T
    torch.manual_seed(1)
    found_K, found_DK = _principal._leading_eigenpairs(covariance_DD, rank)
    torch.testing.assert_close(found_K[:20], variance_D[:20], rtol=1e-4, atol=1e-6)
    aligned_KK = (found_DK[:, :20].T @ basis_DD[:, :20]).abs()
    torch.testing.assert_close(aligned_KK, torch.eye(20), rtol=0, atol=2e-3)
    assert found_K.min() >= 0


def test_first_weights_of_a_gpu_reconstruct_as_those_of_the_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    faces = draw_faces(300, 60)
    on_cpu, as_on_gpu = make(), make()
    start_from_components(on_cpu, [faces])

    def svd_lowrank(matrix: Tensor, q: int, niter: int) -> tuple[Tensor, Tensor, None]:
        values, vectors = _principal._leading_eigenpairs(matrix, q)
        return vectors, values, None

    monkeypatch.setattr(torch, "svd_lowrank", svd_lowrank)
    start_from_components(as_on_gpu, [faces])
    assert psnr_db(linear_output(on_cpu, faces), linear_output(as_on_gpu, faces)) > 60.0


def test_training_mode_begins_with_the_same_pictures() -> None:
    faces = draw_faces(300, 60)
    model = make()
    start_from_components(model, [faces])
    alone = linear_output(model, faces)
    model.train()
    assert psnr_db(linear_output(model, faces), alone) > 35.0


def test_batches_and_the_random_state_do_not_matter() -> None:
    faces = draw_faces(100, 40)
    left, right = make(), make()
    start_from_components(left, [faces])
    torch.manual_seed(77)
    before = torch.get_rng_state()
    start_from_components(right, faces.split(7))
    assert torch.equal(torch.get_rng_state(), before)
    assert psnr_db(linear_output(left, faces), linear_output(right, faces)) > 60.0


def test_latents_lie_where_leaky_relu_changes_nothing() -> None:
    faces = draw_faces(300, 60)
    model = make()
    start_from_components(model, [faces])
    with torch.no_grad():
        z_NZ = model.encode(to_float(faces))
    torch.testing.assert_close(z_NZ[:, 0], torch.ones(300), rtol=1e-4, atol=1e-4)
    assert (z_NZ < 0).float().mean() < 0.01
    # A mirrored face counts as another one, so that means are not exact.
    torch.testing.assert_close(
        z_NZ[:, 1:].mean(0) / z_NZ[:, 1:].std(0), torch.full((23,), 3.0), rtol=0, atol=0.5
    )


def test_grey_faces_leave_colour_channels_unused() -> None:
    faces = draw_faces(200, 30)[:, :1].expand(-1, 3, -1, -1).contiguous()
    model = make()
    assert start_from_components(model, [faces]) == 23
    assert psnr_db(linear_output(model, faces), pca_output(faces, faces, 23)) > 40.0


def test_fewer_faces_than_latent_numbers() -> None:
    faces = draw_faces(6, 30)
    model = make()
    assert start_from_components(model, [faces]) == 11
    assert psnr_db(linear_output(model, faces), to_float(faces)) > 30.0


def test_128_pixels_and_many_latent_numbers() -> None:
    faces = nn.functional.interpolate(draw_faces(40, 30), 128)
    model = make(image_size=128, latent_size=4000, width=8)
    assert start_from_components(model, [faces]) <= 79
    assert psnr_db(linear_output(model, faces), to_float(faces)) > 30.0


@pytest.mark.parametrize(
    ("options", "faces"),
    [
        ({}, torch.full((20, 3, 32, 32), 99, dtype=torch.uint8)),
        ({"width": 1}, draw_faces(20, 10)),
        ({"latent_size": 1}, draw_faces(20, 10)),
    ],
)
def test_no_components_leave_the_weights(options: dict[str, int], faces: Tensor) -> None:
    model, untouched = make(**options), make(**options)
    assert start_from_components(model, [faces]) == 0
    for name, tensor in untouched.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name


def test_variational_model_is_the_best_linear_one() -> None:
    """Its latents shrink each component as probabilistic PCA does, and have its noise."""
    faces = draw_faces(300, 60)
    both = to_float(torch.cat([faces, faces.flip(3)]))
    component_variance = torch.linalg.svdvals(both.flatten(1) - both.flatten(1).mean(0))
    component_variance = component_variance[:23].square() / (len(both) - 1)
    noise_variance = component_variance[12].item()
    model = make(variant="variational")
    start_from_components(model, [faces], noise_variance=noise_variance)
    with torch.no_grad():
        mean_NZ, log_variance_NZ = model.encode_distribution(both)
    kept = component_variance > 1.05 * noise_variance
    assert 3 < kept.sum() < 23
    expected = 1.0 - noise_variance / component_variance[kept]
    latents_var = mean_NZ[:, 1:].var(0)
    torch.testing.assert_close(latents_var[kept], expected, rtol=0.02, atol=0.01)
    assert latents_var[~kept].max() < 0.06
    noise = log_variance_NZ[:, 1:].exp()
    torch.testing.assert_close(noise[:, kept].mean(0), 1.0 - expected, rtol=0.02, atol=0.01)
    assert noise.std(0).max() < 1e-4
