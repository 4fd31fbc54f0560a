"""What must be the same on every machine of a cluster."""

from pathlib import Path

import pytest

from faceae_shards import ShardsError
from faceae_shards.executors import _surroundings
from faceae_shards.executors._surroundings import Surroundings, get_versions


def test_the_same_versions_and_files_pass(tmp_path: Path) -> None:
    Surroundings(versions=get_versions(), paths=(tmp_path,)).check()


def test_another_version_is_named() -> None:
    surroundings = Surroundings(versions=get_versions() | {"pillow": "1.0"}, paths=())
    with pytest.raises(ShardsError, match=r"pillow .*has 1\.0; install the same versions"):
        surroundings.check()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    surroundings = Surroundings(versions=get_versions(), paths=(tmp_path, tmp_path / "gone"))
    with pytest.raises(ShardsError, match=r"does not see .*gone; .*or at URLs"):
        surroundings.check()


def test_a_library_that_is_missing_everywhere_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_surroundings, "_LIBRARIES", ("no-such-library",))
    Surroundings(versions=get_versions(), paths=()).check()
