"""Datasets of new faces: the faces of their numbers, and no mix with others."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from faceae.errors import FaceaeError
from faceae_export import generate_faces, generate_shards, open_generator, open_session
from faceae_export.generation._shards import FaceGenerator
from faceae_shards import ShardsError, open_dataset

CPU = torch.device("cpu")


def read_jpegs(path: Path) -> list[bytes]:
    jpegs = []
    for tar_path in sorted(path.rglob("*.tar")):
        with tarfile.open(tar_path) as tar:
            for member in tar:
                file = tar.extractfile(member)
                if file is not None and member.name.endswith(".jpg"):
                    jpegs.append(file.read())
    return jpegs


def test_shards_hold_the_faces_of_their_numbers(exported: Path, tmp_path: Path) -> None:
    generator = open_generator(exported / "generator.onnx", CPU)
    done: list[tuple[int, int]] = []
    summary = generate_shards(
        generator,
        tmp_path / "out",
        range(5, 17),
        seed=3,
        truncation=0.5,
        samples_per_shard=8,
        on_progress=lambda *counts: done.append(counts),
    )
    assert summary.num_samples == {"train": 12}
    assert done[-1] == (12, 12)
    dataset = open_dataset(tmp_path / "out")
    assert (dataset.crop, dataset.image_size) == (100, (32, 32))
    (faces_NHWC,) = generate_faces(generator.session, seed=3, start=5, count=12, truncation=0.5)
    found = [np.asarray(Image.open(io.BytesIO(jpeg))) for jpeg in read_jpegs(tmp_path / "out")]
    assert np.abs(np.stack(found).astype(int) - faces_NHWC).mean() < 4


def test_faces_of_another_seed_are_not_mixed_in(exported: Path, tmp_path: Path) -> None:
    generator = open_generator(exported / "generator.onnx", CPU)
    out = tmp_path / "out"
    generate_shards(generator, out, range(5), seed=1)
    generate_shards(generator, out, range(5), seed=1)
    with pytest.raises(ShardsError, match="other `seed`"):
        generate_shards(generator, out, range(5), seed=2)


def test_machine_that_draws_other_faces(exported: Path) -> None:
    session = open_session(exported / "generator.onnx", CPU)
    faces = FaceGenerator(
        open=lambda: session,
        seed=0,
        truncation=1,
        batch_size=None,
        described={"engine": "ONNX Runtime 0.1"},
    )
    with pytest.raises(FaceaeError, match=r"another engine \(ONNX Runtime .* make them alike"):
        next(faces.make([range(1)]))
