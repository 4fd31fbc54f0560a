"""Sources behind URLs, in fsspec's file system of this process's memory."""

import json
import tarfile
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import fsspec
import pytest

from faceae_shards import ImageRefused, PackConfig, ShardsError, pack
from faceae_shards.sources._detect import list_source
from faceae_shards.sources.files._files import Span
from faceae_shards.sources.files._remote_files import RemoteFiles, parent_of
from faceae_shards.storage._remote import parse_location

Configure = Callable[..., PackConfig]
HashTree = Callable[[Path], dict[str, str]]


@pytest.fixture
def memory() -> Iterator[str]:
    """A folder in memory, as a URL."""
    url = f"memory://{uuid.uuid4().hex}"
    yield url
    system, path = fsspec.core.url_to_fs(url)
    if system.exists(path):
        system.rm(path, recursive=True)


def upload(local: Path, url: str) -> str:
    """Copy a file, or what a folder holds, and return where it is."""
    system, path = fsspec.core.url_to_fs(url)
    files = sorted(f for f in local.rglob("*") if f.is_file()) if local.is_dir() else [local]
    for file in files:
        name = f"/{file.relative_to(local)}" if local.is_dir() else ""
        system.pipe_file(path + name, file.read_bytes())
    return url


def make_archives(photos: Path, folder: Path) -> None:
    """The photos as a zip, a tar, shards and a list, beside the folder of the same name."""
    files = sorted(photos.iterdir())
    with zipfile.ZipFile(folder / "photos.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, f"in/{file.name}")
    (folder / "wds").mkdir()
    for name in ("photos.tar", "wds/train-0.tar", "wds/val-0.tar"):
        with tarfile.open(folder / name, "w") as tar:
            for file in files:
                text = folder / "text.json"
                text.write_text(json.dumps({"attributes": {"Male": 1}, "of": file.name}))
                tar.add(file, file.name)
                tar.add(text, f"{file.stem}.json")
    (folder / "text.json").unlink()
    (folder / "list.txt").write_text("".join(f"photos/{file.name}\n" for file in files))


@pytest.mark.parametrize("name", ["photos", "photos.zip", "photos.tar", "wds", "list.txt"])
def test_same_bytes_as_from_a_path(
    name: str,
    memory: str,
    photos: Path,
    tmp_path: Path,
    configure: Configure,
    hash_tree: HashTree,
) -> None:
    lines = "".join(f"{file.name} 1 -1\n" for file in sorted(photos.iterdir()))
    (tmp_path / "in").mkdir()
    photos.rename(tmp_path / "in" / "photos")
    make_archives(tmp_path / "in" / "photos", tmp_path / "in")
    if name != "wds":  # whose images are described by their own json
        (tmp_path / "in" / "Anno").mkdir()
        (tmp_path / "in" / "Anno" / "list_attr_celeba.txt").write_text(f"20\nMale Young\n{lines}")
    upload(tmp_path / "in", memory)
    local = pack(configure(source=tmp_path / "in" / name, out=tmp_path / "local"))
    remote = pack(configure(source=f"{memory}/{name}", out=tmp_path / "remote"))
    assert hash_tree(remote.out) == hash_tree(local.out)
    assert "attributes" in json.loads((remote.out / "dataset.json").read_text())["annotations"]


def test_list_of_urls(memory: str, photos: Path, tmp_path: Path, configure: Configure) -> None:
    upload(photos, memory)
    urls = [f"{memory}/{file.name}" for file in sorted(photos.iterdir())]
    (tmp_path / "list.txt").write_text("\n".join([*urls, f"{memory}/nowhere.jpg"]))
    summary = pack(configure(source=tmp_path / "list.txt"))
    assert sum(summary.num_samples.values()) == 20
    assert summary.rejected_examples == {"missing": [f"{memory}/nowhere.jpg"]}


def test_list_of_urls_and_paths(memory: str, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"{memory}/a.jpg\nphotos/00.jpg\n")
    with pytest.raises(ShardsError, match=r"list\.txt names URLs and paths \(photos/00\.jpg\)"):
        list_source(tmp_path / "list.txt")


def test_hidden_files_are_skipped(memory: str, photos: Path) -> None:
    for name in ("a.jpg", ".b.jpg", "__MACOSX/a.jpg", "c/.d/e.jpg"):
        upload(photos / "00.jpg", f"{memory}/{name}")
    assert list(list_source(memory).entries.names) == ["a.jpg"]


def test_nothing_there(memory: str) -> None:
    with pytest.raises(ShardsError, match=f"{memory}/a does not exist"):
        list_source(f"{memory}/a")


def test_html_page(memory: str) -> None:
    system, path = fsspec.core.url_to_fs(f"{memory}/a.zip")
    system.pipe_file(path, b"<!doctype html><title>Quota exceeded</title>")
    with pytest.raises(ShardsError, match=r"a\.zip is an HTML page"):
        list_source(f"{memory}/a.zip")


def test_file_that_grows_after_it_was_listed(memory: str, photos: Path) -> None:
    source = list_source(upload(photos, memory))
    system, path = fsspec.core.url_to_fs(f"{memory}/00.jpg")
    system.pipe_file(path, system.cat_file(path) + b"x")
    with closing(source.open_reader()) as reader, pytest.raises(ShardsError, match="changed while"):
        reader.read(source.entries[0])


@pytest.mark.parametrize("name", ["photos.zip", "photos.tar"])
def test_archive_that_is_replaced(memory: str, name: str, photos: Path, tmp_path: Path) -> None:
    make_archives(photos, tmp_path)
    source = list_source(upload(tmp_path / name, f"{memory}/{name}"))
    upload(tmp_path / name, f"{memory}/{name}")  # of the same size, at another time
    with closing(source.open_reader()) as reader, pytest.raises(ShardsError, match="changed while"):
        reader.read(source.entries[0])


def test_neighbours_are_fetched_by_one_request(
    memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, path = fsspec.core.url_to_fs(f"{memory}/a")
    system.pipe_file(path, bytes(range(200)) * 1000)
    asked: list[tuple[int, int]] = []
    cat_file = type(system).cat_file

    def count(self: object, path: str, start: int, end: int) -> bytes:
        asked.append((start, end))
        data: bytes = cat_file(self, path, start=start, end=end)
        return data

    monkeypatch.setattr(type(system), "cat_file", count)
    spans = [Span("a", 0, 10), Span("a", 150_000, 150_010), Span("a", 20, 30)]
    with closing(RemoteFiles(memory)) as files:
        files.fetch(spans)
        assert [files.read(span)[0] for span in spans] == [0, 0, 20]
        assert sorted(asked) == [(0, 30), (150_000, 150_010)]
        files.fetch([])
        assert files.read(spans[2])[0] == 20
        assert len(asked) == 2
        files.fetch([])
        assert files.read(spans[2])[0] == 20
        assert len(asked) == 3


def test_failure_ahead_is_told_when_it_is_read(memory: str, photos: Path) -> None:
    source = list_source(upload(photos, memory))
    system, path = fsspec.core.url_to_fs(f"{memory}/01.jpg")
    with closing(source.open_reader()) as reader:
        system.rm(path)
        reader.prefetch(list(source.entries))
        assert reader.read(source.entries[0]) == (photos / "00.jpg").read_bytes()
        with pytest.raises(ShardsError, match=r"01\.jpg does not exist"):
            reader.read(source.entries[1])


def test_list_names_what_is_missing(memory: str, photos: Path) -> None:
    upload(photos, memory)
    system, path = fsspec.core.url_to_fs(f"{memory}/list.txt")
    system.pipe_file(path, b"00.jpg\n../nowhere/1.jpg\n")
    source = list_source(f"{memory}/list.txt")
    with closing(source.open_reader()) as reader, pytest.raises(ImageRefused, match="missing"):
        reader.read(source.entries[1])


@pytest.mark.parametrize(
    ("url", "parent"),
    [
        ("s3://bucket/a/b.zip", "s3://bucket/a"),
        ("s3://bucket/a/", "s3://bucket"),
        ("https://host/a/b.zip?key=x/y#z", "https://host/a"),
    ],
)
def test_parent_of_a_url(url: str, parent: str) -> None:
    assert parent_of(url) == parent


def test_urls_stay_urls() -> None:
    config = PackConfig(source=parse_location("gs://bucket/faces"), out=Path("out"))
    assert config.source == "gs://bucket/faces"
