"""Sources on an S3 server and on a web server, read by several processes."""

import hashlib
import io
import socket
import tarfile
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import faceae_shards
from faceae_shards import ImageRefused, PackConfig, ShardsError, pack
from faceae_shards.sources._detect import list_source
from faceae_shards.storage._remote import connect


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing before a request is made again."""
    monkeypatch.setattr("faceae_shards.storage._remote._RETRY_DELAYS_S", (0.0, 0.0, 0.0))


def pack_into(out: Path, source: Path | str, **options: Any) -> dict[str, str]:
    """Pack with two processes and return the sha256 of each file."""
    options = {"split": (0.5, 0.25, 0.25), "samples_per_shard": 8, "workers": 2, **options}
    pack(PackConfig(source=source, out=out, **options))
    return {
        file.relative_to(out).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(out.rglob("*"))
        if file.is_file()
    }


def upload(folder: Path, url: str) -> str:
    system, path = connect(url)
    for file in sorted(f for f in folder.rglob("*") if f.is_file()):
        system.pipe_file(f"{path}/{file.relative_to(folder)}", file.read_bytes())
    return url


def make_zip(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.jpg")):
            archive.write(file, file.relative_to(folder))
    return path


def test_folder_in_a_bucket(bucket: str, face_folder: Path, tmp_path: Path) -> None:
    url = upload(face_folder, f"{bucket}/{face_folder.name}")
    local = pack_into(tmp_path / "local", face_folder)
    assert pack_into(tmp_path / "remote", url) == local
    assert pack_into(tmp_path / "slash", f"{url}/") == local


def test_zip_in_a_bucket(bucket: str, face_folder: Path, tmp_path: Path) -> None:
    path = make_zip(face_folder, tmp_path / "faces.zip")
    system, _ = connect(bucket)
    system.pipe_file(f"{bucket}/faces.zip", path.read_bytes())
    local = pack_into(tmp_path / "local", path, drop_duplicates=True)
    remote = pack_into(tmp_path / "remote", f"{bucket}/faces.zip", drop_duplicates=True)
    assert remote == local


def test_bucket_as_a_whole(bucket: str, face_folder: Path) -> None:
    upload(face_folder, bucket)
    assert len(list_source(bucket).entries) == 48


def test_object_that_changes_is_another_listing(bucket: str, face_folder: Path) -> None:
    before = list_source(upload(face_folder, bucket))
    system, path = connect(f"{bucket}/{before.entries[0].name}")
    system.pipe_file(path, bytes(before.entries[0].num_bytes or 0))
    after = list_source(bucket)
    assert before.hash_listing(with_times=False) == after.hash_listing(with_times=False)
    assert before.hash_listing(with_times=True) != after.hash_listing(with_times=True)


def test_missing_bucket(s3: str) -> None:
    with pytest.raises(ShardsError, match="s3://no-such-bucket/a does not exist"):
        list_source("s3://no-such-bucket/a")


def test_no_credentials(s3: str, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    connect(bucket)[0].clear_instance_cache()
    with pytest.raises(ShardsError, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        list_source(f"{bucket}/a")
    connect(bucket)[0].clear_instance_cache()


def test_zip_at_a_url(web: Any, face_folder: Path, tmp_path: Path) -> None:
    path = make_zip(face_folder, tmp_path / "my faces.zip")
    web.files["/a/my faces.zip"] = path.read_bytes()
    url = f"{web.url}/a/my%20faces.zip"
    assert pack_into(tmp_path / "remote", url) == pack_into(tmp_path / "local", path)
    assert web.failures == []


def test_zip_is_not_downloaded_whole(web: Any) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("large.bin", bytes(20 << 20))
        archive.writestr("a.jpg", b"image")
    web.files["/a.zip"] = stream.getvalue()
    source = list_source(f"{web.url}/a.zip?key=secret")
    with closing(source.open_reader()) as reader:
        assert reader.read(source.entries[0]) == b"image"
    assert web.num_bytes_sent < 10 << 20


def test_tar_and_annotations_beside_it(web: Any, face_folder: Path, tmp_path: Path) -> None:
    names = sorted(face_folder.rglob("*.jpg"))
    with tarfile.open(tmp_path / "faces.tar", "w") as tar:
        for file in names:
            tar.add(file, file.name)
    (tmp_path / "Anno").mkdir()
    lines = "".join(f"{file.name} {number % 7}\n" for number, file in enumerate(names))
    (tmp_path / "Anno" / "identity_CelebA.txt").write_text(lines)
    for file in ("faces.tar", "Anno/identity_CelebA.txt"):
        web.files[f"/{file}"] = (tmp_path / file).read_bytes()
    local = pack_into(tmp_path / "local", tmp_path / "faces.tar")
    assert pack_into(tmp_path / "remote", f"{web.url}/faces.tar") == local
    assert faceae_shards.open_dataset(tmp_path / "remote").manifest.split_by == "person"


def test_server_of_whole_files(web: Any, face_folder: Path, tmp_path: Path) -> None:
    web.serves_parts = False
    web.files["/a.zip"] = make_zip(face_folder, tmp_path / "a.zip").read_bytes()
    with pytest.raises(ShardsError, match=r"a\.zip: its server sends only whole files.*download"):
        list_source(f"{web.url}/a.zip")
    files = sorted(face_folder.rglob("*.jpg"))
    web.files.update({f"/{f.name}": f.read_bytes() for f in files})
    web.files["/list.txt"] = "\n".join(f.name for f in files).encode()
    assert len(pack_into(tmp_path / "out", f"{web.url}/list.txt")) > 3


def test_page_in_place_of_a_zip(web: Any) -> None:
    web.files["/a.zip"] = b"<html>Log in</html>"
    with pytest.raises(ShardsError, match=r"a\.zip is an HTML page"):
        list_source(f"{web.url}/a.zip")


def test_page_in_place_of_an_image(web: Any, face_folder: Path) -> None:
    web.files = {"/list.txt": b"a.jpg\nb.jpg\nc#1.jpg", "/b.jpg": b"<html>Log in</html>"}
    web.files["/a.jpg"] = web.files["/c#1.jpg"] = b"image"
    source = list_source(f"{web.url}/list.txt")
    with closing(source.open_reader()) as reader:
        assert reader.read(source.entries[2]) == b"image"
        with pytest.raises(ImageRefused, match="an HTML page in its place"):
            reader.read(source.entries[1])


def test_folder_on_a_web_server(web: Any) -> None:
    with pytest.raises(ShardsError, match="/faces/ is a folder, and web servers list none"):
        list_source(f"{web.url}/faces/")


@pytest.mark.parametrize(
    ("status", "said"), [(403, "access is refused"), (404, "does not exist"), (401, "refused")]
)
def test_refusal_is_told_at_once(web: Any, status: int, said: str) -> None:
    web.files["/a.zip"] = b"PK"
    web.failures = [status] * 2  # the library asks for the head, then for the file
    with pytest.raises(ShardsError, match=rf"/a\.zip.*{said}"):
        list_source(f"{web.url}/a.zip")
    assert web.failures == []


@pytest.mark.usefixtures("impatient")
def test_failures_that_pass(web: Any) -> None:
    web.files = {"/list.txt": b"a.jpg", "/a.jpg": b"image"}
    source = list_source(f"{web.url}/list.txt")
    with closing(source.open_reader()) as reader:
        web.failures = [503, 500, 429]
        assert reader.read(source.entries[0]) == b"image"
        web.failures = [503] * 4
        with pytest.raises(ShardsError, match=r"/a\.jpg: 503.*; check the address"):
            reader.read(source.entries[0])


@pytest.mark.usefixtures("impatient")
def test_server_that_is_away(web: Any) -> None:
    web.server_close()
    with pytest.raises(ShardsError, match=rf"{web.url}/a\.zip: Cannot connect to host"):
        list_source(f"{web.url}/a.zip")


def test_server_that_takes_connections_and_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faceae_shards.storage._remote.FIRST_ANSWER_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a.zip"
        with pytest.raises(ShardsError, match=rf"{url}: no answer within 0\.2 s; check the"):
            list_source(url)


def test_silent_bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faceae_shards.storage._remote.FIRST_ANSWER_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        connect("s3://silent")[0].clear_instance_cache()
        told = r"s3://silent/a: no answer within 0\.2 s; check AWS_ENDPOINT_URL"
        with pytest.raises(ShardsError, match=told):
            list_source("s3://silent/a")
        with pytest.raises(ShardsError, match=told):
            faceae_shards.open_dataset("s3://silent/a")
    connect("s3://silent")[0].clear_instance_cache()
