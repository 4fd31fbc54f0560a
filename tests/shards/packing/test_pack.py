"""A whole pack: what it writes, refuses and reports."""

import json
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

import faceae_shards
from faceae_shards import PackConfig, ShardsError, open_dataset, pack, verify
from faceae_shards.storage._atomic import PART_SUFFIX

Encode = Callable[..., bytes]
Configure = Callable[..., PackConfig]
HashTree = Callable[[Path], dict[str, str]]


def read_samples(out: Path) -> dict[str, dict[str, bytes]]:
    """Members of every sample by extension, by the name of the source file."""
    samples: dict[str, dict[str, bytes]] = {}
    for path in sorted(out.rglob("*.tar")):
        by_key: dict[str, dict[str, bytes]] = {}
        with tarfile.open(path) as tar:
            for info in tar:
                key, _, extension = info.name.partition(".")
                member = tar.extractfile(info)
                assert member is not None
                by_key.setdefault(key, {})[extension] = member.read()
        samples.update({json.loads(s["json"])["name"]: s for s in by_key.values()})
    return samples


def read_rejected(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "rejected.jsonl").read_text("utf-8").splitlines()]


def test_untouched_bytes_of_every_image(photos: Path, configure: Configure) -> None:
    summary = pack(configure())
    assert summary.num_samples == {"train": 16, "valid": 2, "test": 2}
    assert summary.num_shards == 6
    samples = read_samples(summary.out)
    assert {name: sample["jpg"] for name, sample in samples.items()} == {
        file.name: file.read_bytes() for file in photos.iterdir()
    }
    assert json.loads(samples["03.jpg"]["json"]) == {"name": "03.jpg", "width": 40, "height": 48}


CELEBA, LARGE, SMALL = (178, 218), (250, 250), (178, 178)


@pytest.mark.parametrize(
    ("sizes", "aligned"),
    [
        ([CELEBA, CELEBA, CELEBA, LARGE], True),
        ([CELEBA, LARGE, LARGE, LARGE], False),
        ([SMALL, LARGE, LARGE, LARGE], False),
        ([SMALL, SMALL, SMALL, LARGE], None),
        ([CELEBA, CELEBA, SMALL, SMALL], None),
    ],
)
def test_most_sizes_tell_whether_faces_are_aligned(
    tmp_path: Path, configure: Configure, sizes: list[tuple[int, int]], aligned: bool | None
) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    for number, size in enumerate(sizes):
        Image.new("RGB", size, (number, 9, 9)).save(folder / f"{number}.jpg")
    for options in ({}, {"crop": 100, "size": 32, "encoding": "npy"}):
        out = tmp_path / f"out{len(options)}"
        pack(configure(source=folder, out=out, split=(1, 0, 0), **options))
        assert open_dataset(out).is_aligned is aligned
        assert json.loads((out / "dataset.json").read_text()).get("aligned") is aligned


def test_layout(configure: Configure) -> None:
    out = pack(configure()).out
    files = sorted(file.relative_to(out).as_posix() for file in out.rglob("*") if file.is_file())
    train = [f"train/train-00000{i}.{suffix}" for i in range(4) for suffix in ("idx", "tar")]
    others = [f"{s}/{s}-000000.{suffix}" for s in ("test", "valid") for suffix in ("idx", "tar")]
    assert files == sorted(["dataset.json", "rejected.jsonl", *train, *others])


def test_crop_and_size(configure: Configure, photos: Path) -> None:
    out = pack(configure(crop=32, size=16)).out
    dataset = open_dataset(out)
    assert dataset.image_size == (16, 16)
    packed = simplejpeg.decode_jpeg(read_samples(out)["05.jpg"]["jpg"])
    source = simplejpeg.decode_jpeg((photos / "05.jpg").read_bytes())
    fitted = faceae_shards.fit_image(source, 32, 16)
    assert packed.shape == (16, 16, 3)
    assert np.abs(packed.astype(int) - fitted).mean() < 2


def test_npy(configure: Configure, photos: Path) -> None:
    out = pack(configure(size=16, encoding="npy")).out
    packed = np.frombuffer(read_samples(out)["05.jpg"]["npy"], np.uint8, offset=128)
    source = simplejpeg.decode_jpeg((photos / "05.jpg").read_bytes())
    assert np.array_equal(packed.reshape(16, 16, 3), faceae_shards.fit_image(source, None, 16))


def test_images_are_shuffled_by_the_seed(configure: Configure, tmp_path: Path) -> None:
    orders = []
    for number, seed in enumerate((0, 0, 1)):
        out = pack(configure(out=tmp_path / f"{number}", seed=seed)).out
        orders.append(list(read_samples(out)))
    assert orders[0] == orders[1] != orders[2]
    assert orders[0] != sorted(orders[0])


def test_number_of_workers_changes_no_byte(
    configure: Configure, tmp_path: Path, photos: Path, hash_tree: HashTree
) -> None:
    (photos / "07.jpg").write_bytes(b"not an image")
    one = pack(configure(out=tmp_path / "one", workers=1)).out
    two = pack(configure(out=tmp_path / "two", workers=2)).out
    assert hash_tree(one) == hash_tree(two)


def test_time_and_owner_of_source_files_change_no_byte(
    configure: Configure, tmp_path: Path, photos: Path, hash_tree: HashTree
) -> None:
    first = pack(configure(out=tmp_path / "one")).out
    for file in photos.iterdir():
        os.utime(file, (1, 1))
    assert hash_tree(first) == hash_tree(pack(configure(out=tmp_path / "two")).out)


def test_zip_and_list_hold_the_same_images(
    configure: Configure, tmp_path: Path, photos: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for file in photos.iterdir():
            archive.write(file, file.name)
    (tmp_path / "list.txt").write_text("".join(f"photos/{f.name}\n" for f in photos.iterdir()))
    expected = {f.name: f.read_bytes() for f in photos.iterdir()}
    for source, workers in (("photos.zip", 1), ("photos.zip", 2), ("list.txt", 1)):
        out = tmp_path / f"out-{source}-{workers}"
        pack(configure(source=tmp_path / source, out=out, workers=workers))
        packed = {Path(name).name: s["jpg"] for name, s in read_samples(out).items()}
        assert packed == expected


def test_repaired_images_and_unusable_profiles_are_counted(
    configure: Configure, photos: Path, encode: Encode
) -> None:
    whole = pack(configure(out=photos.parent / "whole"))
    assert (whole.num_repaired, whole.num_profiles_ignored) == (0, 0)
    content = json.loads((photos.parent / "whole" / "dataset.json").read_text())
    assert not {"num_repaired", "num_profiles_ignored"} & set(content)
    assert "max_pixels" not in content["config"]
    for number in range(3):
        photo = photos / f"{number:02}.jpg"
        photo.write_bytes(photo.read_bytes().replace(b"\xff\xdb", b"\0\0\xff\xdb", 1))
    image = Image.fromarray(simplejpeg.decode_jpeg((photos / "05.jpg").read_bytes()))
    (photos / "05.jpg").write_bytes(encode(image, icc_profile=b"junk" * 99))
    summary = pack(configure())
    assert (summary.num_repaired, summary.num_profiles_ignored) == (3, 1)
    assert (summary.num_converted, summary.num_rejected) == (0, {})
    assert verify(summary.out).problems == ()


def test_limit_of_pixels(configure: Configure, photos: Path, encode: Encode) -> None:
    (photos / "large.png").write_bytes(encode(np.zeros((50, 50, 3), np.uint8), "PNG"))
    summary = pack(configure(max_pixels=2000))
    assert summary.num_rejected == {"too large": 1}
    assert pack(configure(max_pixels=2000)).already_complete
    with pytest.raises(ShardsError, match="max_pixels"):
        pack(configure())
    with pytest.raises(ShardsError, match="max_pixels"):
        configure(max_pixels=0)


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".JPE", ".avif", ".heic", ".HEIF"])
def test_suffixes_of_images(
    configure: Configure, photos: Path, encode: Encode, suffix: str
) -> None:
    photo = photos / "00.jpg"
    photo.rename(photo.with_suffix(suffix))
    assert sum(pack(configure()).num_samples.values()) == 20


@pytest.fixture
def mixed(photos: Path, encode: Encode) -> Path:
    """Beside the 20 photos: images to convert, files to refuse, files to ignore."""
    good = (photos / "00.jpg").read_bytes()
    grey = simplejpeg.decode_jpeg(good)[:, :, 0]
    files: dict[str, bytes] = {
        "grey.jpg": encode(grey),
        "picture.PNG": encode(simplejpeg.decode_jpeg(good), "PNG"),
        "cut.jpg": good[:400],
        "empty.jpg": b"",
        "quota.jpg": b"<!doctype html><title>Quota exceeded</title>",
        "tiny.jpg": encode(grey[:1, :1]),
        "README.md": b"about",
        "Thumbs.db": b"junk",
        ".DS_Store": b"junk",
    }
    for name, data in files.items():
        (photos / name).write_bytes(data)
    (photos / "person a").mkdir()
    (photos / "person a" / "00.jpg").write_bytes(good)
    return photos


def test_bad_images_never_stop_a_pack(configure: Configure, mixed: Path) -> None:
    summary = pack(configure())
    assert sum(summary.num_samples.values()) == 23
    assert summary.num_converted == 2
    assert summary.num_ignored == 2
    assert summary.num_rejected == {"empty": 1, "not an image": 1, "too small": 1, "truncated": 1}
    assert summary.rejected_examples["truncated"] == ["cut.jpg"]
    rejected = read_rejected(summary.out)
    assert {line["name"] for line in rejected} == {"cut.jpg", "empty.jpg", "quota.jpg", "tiny.jpg"}
    assert {"split", "key", "name", "reason", "detail"} == set(rejected[0])
    samples = read_samples(summary.out)
    assert {"00.jpg", "person a/00.jpg", "grey.jpg", "picture.PNG"} <= set(samples)
    assert simplejpeg.decode_jpeg_header(samples["grey.jpg"]["jpg"])[2] == "YCbCr"


def test_a_refused_image_leaves_a_gap_and_changes_nothing_else(
    configure: Configure, photos: Path, tmp_path: Path
) -> None:
    def read_keys(out: Path) -> set[str]:
        keys = set()
        for path in out.rglob("*.tar"):
            with tarfile.open(path) as tar:
                keys |= {f"{path.parent.name} {info.name}" for info in tar}
        return keys

    whole = read_keys(pack(configure(out=tmp_path / "whole")).out)
    (photos / "07.jpg").write_bytes(b"")
    gap = read_keys(pack(configure(out=tmp_path / "gap")).out)
    [line] = read_rejected(tmp_path / "gap")
    missing = {f"{line['split']} {line['key']:09}.{suffix}" for suffix in ("jpg", "json")}
    assert whole - gap == missing


def test_shard_without_a_usable_image_is_left_out(configure: Configure, photos: Path) -> None:
    config = configure(samples_per_shard=1, split=(1, 0, 0))
    (photos / "00.jpg").write_bytes(b"")
    summary = pack(config)
    assert summary.num_shards == 19
    assert open_dataset(summary.out).num_samples("train") == 19
    assert faceae_shards.verify(summary.out, workers=1).problems == ()


def test_nothing_usable_leaves_nothing(configure: Configure, photos: Path) -> None:
    for file in photos.iterdir():
        file.write_bytes(b"no")
    config = configure(max_rejected=1.0)
    with pytest.raises(ShardsError, match=r"no image is left .* 20 not an image \(first: \d\d.jpg"):
        pack(config)
    assert not config.out.exists()


def test_full_disk_leaves_no_half_file_and_can_go_on(
    configure: Configure, hash_tree: HashTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = hash_tree(pack(configure(out=tmp_path / "expected")).out)
    written = 0

    def write(self: object, data: bytes) -> None:
        nonlocal written
        written += len(data)
        if written > 25_000:
            raise OSError(28, "No space left on device")
        original(self, data)

    from faceae_shards.dataset._tar import _TarWriter

    original = _TarWriter._write
    monkeypatch.setattr(_TarWriter, "_write", write)
    config = configure()
    with pytest.raises(OSError, match="No space"):
        pack(config)
    left = hash_tree(config.out)
    assert "dataset.json" not in left
    assert not [name for name in left if name.endswith(PART_SUFFIX)]
    tars = {name: digest for name, digest in left.items() if name.endswith(".tar")}
    assert 0 < len(tars) < 6
    assert tars.items() <= expected.items()

    monkeypatch.undo()
    pack(config)
    assert hash_tree(config.out) == expected


def test_celeba_in_a_zip(
    configure: Configure, photos: Path, tmp_path: Path, picture: NDArray[np.uint8]
) -> None:
    files = sorted(photos.iterdir())
    partition = "".join(f"{file.name} {i % 3}\n" for i, file in enumerate(files))
    attributes = "20\nMale Young\n" + "".join(f"{file.name} 1 -1\n" for file in files)
    with zipfile.ZipFile(tmp_path / "celeba.zip", "w") as archive:
        archive.writestr("Eval/list_eval_partition.txt", partition)
        archive.writestr("Anno/list_attr_celeba.txt", attributes)
        archive.writestr("README.txt", "about")
        for file in files:
            archive.write(file, f"img_align_celeba/{file.name}")
    summary = pack(configure(source=tmp_path / "celeba.zip"))
    assert summary.split_by == "partition"
    assert summary.num_samples == {"train": 7, "valid": 7, "test": 6}
    assert summary.num_ignored == 1
    assert summary.notes == ("CelebA has 202,599 images, this source holds 20",)
    dataset = open_dataset(summary.out)
    assert dataset.attribute_names == ("Male", "Young")
    described = json.loads(read_samples(summary.out)["img_align_celeba/00.jpg"]["json"])
    assert described["attributes"] == {"Male": 1, "Young": -1}


def test_partition_without_training_images(configure: Configure, photos: Path) -> None:
    lines = [f"{file.name} 1\n" for file in photos.iterdir()]
    (photos / "list_eval_partition.txt").write_text("".join(lines))
    with pytest.raises(ShardsError, match="no image to train on"):
        pack(configure())


def test_progress_counts_every_image(configure: Configure, mixed: Path) -> None:
    calls: list[tuple[int, int]] = []
    pack(configure(), lambda done, total: calls.append((done, total)))
    assert calls[-1] == (27, 27)


def test_out_that_holds_something_else(configure: Configure) -> None:
    config = configure()
    config.out.mkdir()
    (config.out / "thesis.tex").touch()
    with pytest.raises(ShardsError, match="is not empty; choose a new folder"):
        pack(config)
    assert [file.name for file in config.out.iterdir()] == ["thesis.tex"]


def test_out_that_is_a_file(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ShardsError, match="is a file"):
        pack(configure(out=tmp_path / "file"))


def test_out_inside_the_source(configure: Configure, photos: Path) -> None:
    with pytest.raises(ShardsError, match="lies inside the source"):
        pack(configure(out=photos / "deep" / "out"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": 15}, "`crop` must be at least 16"),
        ({"size": 0}, "`size` must be at least 16"),
        ({"samples_per_shard": 0}, "`samples_per_shard` must be at least 1"),
        ({"workers": 0}, "`workers` must be at least 1"),
        ({"seed": -1}, "`seed` must be at least 0"),
        ({"max_rejected": 1.1}, "`max_rejected` must be from 0 to 1"),
        ({"max_rejected": float("nan")}, "`max_rejected` must be from 0 to 1"),
        ({"encoding": "npy"}, "`encoding='npy'` needs images of one size; give `size`"),
        ({"encoding": "png", "size": 16}, "`encoding` must be jpg or npy"),
        ({"crop": 32, "size": 33}, "`size` 33 would enlarge"),
        ({"split": (0.9, 0.05)}, "three numbers"),
        ({"split": (1.1, -0.05, -0.05)}, "three numbers from 0 to 1"),
        ({"split": (float("nan"), 0.5, 0.5)}, "three numbers from 0 to 1"),
        ({"split": (0.9, 0.05, 0.06)}, "sums to 1.01"),
        ({"split": (0.0, 0.5, 0.5)}, "nothing to train on"),
    ],
)
def test_bad_options(configure: Configure, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ShardsError, match=message):
        configure(**options)


def test_split_that_does_not_exist(configure: Configure) -> None:
    dataset = open_dataset(pack(configure(split=(1, 0, 0))).out)
    with pytest.raises(ShardsError, match="no samples in split 'valid'; it has: train"):
        dataset.shard_paths("valid")


def test_every_split_that_is_asked_for_gets_an_image(configure: Configure, tmp_path: Path) -> None:
    assert pack(configure(split=(0.98, 0.01, 0.01))).num_samples == {
        "train": 18,
        "valid": 1,
        "test": 1,
    }
    assert pack(configure(split=(0.5, 0.5, 0), out=tmp_path / "two")).notes == ()
