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
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import runner
from benchmarks.shared.faulty_sets import (
    BATCH_FACES,
    COMPONENTS,
    Images,
    batches_of,
    faulty_sets,
    run_sets,
)
from benchmarks.shared.feature_spaces import NUM_FEATURES, candidates
from faceae.data import LoaderConfig, make_loader
from faceae.evaluation.samples import (
    FaceSet,
    TextureSpace,
    compare_faces,
    describe_faces,
    frechet_distance,
    measure_overlap,
)
from faceae_shards import Dataset, open_dataset

CPU = torch.device("cpu")
NUM_FACES = 800


def load_split(dataset: Dataset, split: str) -> Images:
    """Return the faces of a split."""
    config = LoaderConfig(split=split, batch_size=BATCH_FACES, image_size=64, training=False)
    with closing(make_loader("auto", dataset, config, CPU)) as loader:
        batches = [images[:count].permute(0, 2, 3, 1).numpy() for images, count in loader]
    return np.concatenate(batches)


def main() -> None:
    """Measure, write results/feature_space.json and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--run", type=Path, action="append", default=[])
    parser.add_argument("--faces", type=int, default=NUM_FACES, help="pictures of each set")
    parser.add_argument("--split", default="test")
    parser.add_argument(
        "--components",
        type=int,
        nargs="+",
        default=COMPONENTS,
        help="numbers of principal components, the largest first",
    )
    options = parser.parse_args()
    dataset = open_dataset(options.data)
    train = load_split(dataset, "train")
    held_out = load_split(dataset, options.split)[: options.faces]
    sets = dict(faulty_sets(held_out, train, options.components))
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
