"""model.tar.gz: what it holds, that it is a run, and what is refused."""

import tarfile
from pathlib import Path

import pytest

import faceae
from faceae.cli import run


def test_it_holds_a_run_and_the_handler(archive: Path, model_dir: Path) -> None:
    with tarfile.open(archive) as packed:
        assert packed.getnames() == [
            "run.json",
            "model.safetensors",
            "latents.safetensors",
            "code/inference.py",
        ]
        assert {(member.mtime, member.uid) for member in packed.getmembers()} == {(0, 0)}
    assert faceae.load(model_dir, device="cpu").generate(1).shape == (1, 32, 32, 3)


def test_the_same_run_gives_the_same_bytes(
    archive: Path, deployed_run: str, tmp_path: Path
) -> None:
    again = tmp_path / "again.tar.gz"
    assert run(["export", "sagemaker", deployed_run, str(again)]) == 0
    assert again.read_bytes() == archive.read_bytes()


@pytest.mark.parametrize(("out", "message"), [("model.zip", ".tar.gz"), ("no/m.tar.gz", "no")])
def test_what_is_refused(
    deployed_run: str, tmp_path: Path, out: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", "sagemaker", deployed_run, str(tmp_path / out)]) == 1
    assert message in capsys.readouterr().err


def test_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", "sagemaker", str(tmp_path), str(tmp_path / "m.tar.gz")]) == 1
    assert "run.json" in capsys.readouterr().err
