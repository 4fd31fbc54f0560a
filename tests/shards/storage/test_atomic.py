"""Files and folders appear whole or not at all."""

import json
import os
from pathlib import Path

import pytest

from faceae_shards import atomic_path, remove, write_json


def test_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with atomic_path(path) as part:
        part.write_bytes(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_error_leaves_the_older_file_and_no_part(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_path(path) as part:  # noqa: PT012
        part.write_bytes(b"half")
        raise error
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_part_of_a_killed_process_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.faceae-part").mkdir()
    (tmp_path / "a.faceae-part" / "left").touch()
    with atomic_path(tmp_path / "a") as part:
        part.write_bytes(b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_folder_appears_whole(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "folder") as part:
        (part / "deep").mkdir(parents=True)
        (part / "deep" / "file").write_bytes(b"x")
    assert (tmp_path / "folder" / "deep" / "file").read_bytes() == b"x"
    assert not (tmp_path / "folder.faceae-part").exists()


def test_failed_folder_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="disk"), atomic_path(tmp_path / "folder") as part:  # noqa: PT012
        part.mkdir()
        raise OSError("disk")
    assert list(tmp_path.iterdir()) == []


def test_json_is_readable_utf8_with_a_final_newline(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"name": "Zoë"})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "Zoë" in text
    assert text.endswith("}\n")
    assert json.loads(text) == {"name": "Zoë"}


def test_a_folder_of_the_users_called_part_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "keep.part").mkdir()
    (tmp_path / "keep.part" / "photo").touch()
    with atomic_path(tmp_path / "keep") as part:
        part.touch()
    assert (tmp_path / "keep.part" / "photo").exists()


def test_a_folder_that_another_process_deletes_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As two processes of a study do with a losing trial's checkpoints."""
    for name in ("a", "b"):
        (tmp_path / "run" / name).mkdir(parents=True)
        (tmp_path / "run" / name / "weights").touch()
    unlink = os.unlink

    def unlink_twice(name: str, **options: int) -> None:
        monkeypatch.undo()
        unlink(name, **options)  # the other process is faster
        unlink(name, **options)

    monkeypatch.setattr(os, "unlink", unlink_twice)
    remove(tmp_path / "run")
    assert not list(tmp_path.iterdir())
