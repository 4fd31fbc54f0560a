"""Faces a second written as JPEG shards and as folders, against computing the faces alone.

The model has the default size and random weights, as in `benchmarks.generate`, and runs in ONNX
Runtime on the CPU. Writing includes encoding, hashing and syncing to the disk.
"""

import argparse
import logging
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from benchmarks import runner
from benchmarks.shared.models import make_model
from faceae.latent import LatentMoments, NormalSampler, latent_noise
from faceae.pictures import encode_picture, save_folder
from faceae.runs import TrainedModel
from faceae_export import (
    OpenedGenerator,
    encode_faces,
    export_model,
    generate_faces,
    generate_shards,
    open_generator,
)

CPU = torch.device("cpu")
SUFFIXES = (".jpg", ".png")


def make_generator(folder: Path, width: int) -> OpenedGenerator:
    """Export a generator and open it."""
    model = make_model(width)
    size = model.config.latent_size
    moments = LatentMoments(size)
    moments.update(latent_noise(1, 0, 2 * size, size))
    sampler = NormalSampler(moments.normal_prior(weights_hash="", dataset_hash=""))
    trained = TrainedModel(model=model, dataset_hash="", crop=None, sampler=sampler)
    path = export_model(trained, "onnx", "generator", folder / "generator.onnx", CPU).path
    return open_generator(path, CPU)


def draw(generator: OpenedGenerator, count: int) -> int:
    """Compute the faces and drop them."""
    faces = generate_faces(generator.session, seed=0, start=0, count=count)
    return sum(map(len, faces))


def write_shards(generator: OpenedGenerator, count: int, folder: Path) -> int:
    """Write the faces as a dataset."""
    with tempfile.TemporaryDirectory(dir=folder) as parent:
        out = Path(parent, "shards")
        summary = generate_shards(generator, out, range(count), samples_per_shard=count // 4)
        return summary.num_samples["train"]


def write_folder(generator: OpenedGenerator, count: int, folder: Path, suffix: str) -> int:
    """Write the faces as picture files."""
    with tempfile.TemporaryDirectory(dir=folder) as parent:
        faces = generate_faces(generator.session, seed=0, start=0, count=count)
        pictures = encode_faces(faces, partial(encode_picture, suffix=suffix))
        save_folder(Path(parent, "faces"), pictures, suffix)
    return count


def main() -> None:
    """Measure, write results/draw.json and draw.svg, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=2048, help="faces to draw, a multiple of 4")
    parser.add_argument("--folder", type=Path, help="folder to write to (default: TMPDIR)")
    parser.add_argument("--width", type=int, default=64, help="channels of the first layer")
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    logging.getLogger("benchmarks").setLevel(logging.INFO)
    load = os.getloadavg()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        generator = make_generator(folder, options.width)
        ways: dict[str, Callable[[], int]] = {
            "alone": partial(draw, generator, options.count),
            "to JPEG shards": partial(write_shards, generator, options.count, folder),
            **{
                f"to a folder of {suffix}": partial(
                    write_folder, generator, options.count, folder, suffix
                )
                for suffix in SUFFIXES
            },
        }
        contenders = [
            runner.Contender(name=name, peer=name == "alone", rate=runner.timed(work))
            for name, work in ways.items()
        ]
        rows = runner.measure(contenders, options.rounds)
    settings = {
        "threads": torch.get_num_threads(),
        "faces": options.count,
        "width": options.width,
        "load_average_before": load,
        "load_average_after": os.getloadavg(),
    }
    runner.save("draw", rows, settings)
    runner.plot("draw", rows)
    print(runner.table(rows))


if __name__ == "__main__":
    main()
