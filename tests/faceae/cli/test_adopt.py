"""faceae adopt: shards of another tool as a dataset."""

from pathlib import Path

import pytest

from faceae.cli import run
from faceae_shards import open_dataset

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def foreign(packed: Path, tmp_path: Path) -> Path:
    """Folders train and valid with a tar each, and nothing else."""
    folder = tmp_path / "foreign"
    for split in ("train", "valid"):
        (folder / split).mkdir(parents=True)
        (packed / split / f"{split}-000000.tar").rename(folder / split / "0.tar")
    return folder


def test_folder_becomes_a_dataset(foreign: Path, capsys: Capture) -> None:
    assert run(["adopt", str(foreign), "--workers", "1"]) == 0
    assert "4 train, 4 valid images in 2 shards" in capsys.readouterr().out
    dataset = open_dataset(foreign)
    assert [dataset.num_samples(split) for split in ("train", "valid")] == [4, 4]
    assert run(["info", str(foreign)]) == 0
    assert "foreign, 8 images" in capsys.readouterr().out


def test_a_dataset_is_not_adopted(packed: Path, capsys: Capture) -> None:
    assert run(["adopt", str(packed)]) == 1
    assert str(packed) in capsys.readouterr().err


def test_a_url_is_not_adopted(capsys: Capture) -> None:
    assert run(["adopt", "s3://bucket/faces"]) == 1
    assert "s3://bucket/faces" in capsys.readouterr().err
