"""CelebA's annotation tables: where they are found, and what they become."""

from pathlib import Path

import pytest

from faceae_shards import ShardsError
from faceae_shards.sources._detect import list_source
from faceae_shards.sources.annotations._celeba import describe_shortfall, find_annotations

FILES = {
    "list_eval_partition.txt": "000001.jpg 0\n000002.jpg 1\n000003.jpg 2\n",
    "identity_CelebA.txt": "000001.jpg 28\n000002.jpg 7\n000003.jpg 28\n",
    "list_attr_celeba.txt": (
        "3\nMale Smiling \n000001.jpg -1  1\n000002.jpg  1 -1\n000003.jpg  1  1\n"
    ),
    "list_bbox_celeba.txt": (
        "3\nimage_id x_1 y_1 width height\n"
        "000001.jpg    95  71 226 313\n000002.jpg 72 94 221 306\n000003.jpg 1 2 3 4\n"
    ),
    "list_landmarks_align_celeba.txt": (
        "3\nlefteye_x lefteye_y nose_x nose_y\n"
        "000001.jpg 69 109 77 142\n000002.jpg 69 110 76 140\n000003.jpg 1 2 3 4\n"
    ),
}


CSV_FILES = {
    "list_eval_partition.csv": "image_id,partition\n000001.jpg,0\n000002.jpg,1\n000003.jpg,2\n",
    "list_attr_celeba.csv": (
        "image_id,Male,Smiling\r\n000001.jpg,-1,1\r\n000002.jpg,1,-1\r\n000003.jpg,1,1\r\n"
    ),
    "list_bbox_celeba.csv": (
        "image_id,x_1,y_1,width,height\n"
        "000001.jpg,95,71,226,313\n000002.jpg,72,94,221,306\n000003.jpg,1,2,3,4\n"
    ),
    "list_landmarks_align_celeba.csv": (
        "image_id,lefteye_x,lefteye_y,nose_x,nose_y\n"
        "000001.jpg,69,109,77,142\n000002.jpg,69,110,76,140\n000003.jpg,1,2,3,4\n"
    ),
}
"""As on Kaggle, which has no identities."""


def make_images(folder: Path, suffix: str = ".jpg") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in (1, 2, 3):
        (folder / f"{number:06}{suffix}").write_bytes(b"x")


def write_files(folder: Path, **changed: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (folder / name).write_text(changed.get(name.partition(".")[0], text))


@pytest.mark.parametrize("place", ["img/..", "img", "img/../Anno"])
def test_files_are_found_inside_and_beside(tmp_path: Path, place: str) -> None:
    make_images(tmp_path / "img")
    write_files((tmp_path / place).resolve())
    source = list_source(tmp_path / "img")
    annotations = find_annotations(source)
    assert annotations.attribute_names == ("Male", "Smiling")
    assert annotations.fields == ("attributes", "identity", "box", "landmarks")
    assert annotations.get_partition() == ["train", "valid", "test"]
    assert annotations.describe(0) == {
        "attributes": {"Male": -1, "Smiling": 1},
        "identity": 28,
        "box": [95, 71, 226, 313],
        "landmarks": {"lefteye": (69, 109), "nose": (77, 142)},
    }


def test_files_above_nested_images(tmp_path: Path) -> None:
    make_images(tmp_path / "img_align_celeba" / "img_align_celeba")
    write_files(tmp_path)
    assert find_annotations(list_source(tmp_path)).attribute_names == ("Male", "Smiling")


@pytest.mark.parametrize(
    "source", ["archive", "archive/img_align_celeba", "archive/img_align_celeba/img_align_celeba"]
)
def test_csv_files_and_nested_images_of_kaggle(tmp_path: Path, source: str) -> None:
    make_images(tmp_path / "archive" / "img_align_celeba" / "img_align_celeba")
    for name, text in CSV_FILES.items():
        (tmp_path / "archive" / name).write_text(text, newline="")
    listed = list_source(tmp_path / source)
    annotations = find_annotations(listed)
    assert annotations.get_partition() == ["train", "valid", "test"]
    assert annotations.describe(0) == {
        "attributes": {"Male": -1, "Smiling": 1},
        "box": [95, 71, 226, 313],
        "landmarks": {"lefteye": (69, 109), "nose": (77, 142)},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("000001.jpg,1,1\n", ".* names the images"),
        ("image_id,Male,Smiling\n000001.jpg,1\n", "has 3 columns .* 2 fields"),
        ("<html>", "is an HTML page"),
    ],
)
def test_damaged_csv(tmp_path: Path, text: str, message: str) -> None:
    make_images(tmp_path)
    (tmp_path / "list_attr_celeba.csv").write_text(text)
    with pytest.raises(ShardsError, match=f"list_attr_celeba.csv:? {message}"):
        find_annotations(list_source(tmp_path))


def test_same_table_as_text_and_csv(tmp_path: Path) -> None:
    make_images(tmp_path)
    write_files(tmp_path)
    (tmp_path / "list_attr_celeba.csv").write_text(CSV_FILES["list_attr_celeba.csv"])
    with pytest.raises(ShardsError, match=r"twice: list_attr_celeba\.csv, list_attr_celeba\.txt"):
        find_annotations(list_source(tmp_path))


@pytest.mark.parametrize(
    ("folder", "annotated", "expected"),
    [
        ("photos", False, None),
        ("img_align_celeba", False, "CelebA has 202,599 images, this source holds 3"),
        ("photos", True, "CelebA has 202,599 images, this source holds 3"),
    ],
)
def test_part_of_celeba(tmp_path: Path, folder: str, annotated: bool, expected: str | None) -> None:
    make_images(tmp_path / folder)
    if annotated:
        write_files(tmp_path / folder)
    source = list_source(tmp_path / folder)
    assert describe_shortfall(source, find_annotations(source)) == expected


def test_png_edition_matches_by_stem(tmp_path: Path) -> None:
    make_images(tmp_path, ".png")
    write_files(tmp_path)
    source = list_source(tmp_path)
    assert find_annotations(source).get_identities() == [28, 7, 28]


def test_without_files(tmp_path: Path) -> None:
    make_images(tmp_path / "img")
    source = list_source(tmp_path / "img")
    annotations = find_annotations(source)
    assert annotations.get_partition() is None
    assert annotations.describe(0) == {}


def test_image_that_no_file_lists(tmp_path: Path) -> None:
    make_images(tmp_path)
    write_files(tmp_path)
    (tmp_path / "mine.jpg").write_bytes(b"x")
    with pytest.raises(ShardsError, match=r"all but 1 of the 4 images \(first: mine\.jpg\)"):
        find_annotations(list_source(tmp_path))


def test_file_that_is_there_twice(tmp_path: Path) -> None:
    make_images(tmp_path)
    write_files(tmp_path / "a")
    write_files(tmp_path / "b")
    with pytest.raises(ShardsError, match=r"holds list_eval_partition twice: a/.*, b/"):
        find_annotations(list_source(tmp_path))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("list_attr_celeba", "<!DOCTYPE html>\n<html>", "is an HTML page"),
        ("list_attr_celeba", "", "is empty"),
        ("list_attr_celeba", "4\nMale\n000001.jpg 1\n", "announces 4 images and lists 1"),
        ("list_attr_celeba", "000001.jpg 1\n" * 3, "neither with an image count"),
        ("list_attr_celeba", "1\nMale Smiling\n000001.jpg 1\n", "has 3 columns"),
        ("list_eval_partition", "000001.jpg part\n", "'part' .* is no number"),
        ("list_eval_partition", "000001.jpg 3\n", "a partition other than 0, 1 and 2"),
    ],
)
def test_damaged_file(tmp_path: Path, name: str, text: str, message: str) -> None:
    make_images(tmp_path)
    write_files(tmp_path, **{name: text})
    with pytest.raises(ShardsError, match=message):
        find_annotations(list_source(tmp_path))


def test_table_in_another_order_than_the_images(tmp_path: Path) -> None:
    make_images(tmp_path)
    (tmp_path / "identity_CelebA.txt").write_text("000003.jpg 3\n000001.jpg 1\n000002.jpg 2\n")
    assert find_annotations(list_source(tmp_path)).get_identities() == [1, 2, 3]


def test_image_listed_twice(tmp_path: Path) -> None:
    make_images(tmp_path)
    path = tmp_path / "identity_CelebA.txt"
    path.write_text("000001.jpg 1\n000002.jpg 2\n000002.jpg 5\n000003.jpg 3\n")
    with pytest.raises(ShardsError, match=r"CelebA\.txt lists 000002\.jpg twice; keep one"):
        find_annotations(list_source(tmp_path))


def describe(folder: Path, table: str, text: str) -> list[dict[str, object]]:
    """What the three images' json holds with this table beside them."""
    make_images(folder)
    (folder / table).write_text(text)
    annotations = find_annotations(list_source(folder))
    return [annotations.describe(number) for number in range(3)]


@pytest.mark.parametrize(
    "rows",
    [("-1,1", "1,-1", "1,1"), ("0,1", "1,0", "1,1"), ("-1.0,1.0", "1.0,-1.0", "1.0,1.0")],
)
def test_attributes_become_minus_one_and_one(tmp_path: Path, rows: tuple[str, ...]) -> None:
    lines = [f"00000{number}.jpg,{row}" for number, row in enumerate(rows, start=1)]
    text = "\n".join(["image_id,Male,Smiling", *lines])
    found = describe(tmp_path, "list_attr_celeba.csv", text)
    assert [row["attributes"] for row in found] == [
        {"Male": -1, "Smiling": 1},
        {"Male": 1, "Smiling": -1},
        {"Male": 1, "Smiling": 1},
    ]
    assert all(type(value) is int for row in found for value in row["attributes"].values())  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", ["7", "0.5", "-1"])
def test_attributes_of_other_values_are_refused(tmp_path: Path, value: str) -> None:
    text = f"image_id,Male\n000001.jpg,0\n000002.jpg,1\n000003.jpg,{value}\n"
    with pytest.raises(ShardsError, match=r"list_attr_celeba\.csv: Male is "):
        describe(tmp_path, "list_attr_celeba.csv", text)


def test_a_missing_attribute_is_left_out(tmp_path: Path) -> None:
    text = "image_id,Male,Smiling\n000001.jpg,,1\n000002.jpg,NaN,\n000003.jpg,1,-1\n"
    assert describe(tmp_path, "list_attr_celeba.csv", text) == [
        {"attributes": {"Smiling": 1}},
        {},
        {"attributes": {"Male": 1, "Smiling": -1}},
    ]


def test_a_missing_landmark_leaves_the_landmarks_out(tmp_path: Path) -> None:
    text = "image_id,nose_x,nose_y\n000001.jpg,1.5,2\n000002.jpg,,3\n000003.jpg,4,5\n"
    found = describe(tmp_path, "list_landmarks_align_celeba.csv", text)
    assert found == [{"landmarks": {"nose": (1.5, 2)}}, {}, {"landmarks": {"nose": (4, 5)}}]


def test_an_unknown_person_is_somebody_else(tmp_path: Path) -> None:
    text = "image_id,identity\n000001.jpg,5\n000002.jpg,\n000003.jpg,\n"
    assert describe(tmp_path, "identity_CelebA.csv", text) == [{"identity": 5}, {}, {}]
    people = find_annotations(list_source(tmp_path)).get_identities()
    assert people is not None
    assert len(set(people)) == 3


def test_a_partition_in_words(tmp_path: Path) -> None:
    make_images(tmp_path)
    text = "image_id,partition\n000001.jpg,train\n000002.jpg,Validation\n000003.jpg,test\n"
    (tmp_path / "list_eval_partition.csv").write_text(text)
    partition = find_annotations(list_source(tmp_path)).get_partition()
    assert partition == ["train", "valid", "test"]


@pytest.mark.parametrize("name", ["list_attr_celeba.tsv", "List_Attr_CelebA.CSV"])
def test_other_file_names_of_a_table(tmp_path: Path, name: str) -> None:
    text = "image_id\tMale\n000001.jpg\t1\n000002.jpg\t1\n000003.jpg\t-1\n"
    found = describe(tmp_path, name, text)
    assert [row["attributes"] for row in found] == [{"Male": 1}, {"Male": 1}, {"Male": -1}]


def test_a_spreadsheet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ShardsError, match=r"list_attr_celeba\.xlsx.*CSV"):
        describe(tmp_path, "list_attr_celeba.xlsx", "PK")


def test_names_with_folders_of_windows(tmp_path: Path) -> None:
    rows = "".join(f"C:\\img\\00000{number}.jpg,1\n" for number in (3, 1, 2))
    found = describe(tmp_path, "list_attr_celeba.csv", f"image_id,Male\n{rows}")
    assert found == [{"attributes": {"Male": 1}}] * 3


def test_names_of_other_images(tmp_path: Path) -> None:
    text = "image_id,Male\n1,1\n2,1\n3,1\n"
    with pytest.raises(ShardsError, match=r"none of the 3 images.*'1'.*000001\.jpg"):
        describe(tmp_path, "list_attr_celeba.csv", text)


def test_names_that_repeat_in_folders_match_by_path(tmp_path: Path) -> None:
    for person in ("a", "b"):
        make_images(tmp_path / person)
    names = [f"{person}/00000{number}.jpg" for number in (3, 2, 1) for person in ("a", "b")]
    rows = "".join(f"{name},{1 if name[0] == 'a' else -1}\n" for name in names)
    (tmp_path / "list_attr_celeba.csv").write_text(f"image_id,Male\n{rows}")
    source = list_source(tmp_path)
    annotations = find_annotations(source)
    for number, name in enumerate(source.entries.names):
        wanted = 1 if name.startswith("a/") else -1
        assert annotations.describe(number) == {"attributes": {"Male": wanted}}
