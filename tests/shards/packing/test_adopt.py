"""Shards of other tools become datasets, or are told why not."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray

from faceae_shards import PackConfig, ShardsError, adopt, open_dataset, pack, reindex, verify

Configure = Callable[..., PackConfig]
Encode = Callable[..., bytes]
HashTree = Callable[[Path], dict[str, str]]


def write_with_webdataset(folder: Path, photos: Path, **extra: Any) -> None:
    """Two shards of ten photographs, with json."""
    webdataset = pytest.importorskip("webdataset")
    folder.mkdir(parents=True)
    with webdataset.ShardWriter(str(folder / "%05d.tar"), maxcount=10, verbose=0) as writer:
        for number, file in enumerate(sorted(photos.iterdir())):
            text = {"caption": "a face", "attributes": {"Male": 1}}
            sample = {"__key__": f"{number:05}", "jpg": file.read_bytes(), "json": text}
            writer.write({**sample, **extra})


def make_tar(path: Path, *members: tuple[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


@pytest.mark.parametrize("workers", [1, 2])
def test_shards_of_webdataset(
    photos: Path, tmp_path: Path, hash_tree: HashTree, workers: int
) -> None:
    wds = tmp_path / "wds"
    write_with_webdataset(wds / "train", photos)
    write_with_webdataset(wds / "val", photos, txt="a face")
    (wds / "train" / "00000_stats.json").write_text("{}")  # as img2dataset leaves them
    before = hash_tree(wds)
    calls: list[tuple[int, int]] = []
    dataset = adopt(wds, workers, lambda *counts: calls.append(counts))
    assert calls[-1] == (40, 40)
    assert {split: dataset.num_samples(split) for split in dataset.splits} == {
        "train": 20,
        "valid": 20,
    }
    assert dataset.attribute_names == ("Male",)
    assert before.items() <= hash_tree(wds).items()
    assert verify(wds, workers=1).problems == ()


def test_index_is_what_dalis_own_tool_writes(photos: Path, tmp_path: Path) -> None:
    wds2idx = pytest.importorskip("wds2idx")
    write_with_webdataset(tmp_path / "wds", photos, txt="a face")
    dataset = adopt(tmp_path / "wds", workers=1)
    for tar, index in zip(dataset.shard_paths("train"), dataset.index_paths("train"), strict=True):
        with wds2idx.IndexCreator(str(tar), str(tmp_path / "idx"), verbose=False) as creator:
            creator.create_index()
        assert index.read_bytes() == (tmp_path / "idx").read_bytes()


def test_dali_reads_them(photos: Path, tmp_path: Path) -> None:
    pytest.importorskip("nvidia.dali")
    from nvidia.dali import fn, pipeline_def

    write_with_webdataset(tmp_path / "wds", photos)
    dataset = adopt(tmp_path / "wds", workers=1)

    @pipeline_def(batch_size=20, num_threads=1, device_id=None)
    def read() -> object:
        return fn.readers.webdataset(
            paths=[str(path) for path in dataset.shard_paths("train")],
            index_paths=[str(path) for path in dataset.index_paths("train")],
            ext=["jpg"],
        )

    pipeline = read()
    pipeline.build()
    (images,) = pipeline.run()
    found = [bytes(np.array(images.at(number))) for number in range(20)]
    assert found == [file.read_bytes() for file in sorted(photos.iterdir())]


def test_damage_after_adoption_is_found_and_indices_are_mended(
    photos: Path, tmp_path: Path
) -> None:
    wds = tmp_path / "wds"
    write_with_webdataset(wds, photos)
    adopt(wds, workers=1)
    (wds / "00000.idx").unlink()
    assert verify(wds, workers=1).problems == ("00000.idx is missing",)
    assert reindex(wds) == ["00000.idx"]
    content = bytearray((wds / "00001.tar").read_bytes())
    content[3000] ^= 0xFF
    (wds / "00001.tar").write_bytes(content)
    report = verify(wds, workers=1)
    assert "00001.tar differs" in "\n".join(report.problems)
    assert "delete the dataset" not in report.remedy  # the tars may be the only copy
    (wds / "00001.tar").unlink()
    with pytest.raises(ShardsError, match=r"00001\.tar is missing; get the tars again"):
        open_dataset(wds)


def test_samples_that_loaders_would_stumble_over(
    photos: Path, tmp_path: Path, encode: Encode, picture: NDArray[np.uint8]
) -> None:
    good = (photos / "00.jpg").read_bytes()
    grey = encode(simplejpeg.decode_jpeg(good)[:, :, 0])
    for members, message in (
        ([("a.jpg", good), ("b.jpg", good), ("a.json", b"{}")], "a: its members do not lie side"),
        ([("img.v1.jpg", good)], r"img\.v1\.jpg has dots in its key"),
        ([("a.png", encode(picture, "PNG")), ("a.json", b"{}")], "no jpg, only png, json"),
        ([("a.json", b"{}")], "a: it has no jpg, only json"),
        ([("a.jpg", good), ("a.jpg", good)], "a: its key is there twice"),
        ([("p/a.jpg", good)], "lie in a folder of the tar"),
        ([("a.jpg", good[:400])], "a: truncated"),
        ([("a.jpg", grey)], "a: not plain"),
        ([], "holds no samples"),
    ):
        make_tar(tmp_path / "wds" / "0.tar", *members)
        with pytest.raises(ShardsError, match=f"{message}.*pack its images .*`faceae shard`"):
            adopt(tmp_path / "wds", workers=1)
        assert [file.name for file in (tmp_path / "wds").iterdir()] == ["0.tar"]


def test_tar_cut_between_two_samples(photos: Path, tmp_path: Path) -> None:
    # webdataset and wds2idx take it for a whole one of fewer samples.
    write_with_webdataset(tmp_path / "wds", photos)
    tar = tmp_path / "wds" / "00001.tar"
    with tarfile.open(tar) as opened:
        cut = opened.getmembers()[6].offset
    tar.write_bytes(tar.read_bytes()[:cut])
    with pytest.raises(ShardsError, match=r"00001\.tar is a tar cut short"):
        adopt(tmp_path / "wds", workers=1)


def test_folders_that_cannot_be_adopted(configure: Configure, tmp_path: Path) -> None:
    packed = pack(configure()).out
    (tmp_path / "empty").mkdir()
    make_tar(tmp_path / "odd" / "one" / "0.tar")
    make_tar(tmp_path / "untrained" / "test" / "0.tar")
    for folder, message in (
        (packed, "is a dataset already"),
        (tmp_path / "nowhere", "is no folder"),
        (tmp_path / "empty", "holds no tars to train on"),
        (tmp_path / "odd", r"holds one/0\.tar; tars may lie in"),
        (tmp_path / "untrained", "holds no tars to train on"),
    ):
        with pytest.raises(ShardsError, match=message):
            adopt(folder, workers=1)


def test_manifest_says_where_it_comes_from(photos: Path, tmp_path: Path) -> None:
    write_with_webdataset(tmp_path / "wds", photos)
    adopt(tmp_path / "wds", workers=1)
    manifest = json.loads((tmp_path / "wds" / "dataset.json").read_text())
    assert manifest["config"]["source"] == {
        "kind": "adopted",
        "name": "wds",
        "num_images": 20,
        "num_ignored": 0,
    }
    assert open_dataset(tmp_path / "wds").is_adopted


@pytest.mark.parametrize(
    "names", [("train-00000.tar", "val-00000.tar"), ("a/training/0.tar", "a/Validation/0.tar")]
)
def test_splits_by_the_tars_names(photos: Path, tmp_path: Path, names: tuple[str, str]) -> None:
    data = min(photos.iterdir()).read_bytes()
    for name in names:
        make_tar(tmp_path / "wds" / name, ("0.jpg", data))
    dataset = adopt(tmp_path / "wds", workers=1)
    assert {split: len(shards) for split, shards in dataset.splits.items()} == {
        "train": 1,
        "valid": 1,
    }
