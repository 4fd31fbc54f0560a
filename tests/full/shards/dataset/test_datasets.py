"""Hugging Face `datasets` sees in our shards what we put there."""

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg

from faceae_shards import Dataset, PackConfig, open_dataset, pack


def load(
    dataset: Dataset, cache: Path, monkeypatch: pytest.MonkeyPatch, *, streaming: bool
) -> dict[str, list[dict[str, Any]]]:
    """Every sample as `load_dataset("webdataset")` gives it, by split."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from datasets import load_dataset

    loaded = load_dataset(
        "webdataset",
        data_files={
            split: [str(path) for path in dataset.shard_paths(split)] for split in dataset.splits
        },
        streaming=streaming,
        cache_dir=str(cache),
    )
    return {split: list(rows) for split, rows in loaded.items()}


@pytest.mark.parametrize("streaming", [True, False])
def test_every_image_and_its_json(
    face_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, streaming: bool
) -> None:
    config = PackConfig(
        source=face_folder,
        out=tmp_path / "out",
        samples_per_shard=10,
        split=(0.5, 0.25, 0.25),
        workers=1,
    )
    dataset = open_dataset(pack(config).out)
    loaded = load(dataset, tmp_path / "cache", monkeypatch, streaming=streaming)
    assert {split: len(rows) for split, rows in loaded.items()} == {
        "train": 24,
        "valid": 12,
        "test": 12,
    }
    rows = [row for split in loaded.values() for row in split]
    names = {row["json"]["name"] for row in rows}
    assert names == {
        file.relative_to(face_folder).as_posix() for file in face_folder.rglob("*.jpg")
    }
    for row in rows:
        assert (row["json"]["width"], row["json"]["height"]) == row["jpg"].size == (178, 218)
        expected = simplejpeg.decode_jpeg((face_folder / row["json"]["name"]).read_bytes())
        assert np.array_equal(np.array(row["jpg"]), expected)


def test_arrays(dataset_npy: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load(dataset_npy, tmp_path / "cache", monkeypatch, streaming=True)
    assert len(loaded["train"]) == 24
    for row in loaded["train"]:
        with tarfile.open(row["__url__"]) as tar:
            stored = tar.extractfile(f"{row['__key__']}.npy")
            assert stored is not None
            expected = np.load(io.BytesIO(stored.read()))
        assert np.array_equal(row["npy"], expected)
