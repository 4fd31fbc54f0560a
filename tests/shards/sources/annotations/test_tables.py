"""Annotation tables as CelebA, Kaggle, pandas and spreadsheets write them."""

import numpy as np
import pytest

from faceae_shards import ShardsError
from faceae_shards.sources.annotations import _tables
from faceae_shards.sources.annotations._tables import parse_table

ROWS = [("1.jpg", -1, 1), ("2.jpg", 1, -1)]


@pytest.mark.parametrize(
    "text",
    [
        "2\nMale Smiling\n1.jpg -1  1\n2.jpg 1 -1\n",
        "2\nimage_id Male Smiling\n1.jpg -1  1\n2.jpg 1 -1\n",
        "image_id,Male,Smiling\n1.jpg,-1,1\n2.jpg,1,-1\n",
        "image_id,Male,Smiling\r\n1.jpg,-1,1\r\n2.jpg,1,-1\r\n",
        "image_id;Male;Smiling\n1.jpg;-1;1\n2.jpg;1;-1\n",
        "image_id;Male;Smiling\n1.jpg;-1,0;1,0\n2.jpg;1,0;-1,0\n",
        "image_id\tMale\tSmiling\n1.jpg\t-1\t1\n2.jpg\t1\t-1\n",
        '"image_id","Male","Smiling"\n"1.jpg","-1","1"\n"2.jpg","1","-1"\n',
        '"image_id","Male","Smiling"\n"1.jpg",-1,1\n"2.jpg",1,-1\n',
        ",image_id,Male,Smiling\n0,1.jpg,-1,1\n1,2.jpg,1,-1\n",
        "Unnamed: 0,image_id,Male,Smiling\n0,1.jpg,-1,1\n1,2.jpg,1,-1\n",
        "Unnamed: 0.1,Unnamed: 0,image_id,Male,Smiling\n0,0,1.jpg,-1,1\n1,1,2.jpg,1,-1\n",
        "id,image_id,Male,Smiling\n4,1.jpg,-1,1\n5,2.jpg,1,-1\n",
        ",Male,Smiling\n1.jpg,-1,1\n2.jpg,1,-1\n",
        "sep=;\nimage_id;Male;Smiling\n1.jpg;-1;1\n2.jpg;1;-1\n",
        "# my labels\nimage_id,Male,Smiling\n1.jpg,-1,1\n2.jpg,1,-1\n",
        "Male,Smiling,filename\n-1,1,1.jpg\n1,-1,2.jpg\n",
        "image_id, Male, Smiling\n1.jpg, -1.0, 1.0\n2.jpg, 1.0, -1.0\n",
        "image_id,Male,Smiling,\n1.jpg,-1,1,\n2.jpg,1,-1,\n".replace("Smiling,", "Smiling"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_one_content_in_many_forms(text: str, encoding: str) -> None:
    table = parse_table("t.csv", text.encode(encoding), None)
    assert table.columns == ("Male", "Smiling")
    assert list(table.names) == [row[0] for row in ROWS]
    assert table.values.tolist() == [list(row[1:]) for row in ROWS]
    assert table.values.dtype == np.int8


def test_an_id_beside_names_alone_is_a_value() -> None:
    assert parse_table("t.csv", b"image_id,id\n1.jpg,7\n2.jpg,9\n", None).values.tolist() == [
        [7],
        [9],
    ]


def test_text_of_windows_keeps_its_letters() -> None:
    text = "image_id,Männlich\n1.jpg,1\n".encode("cp1252")
    assert parse_table("t.csv", text, None).columns == ("Männlich",)


def test_a_table_without_a_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tables, "_LINES_PER_BLOCK", 2)
    text = b"1.jpg 1\n2.jpg 200\n3.jpg 70000\n"
    table = parse_table("t.txt", text, ("identity",))
    assert table.values[:, 0].tolist() == [1, 200, 70000]
    assert parse_table("t.csv", text.replace(b" ", b","), ("identity",)).values.dtype == np.int32


def test_what_is_missing_is_nan() -> None:
    values = parse_table("t.csv", b"image_id,a,b\n1.jpg,,2\n2.jpg,nan,0.5\n", None).values
    assert np.isnan(values[:, 0]).all()
    assert values[:, 1].tolist() == [2, 0.5]


def test_words_stand_for_numbers() -> None:
    text = b"image_id,a\n1.jpg,True\n2.jpg,false\n3.jpg,Test\n"
    assert parse_table("t.csv", text, None, {"test": 2.0}).values[:, 0].tolist() == [1, 0, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("<html>quota</html>", "an HTML page"),
        ("2\nMale\n1.jpg 1\n", "announces 2 images and lists 1"),
        ("1.jpg 1\n2.jpg 1\n", "begins neither with an image count"),
        ("1\nMale Smiling Young\n1.jpg 1 1\n", "has 4 columns .* 3 fields in the row of 1.jpg"),
        ("1\nMale\n1.jpg 1 1\n", "has 2 columns .* 3 fields in the row of 1.jpg"),
        ("image_id,Male\n1.jpg,1\n2.jpg,1,1\n", "has 2 columns .* 3 fields in the row of 2.jpg"),
        ("image_id,Male,Smiling\n1.jpg,1\n", "has 3 columns .* 2 fields in the row of 1.jpg"),
        ("image_id,Male\n1.jpg,yes\n", "'yes' in the row of 1.jpg is no number"),
        ("image_id,Male\n1.jpg,inf\n", "'inf' in the row of 1.jpg is no number"),
        ("image_id\n1.jpg\n", "begins neither"),
        ("image_id,\n1.jpg,\n", "no column besides"),
        ("Male,Smiling\n1,1\n", "none of its columns .* names the images"),
        ("image_id,Male,Male\n1.jpg,1,1\n", "two columns named Male"),
        ("image_id,Male\n", "lists no image"),
    ],
)
def test_damaged_tables(text: str, message: str) -> None:
    with pytest.raises(ShardsError, match=rf"t\.csv:? .*{message}|t\.csv:? {message}"):
        parse_table("t.csv", text.encode(), None)
