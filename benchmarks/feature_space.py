"""Which feature space ranks sets of pictures as people do, without any trained weights.

DATA is a packed dataset of photographs of faces, 64x64, split by person; RUN are runs trained on it
and fitted. Sets of pictures with known faults are made from the held-out photographs. Every
candidate measures their Fréchet distance to training photographs, relative to that of the untouched
held-out photographs. A space is usable if the distance grows in this order: photographs,
reconstructions by 1,024 principal components, new faces of a variational model (smears), new faces
of a plain model, and draws from a normal distribution of principal components (painted noise).

All candidates but the built-in space are standardised by the training photographs and projected to
64 features by one random matrix. The pictures stay in memory and are never written.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from benchmarks import runner
from faceae.data import LoaderConfig, make_loader
from faceae.evaluation import choose_faces, fit_pca
from faceae.evaluation.samples import (
    FaceSet,
    FeatureSpace,
    SpaceName,
    TextureSpace,
    compare_faces,
    describe_faces,
    frechet_distance,
    measure_overlap,
)
from faceae.latent import latent_noise
from faceae.model import to_float, to_uint8
from faceae.runs import open_run
from faceae_shards import Dataset, open_dataset

Images = NDArray[np.uint8]
"""N x 64 x 64 x 3, RGB."""

CPU = torch.device("cpu")
NUM_FACES = 800
NUM_FEATURES = 64
BATCH_FACES = 64


def load_split(dataset: Dataset, split: str) -> Images:
    """Return the faces of a split."""
    config = LoaderConfig(split=split, batch_size=BATCH_FACES, image_size=64, training=False)
    with closing(make_loader("auto", dataset, config, CPU)) as loader:
        batches = [images[:count].permute(0, 2, 3, 1).numpy() for images, count in loader]
    return np.concatenate(batches)


def faulty_sets(held_out: Images, train: Images) -> Iterator[tuple[str, Images]]:
    """Yield sets with known faults, as many pictures each as `held_out`."""
    random = np.random.default_rng(0)
    count = len(held_out)
    yield "photographs", held_out
    yield from components_sets(held_out, train, random)
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
        chosen = held_out[:: count // people][:people]
        yield f"{people} faces repeated", np.resize(chosen, held_out.shape)
    yield "training faces", train[:count]


def components_sets(
    held_out: Images, train: Images, random: np.random.Generator
) -> Iterator[tuple[str, Images]]:
    """Yield reconstructions by principal components, and draws from their normal distribution."""
    train_NCHW = torch.from_numpy(train).permute(0, 3, 1, 2).contiguous()
    held_out_NCHW = torch.from_numpy(held_out).permute(0, 3, 1, 2).contiguous()
    places = choose_faces(len(train), 64, 1024)
    pca = fit_pca(train_NCHW[torch.from_numpy(places)], 1024)
    codes = (to_float(train_NCHW).flatten(1) - pca.mean) @ pca.components
    held_out_codes = (to_float(held_out_NCHW).flatten(1) - pca.mean) @ pca.components
    noise = torch.from_numpy(random.standard_normal((len(held_out), 1024))).float()

    def decode(codes_NK: torch.Tensor, count: int) -> Images:
        faces_ND = codes_NK[:, :count] @ pca.components[:, :count].T + pca.mean
        return to_uint8(faces_ND.view(-1, 3, 64, 64)).permute(0, 2, 3, 1).numpy()

    for count in (1024, 256, 64):
        yield f"{count:,} components, reconstructions", decode(held_out_codes, count)
    for count in (1024, 64):
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


Measure = Callable[[torch.Tensor], torch.Tensor]
"""From faces, N x 3 x 64 x 64 float32 in [-1, 1], to statistics, N x S."""


class StandardisedSpace:
    """Statistics standardised by photographs, and projected to 64 features."""

    def __init__(self, name: str, measure: Measure, photographs: Images) -> None:
        self._measure = measure
        with torch.inference_mode():
            known = torch.cat([measure(to_float(batch)) for batch in batches_of(photographs)])
        self._mean, self._deviation = known.mean(dim=0), known.std(dim=0) + 1e-6
        numbers = np.random.RandomState(0).standard_normal((known.shape[1], NUM_FEATURES))
        self._projection = torch.from_numpy(numbers / np.sqrt(known.shape[1])).float()
        self.name = SpaceName(name=name, version="1", size=NUM_FEATURES)

    @torch.inference_mode()
    def extract(self, images: torch.Tensor) -> torch.Tensor:
        """Return the features of faces, N x 64."""
        statistics = self._measure(to_float(images))
        return (statistics - self._mean) / self._deviation @ self._projection


def batches_of(images: Images) -> Iterator[torch.Tensor]:
    """Yield N x 3 x H x W batches."""
    for start in range(0, len(images), BATCH_FACES):
        yield torch.from_numpy(images[start : start + BATCH_FACES]).permute(0, 3, 1, 2)


def coarse_pixels(x: torch.Tensor) -> torch.Tensor:
    """Mean colours of 16x16 cells."""
    return F.adaptive_avg_pool2d(x, 16).flatten(1)


def whitened_pixels(photographs: Images) -> Measure:
    """All pixels in the basis of 256 principal components."""
    faces = torch.from_numpy(photographs).permute(0, 3, 1, 2).contiguous()
    pca = fit_pca(faces, 256)
    return lambda x: (x.flatten(1) - pca.mean) @ pca.components


def random_network(depth: int, *, every_layer: bool) -> Measure:
    """Convolutions of 3x3 with random weights, ReLU and pooling, averaged in a grid of 2x2."""
    random = np.random.RandomState(0)
    weights, channels = [], 3
    for layer in range(depth):
        size = (32 * 2 ** min(layer, 2), channels, 3, 3)
        numbers = random.standard_normal(size) * np.sqrt(2 / (9 * channels))
        weights.append(torch.from_numpy(numbers).float())
        channels = size[0]

    def measure(x: torch.Tensor) -> torch.Tensor:
        layers = []
        for weight in weights:
            x = F.relu(F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), weight))
            layers.append(F.adaptive_avg_pool2d(x, 2).flatten(1))
            x = F.avg_pool2d(x, 2)
        return torch.cat(layers if every_layer else layers[-1:], dim=1)

    return measure


def laplacian_patches(x: torch.Tensor) -> torch.Tensor:
    """Sorted random projections of patches of a Laplacian pyramid, as quantiles of each level.

    The sliced Wasserstein distance of Karras et al. (2018), with one face as a set of patches.
    """
    random = np.random.RandomState(0)
    quantiles = torch.linspace(0.05, 0.95, 9)
    levels = []
    for _ in range(3):
        small = F.avg_pool2d(x, 2)
        detail = x - F.interpolate(small, scale_factor=2, mode="bilinear")
        filters = torch.from_numpy(random.standard_normal((16, 3, 7, 7))).float() / np.sqrt(147)
        answers = F.conv2d(detail, filters).flatten(2)
        levels.append(answers.quantile(quantiles, dim=2).permute(1, 0, 2).flatten(1))
        x = small
    return torch.cat(levels, dim=1)


def texture_groups(*groups: int) -> Measure:
    """Some groups of the statistics of the built-in space."""
    space = TextureSpace()
    sizes = (48, 96, 96, 96, 144, 144)

    def measure(x: torch.Tensor) -> torch.Tensor:
        parts = space.statistics(x).split(sizes, dim=1)
        return torch.cat([parts[group] for group in groups], dim=1)

    return measure


def candidates(photographs: Images) -> Iterator[FeatureSpace]:
    """Yield every space of the comparison."""
    measures: dict[str, Measure] = {
        "pixels, 16x16": coarse_pixels,
        "pixels, 256 components": whitened_pixels(photographs),
        "random network, 2 layers": random_network(2, every_layer=False),
        "random network, 4 layers": random_network(4, every_layer=False),
        "random network, all of 4 layers": random_network(4, every_layer=True),
        "Laplacian patches": laplacian_patches,
        "scattering, first layer": texture_groups(1, 2, 3),
        "scattering, second layer": texture_groups(4, 5),
        "scattering, both layers and colours": texture_groups(0, 1, 2, 3, 4, 5),
    }
    for name, measure in measures.items():
        yield StandardisedSpace(name, measure, photographs)
    for size in (32, 128, 256):
        yield TextureSpace(size)
    yield TextureSpace()


def main() -> None:
    """Measure, write results/feature_space.json and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--run", type=Path, action="append", default=[])
    parser.add_argument("--faces", type=int, default=NUM_FACES, help="pictures of each set")
    parser.add_argument("--split", default="test")
    options = parser.parse_args()
    dataset = open_dataset(options.data)
    train = load_split(dataset, "train")
    held_out = load_split(dataset, options.split)[: options.faces]
    sets = dict(faulty_sets(held_out, train))
    for path in options.run:
        sets |= dict(run_sets(path, held_out))
    reference = np.random.default_rng(0).choice(len(train), len(held_out), replace=False)
    spaces, chosen = {}, {}
    for space in candidates(train[:2000]):
        name = f"{space.name.name}, {space.name.size} features"
        start = time.perf_counter()
        described = {title: describe_faces(batches_of(s), space) for title, s in sets.items()}
        seconds = time.perf_counter() - start
        known = describe_faces(batches_of(train[reference]), space)
        spaces[name] = {
            "ms_per_face": 1000 * seconds / (len(sets) * len(held_out)),
            **compare(described, known),
        }
        print(name, {title: round(r, 2) for title, r in spaces[name]["ratios"].items()})
        if space.name == TextureSpace().name:
            everything = describe_faces(batches_of(train), space)
            chosen = measure_all(described, everything)
    settings = {"faces": len(held_out), "train": len(train), "features": NUM_FEATURES}
    runner.save("feature_space", [], settings, {"spaces": spaces, "chosen": chosen})


def compare(described: dict[str, FaceSet], known: FaceSet) -> dict[str, Any]:
    """Return the floor, the ratio of each set to it, and the coverage of each set."""
    distances = {
        title: frechet_distance(known.features, faces.features)
        for title, faces in described.items()
    }
    floor = distances["photographs"]
    return {
        "floor": floor,
        "ratios": {title: distance / floor for title, distance in distances.items()},
        "coverage": {
            title: measure_overlap(known.features, faces.features).coverage
            for title, faces in described.items()
        },
    }


def measure_all(described: dict[str, FaceSet], train: FaceSet) -> dict[str, Any]:
    """Return every figure of each set in the built-in space."""
    held_out = described["photographs"]
    return {
        title: asdict(compare_faces(samples=faces, held_out=held_out, train=train))
        for title, faces in described.items()
    }


if __name__ == "__main__":
    main()
