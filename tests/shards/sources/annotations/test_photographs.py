"""Masks and annotations beside photographs are not packed as faces."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from faceae_shards import ShardsError
from faceae_shards.sources import Source, list_source

ListNames = Callable[..., Source]


@pytest.fixture
def list_names(tmp_path: Path) -> ListNames:
    """Lists a folder of files of these names."""

    def list_names_(names: Sequence[str], image_column: str | None = None) -> Source:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(b"x")
        return list_source(tmp_path, image_column)

    return list_names_


@pytest.mark.parametrize(
    "masks",
    [
        ["CelebAMask-HQ-mask-anno/0/00000_hair.png", "CelebAMask-HQ-mask-anno/1/00001_nose.png"],
        ["masks/0.png", "segmentation_maps/1.png"],
        ["img/0.seg.png", "img/1.seg.png"],
        ["img/0_mask.png", "img/1-depth.png"],
        ["img/0_mask2.png"],
        ["img/mask_0.png", "img/seg-1.png"],
        ["img/00000_hair.png", "img/00001_l_eye.png"],
        ["labels/0.png", "img/0_depth.png"],
    ],
)
def test_masks_are_left_out_and_noted(list_names: ListNames, masks: list[str]) -> None:
    source = list_names(["img/0.jpg", "img/1.jpg", *masks])
    assert list(source.entries.names) == ["img/0.jpg", "img/1.jpg"]
    (note,) = source.notes
    assert f"{len(masks)} pictures" in note
    assert "image_column" in note


@pytest.mark.parametrize(
    "names",
    [
        ["with_mask/0.jpg", "without_mask/1.jpg"],
        ["Mask/0.jpg", "no_mask/1.jpg"],
        ["0.jpg", "masked_man.jpg", "anna_label.jpg"],
        ["unmasked/0.jpg", "edgeworth/1.jpg"],
        ["my_mask.jpg", "your_mask.jpg"],
    ],
)
def test_photographs_are_kept(list_names: ListNames, names: list[str]) -> None:
    source = list_names(names)
    assert sorted(source.entries.names) == sorted(names)
    assert source.notes == ()


def test_masks_alone_are_packed_with_a_note(list_names: ListNames) -> None:
    source = list_names(["masks/0.png", "masks/1.png"])
    assert len(source.entries) == 2
    assert "masks" in source.notes[0]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("masks", ["masks/0.png"]),
        ("a/b", ["a/b/0.jpg"]),
        ("png", ["masks/0.png"]),
        (".jpg", ["a/b/0.jpg"]),
    ],
)
def test_a_folder_or_extension_is_named(
    list_names: ListNames, column: str, expected: list[str]
) -> None:
    assert list(list_names(["a/b/0.jpg", "masks/0.png"], column).entries.names) == expected


def test_a_folder_that_is_not_there(list_names: ListNames) -> None:
    with pytest.raises(ShardsError, match=r"`image_column='faces'`; it holds a, jpg"):
        list_names(["a/0.jpg"], "faces")


def test_twins_of_another_suffix_are_noted(list_names: ListNames) -> None:
    twins = ["0.jpg", "1.jpg", "0.png", "1.png"]
    (note,) = list_names(twins).notes
    assert "image_column='jpg'" in note
    source = list_names(twins, "jpg")
    assert list(source.entries.names) == ["0.jpg", "1.jpg"]
    assert source.notes == ()
