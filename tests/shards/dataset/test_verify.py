"""Every kind of damage is found, by the file's name; loaders refuse what is cheap to see."""

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import faceae_shards
from faceae_shards import PackConfig, ShardsError, open_dataset, pack, reindex, verify
from faceae_shards._format import hash_file, hash_json
from faceae_shards.dataset import read_dataset
from faceae_shards.dataset._reindex import _rebuild
from faceae_shards.dataset._tar import read_members
from faceae_shards.storage import open_storage

Configure = Callable[..., PackConfig]
Damage = Callable[[Path], None]

TAR = "train/train-000001.tar"
INDEX = "train/train-000001.idx"


@pytest.fixture(params=["jpg", "npy"])
def packed(configure: Configure, request: pytest.FixtureRequest) -> Path:
    return pack(configure(encoding=request.param, size=16)).out


@pytest.fixture
def out(configure: Configure) -> Path:
    return pack(configure()).out


@pytest.mark.parametrize("workers", [1, 2])
def test_sound_dataset(packed: Path, workers: int) -> None:
    counts: list[tuple[int, int]] = []
    report = verify(packed, workers, lambda *done: counts.append(done))
    assert report.problems == ()
    assert (report.num_shards, report.num_samples) == (6, 20)
    assert report.num_bytes == sum(file.stat().st_size for file in packed.rglob("*.tar"))
    assert counts[-1] == (20, 20)


def flip_pixel_byte(out: Path) -> None:
    content = bytearray((out / TAR).read_bytes())
    with tarfile.open(out / TAR) as tar:
        member = tar.getmembers()[2]
    content[member.offset_data + member.size // 2] ^= 0xFF
    (out / TAR).write_bytes(content)


def cut_tar(out: Path) -> None:
    content = (out / TAR).read_bytes()
    (out / TAR).write_bytes(content[: len(content) // 2 // 512 * 512])


def remove_tar(out: Path) -> None:
    (out / TAR).unlink()


def remove_index(out: Path) -> None:
    (out / INDEX).unlink()


def make_index_stale(out: Path) -> None:
    (out / INDEX).write_bytes((out / "train/train-000002.idx").read_bytes())


def shift_index(out: Path) -> None:
    text = (out / INDEX).read_text()
    first = text.split()[3]
    assert first == "512"
    (out / INDEX).write_text(text.replace("512", "511", 1))


def swap_tars(out: Path) -> None:
    other = (out / "train/train-000002.tar").read_bytes()
    (out / TAR).write_bytes(other)


def edit_sample_json(out: Path) -> None:
    content = (out / TAR).read_bytes()
    (out / TAR).write_bytes(content.replace(b'"width":40', b'"width":41', 1))


def add_shard(out: Path) -> None:
    (out / "train/train-000009.tar").write_bytes((out / TAR).read_bytes())


def add_file(out: Path) -> None:
    (out / "notes.txt").write_text("mine")


def edit_rejected(out: Path) -> None:
    (out / "rejected.jsonl").write_text('{"name": "me.jpg"}\n')


def remove_rejected(out: Path) -> None:
    (out / "rejected.jsonl").unlink()


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (flip_pixel_byte, [f"{TAR} differs from what was packed (sha256)"]),
        (cut_tar, [f"{TAR} has", f"{TAR} holds", f"{INDEX} is not the index of its tar"]),
        (remove_tar, [f"{TAR} is missing"]),
        (remove_index, [f"{INDEX} is missing"]),
        (make_index_stale, [f"{INDEX} ", f"{INDEX} is not the index of its tar"]),
        (shift_index, [f"{INDEX} differs", f"{INDEX} is not the index of its tar"]),
        (swap_tars, [f"{TAR} "]),
        (edit_sample_json, [f"{TAR} differs", "its json gives another size than the image's"]),
        (add_shard, ["train/train-000009.tar does not belong to the dataset"]),
        (add_file, ["notes.txt does not belong to the dataset"]),
        (edit_rejected, ["rejected.jsonl differs"]),
        (remove_rejected, ["rejected.jsonl is missing"]),
    ],
)
def test_damage_is_found(out: Path, damage: Damage, expected: list[str]) -> None:
    damage(out)
    problems = "\n".join(verify(out, workers=1).problems)
    assert problems
    for text in expected:
        assert text in problems


def test_all_damage_is_reported_at_once(out: Path) -> None:
    for damage in (flip_pixel_byte, remove_rejected, add_shard):
        damage(out)
    (out / "valid/valid-000000.idx").unlink()
    problems = "\n".join(verify(out, workers=2).problems)
    for name in (TAR, "rejected.jsonl", "train/train-000009.tar", "valid/valid-000000.idx"):
        assert name in problems


def test_junk_of_file_managers_is_no_problem(out: Path) -> None:
    (out / "train" / ".DS_Store").touch()
    assert verify(out, workers=1).problems == ()


def rebuild(out: Path, edit: Callable[[list[tuple[str, bytes]]], list[tuple[str, bytes]]]) -> None:
    """Write a shard anew with other members and let the manifest agree with its bytes."""
    members = edit([(info.name, data) for info, data in read_members(out / TAR)])
    with tarfile.open(out / TAR, "w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    manifest = json.loads((out / "dataset.json").read_text())
    shard = manifest["splits"]["train"][1]
    shard["num_bytes"] = (out / TAR).stat().st_size
    shard["sha256"] = hash_file(out / TAR)
    del manifest["hash"]
    manifest["hash"] = hash_json(manifest)
    (out / "dataset.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda m: [m[0], m[2], m[1], m[3], *m[4:]], "its key is there twice"),
        (lambda m: [(m[0][0], b"\xff\xd8\xff"), *m[1:]], "truncated: the JPEG header"),
        (lambda m: [m[0], (m[1][0], b"{"), *m[2:]], "its json is damaged"),
        (lambda m: [m[0], (m[1][0], b"[]"), *m[2:]], "its json names no image"),
        (lambda m: m[1:], "its members are json"),
        (lambda m: [("12.jpg", m[0][1]), ("12.json", m[1][1]), *m[2:]], "not a number of 9"),
        (lambda m: m[:-2], "holds 3 samples instead of 4"),
    ],
)
def test_content_is_checked_even_where_the_hashes_agree(
    out: Path,
    edit: Callable[[list[tuple[str, bytes]]], list[tuple[str, bytes]]],
    expected: str,
) -> None:
    rebuild(out, edit)
    assert expected in "\n".join(verify(out, workers=1).problems)


def test_image_of_another_size(configure: Configure, tmp_path: Path) -> None:
    small = pack(configure(size=16)).out
    large = pack(configure(size=18, out=tmp_path / "large")).out
    members = [(info.name, data) for info, data in read_members(large / TAR)]
    rebuild(small, lambda _: members)
    assert "the image has 18x18 pixels" in "\n".join(verify(small, workers=1).problems)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut_tar, f"{TAR} has .* bytes where dataset.json says"),
        (remove_tar, f"{TAR} is missing"),
        (remove_index, f"{INDEX} is missing"),
        (make_index_stale, f"{INDEX} "),
    ],
)
def test_loaders_refuse_what_is_cheap_to_see(out: Path, damage: Damage, message: str) -> None:
    damage(out)
    remedy = "delete the dataset and pack it again" if "tar" in message else "reindex=True"
    with pytest.raises(ShardsError, match=f"{message}.*; .*{remedy}"):
        open_dataset(out)


@pytest.mark.parametrize("damage", [remove_index, make_index_stale, shift_index])
def test_reindex_mends_indices(out: Path, damage: Damage) -> None:
    before = (out / INDEX).read_bytes()
    damage(out)
    assert reindex(out) == [INDEX]
    assert (out / INDEX).read_bytes() == before
    assert verify(out, workers=1).problems == ()
    assert reindex(out) == []


@pytest.mark.parametrize("damage", [cut_tar, swap_tars, remove_tar])
def test_reindex_trusts_no_damaged_tar(out: Path, damage: Damage) -> None:
    damage(out)
    remove_index(out)
    assert reindex(out) == []
    assert f"{INDEX} is missing" in verify(out, workers=1).problems


def test_index_of_the_same_size(out: Path) -> None:
    index = (out / INDEX).read_bytes()
    (out / INDEX).write_bytes(index.replace(b"v1.2 4", b"v1.2 3"))
    with pytest.raises(ShardsError, match="is not the index that was packed"):
        open_dataset(out)


@pytest.mark.parametrize("read", [open_dataset, verify])
@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: text[:-20], "is damaged"),
        (lambda text: text.replace('"num_samples": 4', '"num_samples": 5', 1), "was edited"),
        (lambda text: text.replace('"version": 1', '"version": 2'), "this faceae reads version 1"),
        (lambda text: "[]", "was not written by `faceae shard`"),
    ],
)
def test_manifest_that_cannot_be_relied_on(
    out: Path, read: Callable[[Path], object], edit: Callable[[str], str], message: str
) -> None:
    path = out / "dataset.json"
    path.write_text(edit(path.read_text()))
    with pytest.raises(ShardsError, match=message):
        read(out)


@pytest.mark.parametrize("read", [open_dataset, verify])
def test_no_dataset(tmp_path: Path, read: Callable[[Path], object]) -> None:
    with pytest.raises(ShardsError, match="does not exist"):
        read(tmp_path / "nowhere")
    with pytest.raises(ShardsError, match=r"holds no dataset\.json"):
        read(tmp_path)


def test_hash_identifies_the_data(configure: Configure, tmp_path: Path) -> None:
    hashes = [
        open_dataset(pack(configure(out=tmp_path / f"{n}", seed=seed)).out).hash
        for n, seed in enumerate((0, 0, 1))
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_public_names_exist() -> None:
    assert all(hasattr(faceae_shards, name) for name in faceae_shards.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = faceae_shards.nonsense


@pytest.mark.parametrize("is_tar", [True, False])
def test_reindex_writes_no_index_that_was_not_packed(out: Path, is_tar: bool) -> None:
    """The manifest agrees with a tar, but not with the index that follows from it."""
    dataset = read_dataset(out)
    shard = dataset.splits["train"][0]
    tar = out / shard.name
    if not is_tar:
        tar.write_bytes(b"x" * 2000)
    changed = replace(
        shard, num_bytes=tar.stat().st_size, sha256=hash_file(tar), index_sha256="0" * 64
    )
    message = "is not the one that was packed" if is_tar else "cannot be read as a tar"
    with pytest.raises(ShardsError, match=message):
        _rebuild(open_storage(out), changed)
