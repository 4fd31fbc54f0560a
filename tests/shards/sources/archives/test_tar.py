"""Tars as sources: plain ones, WebDataset shards of others, and our own."""

import io
import json
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from faceae_shards import ImageRefused, PackConfig, ShardsError, open_dataset, pack, verify
from faceae_shards.dataset._tar import read_members
from faceae_shards.sources._detect import list_source
from faceae_shards.sources.files._local_files import _MAX_OPEN

Configure = Callable[..., PackConfig]


def make_tar(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def read_jsons(out: Path, split: str) -> dict[str, dict[str, Any]]:
    """Every sample's json by its name."""
    texts = [
        json.loads(data)
        for path in sorted((out / split).glob("*.tar"))
        for info, data in read_members(path)
        if info.name.endswith(".json")
    ]
    return {text["name"]: text for text in texts}


def test_plain_tar_is_read_without_unpacking(
    configure: Configure, photos: Path, tmp_path: Path
) -> None:
    members = {f"p{i % 4}/{f.name}": f.read_bytes() for i, f in enumerate(sorted(photos.iterdir()))}
    junk = {"p0/README": b"about", "__MACOSX/._a.jpg": b"", "p1/.hidden.jpg": b""}
    source = make_tar(tmp_path / "photos.tar", {**members, **junk})
    listed = list_source(source)
    assert listed.kind == "tar"
    assert [entry.name for entry in listed.others] == ["p0/README"]
    with closing(listed.open_reader()) as reader:
        assert {e.name: reader.read(e) for e in listed.entries} == members
    summary = pack(configure(source=source, split=(0.5, 0.25, 0.25)))
    assert summary.split_by == "person"
    assert sum(summary.num_samples.values()) == 20


def test_tar_is_told_by_content(photos: Path, tmp_path: Path) -> None:
    data = (photos / "00.jpg").read_bytes()
    assert list_source(make_tar(tmp_path / "archive", {"a.jpg": data})).kind == "tar"


@pytest.mark.parametrize("workers", [1, 2])
def test_shards_of_webdataset_keep_their_json(
    configure: Configure, photos: Path, tmp_path: Path, workers: int
) -> None:
    webdataset = pytest.importorskip("webdataset")
    (tmp_path / "wds").mkdir()
    with webdataset.ShardWriter(str(tmp_path / "wds/%05d.tar"), maxcount=7, verbose=0) as writer:
        for number, file in enumerate(sorted(photos.iterdir())):
            text = {"caption": "a face", "attributes": {"Male": 1}, "width": 9, "key": number}
            sample = {"__key__": f"{number:05}", "jpg": file.read_bytes(), "json": text}
            writer.write({**sample, "txt": "a face"})
    summary = pack(configure(source=tmp_path / "wds", workers=workers))
    assert summary.split_by == "image"
    assert summary.num_ignored == 20
    described = {
        k: v for s in ("train", "valid", "test") for k, v in read_jsons(summary.out, s).items()
    }
    assert described["00001.tar/00008.jpg"] == {
        "name": "00001.tar/00008.jpg",
        "caption": "a face",
        "attributes": {"Male": 1},
        "key": 8,
        "width": 40,
        "height": 48,
    }
    dataset = open_dataset(summary.out)
    assert dataset.attribute_names == ("Male",)
    assert dataset.manifest.annotations == ("caption", "attributes", "key")


def test_own_dataset_is_packed_again_with_its_splits_and_names(
    configure: Configure, photos: Path, tmp_path: Path
) -> None:
    lines = "".join(f"{file.name} 1 -1\n" for file in sorted(photos.iterdir()))
    (photos / "list_attr_celeba.txt").write_text("20\nMale Young\n" + lines)
    first = pack(configure()).out
    summary = pack(configure(source=first, out=tmp_path / "again", size=16, samples_per_shard=10))
    assert summary.split_by == "source"
    assert summary.num_samples == {"train": 16, "valid": 2, "test": 2}
    for split in summary.num_samples:
        before, after = read_jsons(first, split), read_jsons(summary.out, split)
        assert before.keys() == after.keys()
        assert all(text["attributes"] == {"Male": 1, "Young": -1} for text in after.values())
        assert all(text["width"] == 16 for text in after.values())
    assert open_dataset(summary.out).attribute_names == ("Male", "Young")
    assert verify(summary.out, workers=1).problems == ()


def test_list_of_tars(configure: Configure, photos: Path, tmp_path: Path) -> None:
    names = []
    for number, file in enumerate(sorted(photos.iterdir())):
        split = "val" if number % 4 == 0 else "train"
        names.append(f"data/{split}-{number}.tar")
        make_tar(tmp_path / names[-1], {"a.jpg": file.read_bytes()})
    (tmp_path / "list.txt").write_text("\n".join(names))
    summary = pack(configure(source=tmp_path / "list.txt"))
    assert summary.num_samples == {"train": 15, "valid": 5}


def test_more_tars_than_files_may_be_open(photos: Path, tmp_path: Path) -> None:
    data = (photos / "00.jpg").read_bytes()
    for number in range(_MAX_OPEN + 3):
        make_tar(tmp_path / "wds" / f"{number}.tar", {"a.jpg": data})
    source = list_source(tmp_path / "wds")
    reader = source.open_reader()
    with closing(reader):
        assert all(reader.read(entry) == data for entry in source.entries)
        assert len(reader.files._files) <= _MAX_OPEN


@pytest.mark.parametrize("text", [b"{", b"[1]"])
def test_damaged_json_refuses_its_image(photos: Path, tmp_path: Path, text: bytes) -> None:
    data = (photos / "00.jpg").read_bytes()
    source = list_source(make_tar(tmp_path / "a.tar", {"a.jpg": data, "a.json": text}))
    with closing(source.open_reader()) as reader, pytest.raises(ImageRefused, match="bad json"):
        reader.describe(source.entries[0])


@pytest.mark.parametrize("keep", [512 * 5 + 100, 512 * 4])
def test_cut_tar(photos: Path, tmp_path: Path, keep: int) -> None:
    # Python's tarfile, webdataset and DALI all take the second for a whole tar of fewer images.
    path = make_tar(tmp_path / "a.tar", {"a.jpg": b"x" * 1000, "b.jpg": b"x" * 1500})
    path.write_bytes(path.read_bytes()[: keep - 512])
    with pytest.raises(ShardsError, match=r"a\.tar .*(cut short|cannot be read).*get it again"):
        list_source(path)


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
def test_compressed_tar(tmp_path: Path, kind: str) -> None:
    path = make_tar(tmp_path / "a.tar", {"a.jpg": b"x"}, f"w:{kind}")
    with pytest.raises(ShardsError, match=r"a\.tar cannot be read as a tar .*; uncompress it"):
        list_source(path)


def test_what_was_appended_to_a_tar_is_passed_over(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tar", {"a.jpg": b"x"})
    path.write_bytes(path.read_bytes() + b"signature" * 200)
    assert list(list_source(path).entries.names) == ["a.jpg"]


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo(".hidden.jpg"))
        folder = tarfile.TarInfo("folder.jpg")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        tar.addfile(tarfile.TarInfo("a.jpg"))
    assert list(list_source(path).entries.names) == ["a.jpg"]


def test_links_in_a_circle_are_refused_by_name(tmp_path: Path, photos: Path) -> None:
    photo = min(photos.iterdir()).read_bytes()
    links = {
        "first.jpg": (tarfile.SYMTYPE, "second.jpg"),
        "second.jpg": (tarfile.SYMTYPE, "third.jpg"),
        "third.jpg": (tarfile.SYMTYPE, "second.jpg"),
    }
    source = list_source(make_linked_tar(tmp_path / "t.tar", photo, links))
    sizes = {entry.name: entry.num_bytes for entry in source.entries}
    assert [sizes[name] for name in links] == [None, None, None]


def test_html_page_named_tar(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_text("<html>Quota exceeded</html>")
    with pytest.raises(ShardsError, match=r"a\.tar is an HTML page"):
        list_source(tmp_path / "a.tar")


def test_tar_that_changes_while_it_is_packed(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tar", {"a.jpg": b"x" * 1000})
    source = list_source(path)
    path.write_bytes(b"")
    with closing(source.open_reader()) as reader, pytest.raises(ShardsError, match="changed while"):
        reader.read(source.entries[0])


def test_nan_and_null_never_reach_the_json(
    tmp_path: Path, configure: Configure, photos: Path
) -> None:
    photo = min(photos.iterdir()).read_bytes()
    text = b'{"attributes":{"Male":null,"Young":NaN,"Smiling":1},"score":[1,Infinity],"age":1e999}'
    members = {"0.jpg": photo, "0.json": text, "1.jpg": photo}
    make_tar(tmp_path / "train" / "0.tar", members)
    out = pack(configure(source=tmp_path / "train", split=(1, 0, 0), out=tmp_path / "out")).out
    (described,) = [text for text in read_jsons(Path(out), "train").values() if "score" in text]
    assert described["attributes"] == {"Smiling": 1}
    assert described["score"] == [1, None]
    assert described["age"] is None


def test_a_sample_with_two_pictures(tmp_path: Path) -> None:
    make_tar(tmp_path / "0.tar", {"0.jpg": b"x", "0.png": b"x", "0.seg.png": b"x"})
    with pytest.raises(ShardsError, match=r"sample 0\.tar/0 holds two pictures.*`image_column='"):
        list_source(tmp_path)
    assert list(list_source(tmp_path, "png").entries.names) == ["0.tar/0.png"]


def make_linked_tar(path: Path, photo: bytes, links: dict[str, tuple[bytes, str]]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name in ("photos/a.jpg", "photos/b.jpg"):
            info = tarfile.TarInfo(name)
            info.size = len(photo)
            tar.addfile(info, io.BytesIO(photo))
        for name, (kind, target) in links.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            tar.addfile(info)
    return path


def test_links_are_read_as_what_they_lead_to(tmp_path: Path, photos: Path) -> None:
    photo = min(photos.iterdir()).read_bytes()
    links = {
        "photos/hard.jpg": (tarfile.LNKTYPE, "photos/a.jpg"),
        "photos/soft.jpg": (tarfile.SYMTYPE, "b.jpg"),
        "up/soft.jpg": (tarfile.SYMTYPE, "../photos/b.jpg"),
        "up/chain.jpg": (tarfile.SYMTYPE, "soft.jpg"),
    }
    source = list_source(make_linked_tar(tmp_path / "t.tar", photo, links))
    assert len(source.entries) == 6
    with closing(source.open_reader()) as reader:
        assert {reader.read(entry) for entry in source.entries} == {photo}


@pytest.mark.parametrize("target", ["nowhere.jpg", "dead.jpg", "/etc/passwd", "../../a.jpg"])
def test_a_link_that_leads_out_is_refused_by_name(
    tmp_path: Path, photos: Path, target: str
) -> None:
    photo = min(photos.iterdir()).read_bytes()
    links = {"photos/dead.jpg": (tarfile.SYMTYPE, target)}
    source = list_source(make_linked_tar(tmp_path / "t.tar", photo, links))
    (dead,) = [entry for entry in source.entries if entry.name == "photos/dead.jpg"]
    with closing(source.open_reader()) as reader, pytest.raises(ImageRefused, match="link"):
        reader.read(dead)


def test_concatenated_tars_are_read_whole(tmp_path: Path, photos: Path) -> None:
    data = min(photos.iterdir()).read_bytes()
    tars = [make_tar(tmp_path / f"{n}.tar", {f"{n}.jpg": data, f"{n}.json": b"{}"}) for n in "abc"]
    joined = tmp_path / "joined.tar"
    joined.write_bytes(b"".join(tar.read_bytes() for tar in tars))
    source = list_source(joined)
    assert list(source.entries.names) == ["a.jpg", "b.jpg", "c.jpg"]
    with closing(source.open_reader()) as reader:
        assert [reader.read(entry) for entry in source.entries] == [data] * 3
    joined.write_bytes(joined.read_bytes() + b"and more")
    assert len(list_source(joined).entries) == 3


@pytest.mark.parametrize("version", ["0.0", "1.0"])
def test_a_sparse_member_is_refused_alone(tmp_path: Path, photos: Path, version: str) -> None:
    data = min(photos.iterdir()).read_bytes()
    with tarfile.open(tmp_path / "t.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        for name, headers in {
            "a.jpg": {},
            "s.jpg": {
                "0.0": {"GNU.sparse.size": "99999", "GNU.sparse.numblocks": "1"},
                "1.0": {
                    "GNU.sparse.major": "1",
                    "GNU.sparse.minor": "0",
                    "GNU.sparse.name": "s.jpg",
                    "GNU.sparse.realsize": "99999",
                },
            }[version],
        }.items():
            content = data
            if headers:
                content = b"1\n0\n5\n".ljust(512, b"\0") + b"12345"
                if version == "0.0":
                    headers |= {"GNU.sparse.offset": "0", "GNU.sparse.numbytes": "5"}
            info = tarfile.TarInfo(name)
            info.pax_headers = headers
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    source = list_source(tmp_path / "t.tar")
    entries = {entry.name: entry for entry in source.entries}
    with closing(source.open_reader()) as reader:
        assert reader.read(entries["a.jpg"]) == data
        with pytest.raises(ImageRefused, match="sparse"):
            reader.read(entries["s.jpg"])


def test_names_with_a_dot_folder_are_not_hidden(tmp_path: Path) -> None:
    # `tar -C folder -c .` writes them.
    members = {"./a.jpg": b"a", "./p/b.jpg": b"b", "../c.jpg": b"c", "./.hidden.jpg": b""}
    source = list_source(make_tar(tmp_path / "photos.tar", members))
    assert list(source.entries.names) == ["a.jpg", "p/b.jpg", "../c.jpg"]


def test_a_later_member_replaces_one_of_the_same_name(tmp_path: Path) -> None:
    first = {"./0.jpg": b"old", "./0.json": b'{"caption": "old"}', "./1.jpg": b"one"}
    path = make_tar(tmp_path / "photos.tar", first)
    make_tar(path, {"0.jpg": b"new", "0.json": b'{"caption": "new"}'}, "a")
    source = list_source(path)
    assert sorted(source.entries.names) == ["0.jpg", "1.jpg"]
    with closing(source.open_reader()) as reader:
        entry = next(entry for entry in source.entries if entry.name == "0.jpg")
        assert reader.read(entry) == b"new"
        assert reader.describe(entry) == {"caption": "new"}
    (note,) = source.notes
    assert "2 files" in note


def test_json_whose_fields_are_named_like_those_of_a_sample(
    configure: Configure, photos: Path, tmp_path: Path
) -> None:
    """Who is in a picture is not what the picture is called."""
    members = {}
    for number, file in enumerate(sorted(photos.iterdir())):
        text = {"name": f"person {number}", "attributes": ["smiling"], "source_name": None}
        members |= {f"{number:02}.jpg": file.read_bytes(), f"{number:02}.json": json.dumps(text)}
    members = {n: d if isinstance(d, bytes) else d.encode() for n, d in members.items()}
    out = pack(configure(source=make_tar(tmp_path / "a.tar", members))).out
    described = {k: v for s in ("train", "valid", "test") for k, v in read_jsons(out, s).items()}
    assert described["08.jpg"] == {
        "name": "08.jpg",
        "source_source_name": "person 8",
        "source_name": None,
        "source_attributes": ["smiling"],
        "width": 40,
        "height": 48,
    }
    assert open_dataset(out).attribute_names == ()
