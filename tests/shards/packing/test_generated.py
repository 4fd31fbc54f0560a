"""Datasets of pictures that a program makes."""

import errno
import gc
import json
import resource
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import webdataset

from faceae_shards import (
    GeneratedConfig,
    ShardsError,
    decode_image,
    encode_jpeg,
    open_dataset,
    pack_generated,
    verify,
)

HashTree = Callable[[Path], dict[str, str]]
SIZE = 24


@dataclass
class Colours:
    """Makes pictures of one colour, by number; fails after some of them."""

    fail_after: int = 10**9
    error: BaseException | None = None

    def make(self, spans: Iterable[range]) -> Iterator[bytes]:
        for done, number in enumerate(number for span in spans for number in span):
            if done == self.fail_after and self.error is not None:
                raise self.error
            yield encode_jpeg(np.full((SIZE, SIZE, 3), number, np.uint8))

    def describe(self, number: int) -> dict[str, Any]:
        return {"name": f"colour {number}"}


@pytest.fixture
def config(tmp_path: Path) -> GeneratedConfig:
    return GeneratedConfig(
        out=tmp_path / "out",
        numbers=range(7, 30),
        image_size=SIZE,
        crop=178,
        generator="colours",
        depends_on={"seed": 5, "engine": "paint"},
        samples_per_shard=10,
    )


def test_dataset_is_sound_and_webdataset_reads_it(config: GeneratedConfig, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    summary = pack_generated(config, Colours(), lambda *counts: calls.append(counts))
    assert (summary.num_samples, summary.num_shards) == ({"train": 23}, 3)
    assert calls[-1] == (23, 23)
    report = verify(tmp_path / "out", workers=1)
    assert (report.problems, report.num_samples) == ((), 23)
    tars = [str(path) for path in open_dataset(tmp_path / "out").shard_paths("train")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves files to the collector
        samples = list(webdataset.WebDataset(tars, shardshuffle=False))
        gc.collect()
    assert [sample["__key__"] for sample in samples] == [f"{n:09}" for n in range(7, 30)]
    assert json.loads(samples[3]["json"]) == {"name": "colour 10", "width": SIZE, "height": SIZE}
    assert np.abs(decode_image(samples[3]["jpg"]).astype(int) - 10).max() <= 2


def test_interrupted_then_the_same_bytes_as_at_once(
    config: GeneratedConfig, tmp_path: Path, hash_tree: HashTree
) -> None:
    pack_generated(replace(config, out=tmp_path / "whole"), Colours())
    with pytest.raises(KeyboardInterrupt):
        pack_generated(config, Colours(fail_after=15, error=KeyboardInterrupt()))
    assert not list((tmp_path / "out").rglob("*.faceae-part"))
    assert not (tmp_path / "out" / "dataset.json").exists()
    pack_generated(config, Colours())
    assert hash_tree(tmp_path / "out") == hash_tree(tmp_path / "whole")
    assert pack_generated(config, Colours()).already_complete


@pytest.mark.parametrize("finished", [True, False])
def test_other_options_are_refused(config: GeneratedConfig, finished: bool) -> None:
    if finished:
        pack_generated(config, Colours())
    else:
        with pytest.raises(KeyboardInterrupt):
            pack_generated(config, Colours(fail_after=15, error=KeyboardInterrupt()))
    other = replace(config, numbers=range(7, 31), depends_on={"seed": 6, "engine": "paint"})
    with pytest.raises(ShardsError, match="other `count`, `seed`, source"):
        pack_generated(other, Colours())


def test_folder_that_holds_something_is_refused(config: GeneratedConfig, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    with pytest.raises(ShardsError, match="out is not empty; choose a new folder"):
        pack_generated(config, Colours())
    with pytest.raises(ShardsError, match="cannot be written; give a folder, s3://"):
        pack_generated(replace(config, out="https://host/faces"), Colours())


def test_number_of_more_digits_than_a_key(config: GeneratedConfig) -> None:
    with pytest.raises(ShardsError, match=r"number 1000000000, .*; start"):
        replace(config, numbers=range(999_999_999, 1_000_000_001))


def test_full_disk_names_the_file_and_a_second_call_goes_on(
    config: GeneratedConfig, tmp_path: Path
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(OSError, match=r"train-000000\.tar") as raised:
            pack_generated(config, Colours())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert raised.value.errno == errno.EFBIG
    assert not list((tmp_path / "out").rglob("*.tar*"))
    pack_generated(config, Colours())
    assert verify(tmp_path / "out", workers=1).problems == ()
