"""The Dockerfile under hadolint. No image is built here."""

import subprocess
import sysconfig
from pathlib import Path

CONTAINER = Path(__file__).parents[4] / "export" / "container"


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    found = subprocess.run(
        [hadolint, "--no-color", CONTAINER / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stdout) == (0, "")


def test_every_copied_file_is_in_the_build_context() -> None:
    allowed = {
        line[1:]
        for line in (CONTAINER / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert all((CONTAINER.parents[1] / name).exists() for name in allowed)
    copied = [
        name
        for line in (CONTAINER / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for name in line.split()[1:-1]
        if name != "."
    ]
    assert set(copied) <= allowed
