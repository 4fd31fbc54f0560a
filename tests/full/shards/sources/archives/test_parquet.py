"""Parquet files of the Hub's layout as sources."""

import hashlib
import json
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from faceae_shards import ImageRefused, PackConfig, ShardsError, open_dataset, pack, verify
from faceae_shards.sources._detect import list_source
from faceae_shards.storage._remote import connect

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

IMAGE = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])


def make_table(files: list[Path], **columns: Any) -> Any:
    images = [{"bytes": file.read_bytes(), "path": file.name} for file in files]
    return pyarrow.table({"image": pyarrow.array(images, IMAGE), **columns})


def write(path: Path, table: Any, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path, **{"row_group_size": 5, **options})
    return path


def hash_tree(folder: Path) -> dict[str, str]:
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def pack_into(out: Path, source: Path | str, **options: Any) -> dict[str, str]:
    options = {"split": (0.5, 0.25, 0.25), "samples_per_shard": 8, "workers": 2, **options}
    pack(PackConfig(source=source, out=out, **options))
    return hash_tree(out)


def read_samples(out: Path) -> dict[str, tuple[dict[str, Any], bytes]]:
    """Every sample's json and image, by its name."""
    samples = {}
    for path in sorted(out.rglob("*.tar")):
        with tarfile.open(path) as tar:
            members = {m.name: m for m in tar}
            for name in [name for name in members if name.endswith(".json")]:
                text = tar.extractfile(members[name])
                image = tar.extractfile(members[name.replace(".json", ".jpg")])
                assert text is not None
                assert image is not None
                described = json.loads(text.read())
                samples[described["name"]] = (described, image.read())
    return samples


@pytest.fixture
def files(face_folder: Path) -> list[Path]:
    return sorted(face_folder.rglob("*.jpg"))


def test_one_file_with_attributes_and_people(files: list[Path], tmp_path: Path) -> None:
    numbers = range(len(files))
    table = make_table(
        files,
        Male=[number % 2 for number in numbers],
        Young=[1 if number % 3 else -1 for number in numbers],
        happy=[number % 5 == 0 for number in numbers],
        celeb_id=[number // 4 for number in numbers],
        caption=[f"face {number}" for number in numbers],
        box=[[number, 2, 3, 4] for number in numbers],
        width=[1 for _ in numbers],
        raw=[b"x" for _ in numbers],
    )
    source = write(tmp_path / "people.parquet", table)
    local = pack_into(tmp_path / "out", source)
    assert pack_into(tmp_path / "one", source, workers=1) == local
    samples = read_samples(tmp_path / "out")
    assert samples.keys() == {file.name for file in files}
    described, image = samples[files[6].name]
    assert image == files[6].read_bytes()
    assert described == {
        "name": files[6].name,
        "attributes": {"Male": -1, "Young": -1, "happy": -1},
        "identity": 1,
        "caption": "face 6",
        "box": [6, 2, 3, 4],
        "width": 178,
        "height": 218,
    }
    dataset = open_dataset(tmp_path / "out")
    assert dataset.manifest.split_by == "person"
    assert dataset.attribute_names == ("Male", "Young", "happy")
    assert dataset.manifest.notes == ("columns left out, which JSON cannot hold: raw",)
    assert verify(tmp_path / "out", workers=1).problems == ()
    assert not (tmp_path / "out" / ".progress").exists()


def test_folder_with_splits_in_a_bucket(bucket: str, files: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "hub"
    for name, part in (
        ("train-00000-of-00002", files[:20]),
        ("train-00001-of-00002", files[20:40]),
    ):
        write(folder / "data" / f"{name}.parquet", make_table(part))
    write(folder / "data" / "validation-00000-of-00001.parquet", make_table(files[40:]))
    system, path = connect(f"{bucket}/hub")
    for file in folder.rglob("*.parquet"):
        system.pipe_file(f"{path}/{file.relative_to(folder)}", file.read_bytes())
    local = pack_into(tmp_path / "local", folder, drop_duplicates=True)
    assert pack_into(tmp_path / "remote", f"{bucket}/hub", drop_duplicates=True) == local
    dataset = open_dataset(tmp_path / "local")
    assert (dataset.num_samples("train"), dataset.num_samples("valid")) == (40, 8)


def test_file_on_a_web_server(web: Any, files: list[Path], tmp_path: Path) -> None:
    path = write(tmp_path / "my faces.parquet", make_table(files))
    web.files["/my faces.parquet"] = path.read_bytes()
    url = f"{web.url}/my%20faces.parquet"
    assert pack_into(tmp_path / "remote", url) == pack_into(tmp_path / "local", path)


def test_plain_bytes_are_named_by_their_rows(files: list[Path], tmp_path: Path) -> None:
    table = pyarrow.table({"jpg": [file.read_bytes() for file in files]})
    pack_into(tmp_path / "out", write(tmp_path / "a.parquet", table))
    samples = read_samples(tmp_path / "out")
    assert samples["000000047"][1] == files[47].read_bytes()


def test_rows_without_an_image_are_refused(files: list[Path], tmp_path: Path) -> None:
    images = [{"bytes": file.read_bytes(), "path": file.name} for file in files]
    images[3] = {"bytes": None, "path": "/somewhere/3.jpg"}
    table = pyarrow.table({"image": pyarrow.array([*images, None], IMAGE)})
    source = list_source(write(tmp_path / "a.parquet", table))
    with closing(source.open_reader()) as reader:
        with pytest.raises(ImageRefused, match="a path, but no bytes"):
            reader.read(source.entries[3])
        with pytest.raises(ImageRefused, match="the row holds no image"):
            reader.read(source.entries[48])
        assert reader.read(source.entries[4]) == files[4].read_bytes()  # an earlier row
    summary = pack(PackConfig(source=tmp_path / "a.parquet", out=tmp_path / "out", workers=1))
    assert summary.rejected_examples == {"missing": ["/somewhere/3.jpg", "000000048"]}


def test_attribute_that_is_none(files: list[Path], tmp_path: Path) -> None:
    table = make_table(files[:2], Male=[7, 1])
    source = list_source(write(tmp_path / "a.parquet", table))
    with closing(source.open_reader()) as reader, pytest.raises(ImageRefused, match="attributes"):
        reader.describe(source.entries[0])


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"a": IMAGE, "b": IMAGE}, r"several image columns \(a, b\)"),
        ({"text": pyarrow.string()}, "no image column.*its columns: text"),
        ({"image": pyarrow.struct([("path", pyarrow.string())])}, "no image column"),
    ],
)
def test_other_layouts(tmp_path: Path, columns: dict[str, Any], said: str) -> None:
    path = write(tmp_path / "a.parquet", pyarrow.schema(columns.items()).empty_table())
    with pytest.raises(ShardsError, match=rf"a\.parquet has {said}"):
        list_source(path)


def test_files_of_different_columns(files: list[Path], tmp_path: Path) -> None:
    write(tmp_path / "hub" / "a.parquet", make_table(files[:2], Male=[1, 1]))
    write(tmp_path / "hub" / "b.parquet", make_table(files[2:4]))
    with pytest.raises(ShardsError, match=r"b\.parquet has other columns than .*a\.parquet"):
        list_source(tmp_path / "hub")


def test_truncated_file(files: list[Path], tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", make_table(files))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ShardsError, match=r"a\.parquet cannot be read as Parquet .*get it again"):
        list_source(path)


def test_damaged_page(files: list[Path], tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", make_table(files), write_page_checksum=True)
    content = bytearray(path.read_bytes())
    content[content.index(files[7].read_bytes()[:200]) + 100] ^= 1
    path.write_bytes(content)
    with pytest.raises(ShardsError, match=r"a\.parquet cannot be read as Parquet"):
        pack_into(tmp_path / "out", path)
    assert not (tmp_path / "out" / "dataset.json").exists()


def test_copy_survives_an_interruption(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "a.parquet", make_table(files))
    whole = pack_into(tmp_path / "whole", source)

    def fail(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("faceae_shards.packing._pack.run_packer", fail)
        with pytest.raises(KeyboardInterrupt):
            pack_into(tmp_path / "out", source)
    assert (tmp_path / "out" / ".progress" / "spool" / "images").is_file()
    with monkeypatch.context() as patch:
        patch.setattr("faceae_shards.sources.archives._spool._copy", fail)  # is not called again
        assert pack_into(tmp_path / "out", source) == whole


def test_file_without_rows(files: list[Path], tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", make_table([]))
    with pytest.raises(ShardsError, match=r"a\.parquet holds no rows"):
        list_source(path)


def test_categories_and_float_attributes_and_nulls(files: list[Path], tmp_path: Path) -> None:
    count = len(files)
    table = make_table(
        files,
        Male=pyarrow.array([1.0, float("nan"), -1.0, None] * (count // 4)),
        Young=pyarrow.array([True, None] * (count // 2)),
        mood=pyarrow.array(["glad", None] * (count // 2)).dictionary_encode(),
        score=pyarrow.array([0.5, float("nan")] * (count // 2)),
    )
    out = tmp_path / "out"
    pack_into(out, write(tmp_path / "faces.parquet", table))
    assert open_dataset(out).attribute_names == ("Male", "Young")
    samples = read_samples(out)
    first, second, third, _ = (samples[file.name][0] for file in files[:4])
    assert (first["attributes"], first["mood"], first["score"]) == (
        {"Male": 1, "Young": 1},
        "glad",
        0.5,
    )
    assert not {"attributes", "mood", "score"} & second.keys()
    assert third["attributes"] == {"Male": -1, "Young": 1}


def test_one_of_two_image_columns(files: list[Path], tmp_path: Path) -> None:
    masks = pyarrow.array([{"bytes": b"mask", "path": None} for _ in files], IMAGE)
    path = write(tmp_path / "faces.parquet", make_table(files, mask=masks))
    source = list_source(path)
    assert source.fields == ()
    assert "mask" in source.notes[0]
    with closing(list_source(path, "mask").open_reader()) as reader:
        assert reader.read(list_source(path, "mask").entries[0]) == b"mask"
    with pytest.raises(ShardsError, match=r"`image_column='seg'`.* its columns: image, mask"):
        list_source(path, "seg")


def test_two_image_columns_of_other_names(files: list[Path], tmp_path: Path) -> None:
    table = (
        make_table(files)
        .rename_columns(["left"])
        .append_column("right", make_table(files).column("image"))
    )
    with pytest.raises(ShardsError, match=r"several image columns \(left, right\).*`image_column`"):
        list_source(write(tmp_path / "faces.parquet", table))


@pytest.mark.parametrize("unknown", [None, float("nan")])
def test_an_unknown_person_keeps_the_others_together(
    files: list[Path], tmp_path: Path, unknown: float | None
) -> None:
    people = [unknown, *(float(number // 2) for number in range(1, len(files)))]
    source = write(tmp_path / "a.parquet", make_table(files, identity=people))
    pack_into(tmp_path / "out", source)
    assert open_dataset(tmp_path / "out").manifest.split_by == "person"
    samples = read_samples(tmp_path / "out")
    assert "identity" not in samples[files[0].name][0]


@pytest.mark.parametrize("kind", ["dictionary", "binary_view"])
def test_other_columns_of_bytes(files: list[Path], tmp_path: Path, kind: str) -> None:
    images = pyarrow.array([file.read_bytes() for file in files])
    images = images.dictionary_encode() if kind == "dictionary" else images.cast(kind)
    source = list_source(write(tmp_path / "a.parquet", pyarrow.table({"image": images})))
    with closing(source.open_reader()) as reader:
        read = [reader.read(entry) for entry in source.entries]
    assert read == [file.read_bytes() for file in files]


def test_rows_of_one_name_are_split_by_image(files: list[Path], tmp_path: Path) -> None:
    images = [{"bytes": file.read_bytes(), "path": "image.jpg"} for file in files]
    table = pyarrow.table({"image": pyarrow.array(images, IMAGE)})
    pack_into(tmp_path / "out", write(tmp_path / "a.parquet", table))
    assert set(open_dataset(tmp_path / "out").manifest.splits) == {"train", "valid", "test"}


def test_columns_named_like_fields_of_a_sample(files: list[Path], tmp_path: Path) -> None:
    """What the image is called stays its name; nothing of the table is lost."""
    numbers = range(len(files))
    table = make_table(
        files,
        name=[f"person {number}" for number in numbers],
        source_name=["web" for _ in numbers],
        attributes=[["smiling"] for _ in numbers],
        face=["oval" for _ in numbers],
        box=["1,2,3,4" for _ in numbers],
        landmarks=[[[1.0, 2.0]] * 5 for _ in numbers],
    )
    pack_into(tmp_path / "out", write(tmp_path / "a.parquet", table))
    described, _ = read_samples(tmp_path / "out")[files[6].name]
    assert described == {
        "name": files[6].name,
        "source_source_name": "person 6",
        "source_name": "web",
        "source_attributes": ["smiling"],
        "source_face": "oval",
        "source_box": "1,2,3,4",
        "landmarks": [[1.0, 2.0]] * 5,
        "width": 178,
        "height": 218,
    }
    manifest = open_dataset(tmp_path / "out").manifest
    assert set(manifest.annotations) == described.keys() - {"name", "width", "height"}
    assert manifest.attribute_names == ()
    (note,) = manifest.notes
    assert "name as source_source_name, attributes as source_attributes" in note


@pytest.mark.parametrize(
    ("values", "counts", "reason"),
    [
        (["train", "val", "test"], {"train": 16, "valid": 16, "test": 16}, "train, valid, test"),
        (["Training", "dev"], {"train": 24, "valid": 24}, "its column Split names train, valid"),
        (
            ["train", "validation", "extra", None],
            {"train": 36, "valid": 12},
            "24 images of no such name are for training",
        ),
    ],
)
@pytest.mark.parametrize("category", [False, True])
def test_column_of_splits(
    files: list[Path],
    tmp_path: Path,
    values: list[str],
    counts: dict[str, int],
    reason: str,
    category: bool,
) -> None:
    column = pyarrow.array([values[number % len(values)] for number in range(len(files))])
    table = make_table(files, Split=column.dictionary_encode() if category else column)
    source = write(tmp_path / "a.parquet", table)
    summary = pack(PackConfig(source=source, out=tmp_path / "out", workers=1))
    assert (summary.num_samples, summary.split_by) == (counts, "source")
    assert reason in (summary.split_reason or "")
    described, _ = read_samples(tmp_path / "out")[files[0].name]
    assert described["Split"] == values[0]


@pytest.mark.parametrize("values", [["train"], ["a", "b"], [0, 1, 2], [["train"], ["test"]]])
def test_column_that_names_no_splits(
    files: list[Path], tmp_path: Path, values: list[object]
) -> None:
    column = [values[number % len(values)] for number in range(len(files))]
    source = write(tmp_path / "a.parquet", make_table(files, split=column))
    summary = pack(PackConfig(source=source, out=tmp_path / "out", workers=1))
    assert summary.split_by == "image"


def test_splits_of_file_names_come_before_a_column(files: list[Path], tmp_path: Path) -> None:
    for name, part in (("train", files[:40]), ("test", files[40:])):
        column = ["test" if number % 2 else "train" for number in range(len(part))]
        write(tmp_path / "hub" / f"{name}-0.parquet", make_table(part, split=column))
    summary = pack(PackConfig(source=tmp_path / "hub", out=tmp_path / "out", workers=1))
    assert summary.num_samples == {"train": 40, "test": 8}
