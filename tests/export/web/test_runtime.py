"""ONNX Runtime Web from npm or a tarball, and what can go wrong with both."""

from pathlib import Path

import pytest

from faceae.errors import FaceaeError
from faceae_export.web._runtime import read_runtime


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder that programs are found in; empty."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def install_npm(programs: Path, script: str) -> None:
    npm = programs / "npm"
    npm.write_text(f"#!/bin/sh\n{script}\n")
    npm.chmod(0o755)


@pytest.mark.usefixtures("programs")
def test_without_npm() -> None:
    with pytest.raises(FaceaeError, match=r"not installed; install Node\.js, or run `npm pack "):
        read_runtime(None)


def test_npm_that_reaches_no_registry(programs: Path) -> None:
    install_npm(programs, "echo npm error code ENOTFOUND >&2; exit 1")
    with pytest.raises(
        FaceaeError, match=r"failed \(npm error code ENOTFOUND\); .*`onnxruntime_web`"
    ):
        read_runtime(None)


def test_npm_that_delivers_another_package(programs: Path) -> None:
    install_npm(programs, "echo changed > onnxruntime-web-1.26.0.tgz")
    with pytest.raises(FaceaeError, match="sha512 is not that of npm"):
        read_runtime(None)


def test_a_tarball_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "cut.tgz"
    path.write_bytes(b"\x1f\x8b\x08")
    with pytest.raises(
        FaceaeError,
        match=r"cut\.tgz: the sha512 is not that of npm's onnxruntime-web-1\.26\.0\.tgz",
    ):
        read_runtime(path)
