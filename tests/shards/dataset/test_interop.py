"""Other readers see in our shards what we put there."""

import gc
import json
import shutil
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg

from faceae_shards import Dataset, PackConfig, open_dataset, pack

Configure = Callable[..., PackConfig]


@pytest.fixture
def dataset(configure: Configure) -> Dataset:
    return open_dataset(pack(configure(samples_per_shard=10)).out)


def test_index_is_what_dalis_own_tool_writes(dataset: Dataset, tmp_path: Path) -> None:
    wds2idx = pytest.importorskip("wds2idx")
    for split in dataset.splits:
        for tar, index in zip(dataset.shard_paths(split), dataset.index_paths(split), strict=True):
            with wds2idx.IndexCreator(str(tar), str(tmp_path / "idx"), verbose=False) as creator:
                creator.create_index()
            assert index.read_bytes() == (tmp_path / "idx").read_bytes()


def test_dali_reads_every_image(dataset: Dataset, photos: Path) -> None:
    pytest.importorskip("nvidia.dali")
    from nvidia.dali import fn, pipeline_def

    @pipeline_def(batch_size=16, num_threads=1, device_id=None)
    def read() -> object:
        jpg, text = fn.readers.webdataset(
            paths=[str(path) for path in dataset.shard_paths("train")],
            index_paths=[str(path) for path in dataset.index_paths("train")],
            ext=["jpg", "json"],
        )
        return fn.decoders.image(jpg, jpeg_fancy_upsampling=True), text

    pipeline = read()
    pipeline.build()
    images, texts = pipeline.run()
    names = [json.loads(bytes(np.array(texts.at(i))))["name"] for i in range(16)]
    assert len(set(names)) == 16
    for i, name in enumerate(names):
        expected = simplejpeg.decode_jpeg((photos / name).read_bytes())
        assert np.array_equal(np.array(images.at(i)), expected)


def read_with_webdataset(paths: list[Path], *, decode: bool) -> list[dict[str, Any]]:
    webdataset = pytest.importorskip("webdataset")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves files to the collector
        urls = [str(path) for path in paths]
        reader = webdataset.WebDataset(urls, shardshuffle=False, empty_check=False)
        samples = list(reader.decode() if decode else reader)
        del reader
        gc.collect()
    return samples


def test_webdataset_reads_every_sample(dataset: Dataset, photos: Path) -> None:
    samples = read_with_webdataset(dataset.shard_paths("train"), decode=False)
    assert len(samples) == 16
    for sample in samples:
        name = json.loads(sample["json"])["name"]
        assert sample["jpg"] == (photos / name).read_bytes()


def test_webdataset_decodes_npy(configure: Configure) -> None:
    packed = open_dataset(pack(configure(size=16, encoding="npy")).out)
    samples = read_with_webdataset(packed.shard_paths("train"), decode=True)
    assert len(samples) == 16
    assert all(sample["npy"].shape == (16, 16, 3) for sample in samples)


@pytest.mark.skipif(shutil.which("tar") is None, reason="needs tar")
def test_tar_unpacks_them(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "unpacked").mkdir()
    for path in dataset.shard_paths("train"):
        subprocess.run(["tar", "-xf", path, "-C", tmp_path / "unpacked"], check=True)
    assert len(list((tmp_path / "unpacked").glob("*.jpg"))) == 16
