"""Sets of pictures with known faults, made from held-out photographs and by models."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from faceae.evaluation import choose_faces, fit_pca
from faceae.latent import latent_noise
from faceae.model import to_float, to_uint8
from faceae.runs import open_run

Images = NDArray[np.uint8]
"""N x 64 x 64 x 3, RGB."""

BATCH_FACES = 64
COMPONENTS = (1024, 256, 64)
"""Numbers of principal components, the largest first."""


def faulty_sets(
    held_out: Images, train: Images, components: Sequence[int] = COMPONENTS
) -> Iterator[tuple[str, Images]]:
    """Yield sets with known faults, as many pictures each as `held_out`."""
    random = np.random.default_rng(0)
    count = len(held_out)
    yield "photographs", held_out
    yield from components_sets(held_out, train, components, random)
    for sigma in (1, 2):
        blurred = [cv2.GaussianBlur(image, (0, 0), sigma) for image in held_out]
        yield f"blurred by {sigma} pixels", np.stack(blurred)
    for level in (8, 16):
        noisy = held_out + random.normal(0, level, held_out.shape)
        yield f"noise of {level} levels", noisy.clip(0, 255).round().astype(np.uint8)
    for reach in (2, 4):
        yield f"warped by {reach} pixels", np.stack([warp(i, reach, random) for i in held_out])
    others = np.roll(held_out, 7, axis=0)
    halves = held_out.copy()
    halves[:, :, 32:] = others[:, :, 32:]
    yield "halves of two people", halves
    yield "means of two people", ((held_out.astype(int) + others) // 2).astype(np.uint8)
    yield "upside down", held_out[:, ::-1].copy()
    for people in (100, 20):
        chosen = held_out[:: max(1, count // people)][:people]
        yield f"{people} faces repeated", np.resize(chosen, held_out.shape)
    yield "training faces", train[:count]


def components_sets(
    held_out: Images, train: Images, sizes: Sequence[int], random: np.random.Generator
) -> Iterator[tuple[str, Images]]:
    """Yield reconstructions by principal components, and draws from their normal distribution."""
    train_NCHW = torch.from_numpy(train).permute(0, 3, 1, 2).contiguous()
    held_out_NCHW = torch.from_numpy(held_out).permute(0, 3, 1, 2).contiguous()
    most = sizes[0]
    places = choose_faces(len(train), 64, most)
    pca = fit_pca(train_NCHW[torch.from_numpy(places)], most)
    codes = (to_float(train_NCHW).flatten(1) - pca.mean) @ pca.components
    held_out_codes = (to_float(held_out_NCHW).flatten(1) - pca.mean) @ pca.components
    noise = torch.from_numpy(random.standard_normal((len(held_out), most))).float()

    def decode(codes_NK: torch.Tensor, count: int) -> Images:
        faces_ND = codes_NK[:, :count] @ pca.components[:, :count].T + pca.mean
        return to_uint8(faces_ND.view(-1, 3, 64, 64)).permute(0, 2, 3, 1).numpy()

    for count in sizes:
        yield f"{count:,} components, reconstructions", decode(held_out_codes, count)
    for count in (most, sizes[-1]):
        yield f"{count:,} components, normal draws", decode(noise * codes.std(dim=0), count)


def warp(image: Images, reach: float, random: np.random.Generator) -> Images:
    """Displace the pixels of one picture smoothly by about `reach` pixels."""
    coarse = random.normal(0, reach, (6, 6, 2)).astype(np.float32)
    shift = cv2.resize(coarse, (64, 64), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[:64, :64].astype(np.float32)
    places = (x + shift[..., 0], y + shift[..., 1])
    warped = cv2.remap(image, *places, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(warped, dtype=np.uint8)


@torch.inference_mode()
def run_sets(path: Path, held_out: Images) -> Iterator[tuple[str, Images]]:
    """Yield the reconstructions and the new faces of a run's model."""
    trained = open_run(path, latents=True)
    assert trained.sampler is not None
    model = trained.model
    noise = latent_noise(0, 0, len(held_out), model.config.latent_size)
    z = torch.from_numpy(trained.sampler.latents(noise))
    kind = model.config.variant

    def to_array(batches: Iterator[torch.Tensor]) -> Images:
        return torch.cat([to_uint8(faces) for faces in batches]).permute(0, 2, 3, 1).numpy()

    x = torch.from_numpy(held_out).permute(0, 3, 1, 2)
    yield (
        f"{kind} model, reconstructions",
        to_array(model(to_float(part)) for part in x.split(BATCH_FACES)),
    )
    yield f"{kind} model, new faces", to_array(model.decode(part) for part in z.split(BATCH_FACES))


def batches_of(images: Images) -> Iterator[torch.Tensor]:
    """Yield N x 3 x H x W batches."""
    for start in range(0, len(images), BATCH_FACES):
        yield torch.from_numpy(images[start : start + BATCH_FACES]).permute(0, 3, 1, 2)
