"""faceae drift: a report over the latents that a server logged."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from faceae.cli import run
from faceae.serving import open_served_model
from faceae.serving._latent_log import LatentLog


@pytest.fixture
def log(fitted_run: Path, tmp_path: Path) -> Path:
    """A log of 100 latents, two standard deviations off in the first direction."""
    served = open_served_model(fitted_run, torch.device("cpu"))
    assert served.reference is not None
    direction = served.reference._directions.basis[0].astype(np.float32)
    log = LatentLog(tmp_path / "log", served.info.weights_hash)
    log.add(served.reference.draw(100) + 2 * direction)
    log.write(*log.take())
    return tmp_path / "log"


def test_the_report(fitted_run: Path, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["drift", str(fitted_run), str(log), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["incoming"]["count"] == report["drawn"]["count"] == 100
    assert report["incoming"]["shift"] == pytest.approx(2, abs=0.5)
    assert report["drawn"]["shift"] < 0.5
    assert run(["drift", str(fitted_run), str(log)]) == 0
    assert "100 latents" in capsys.readouterr().out


def test_a_folder_without_latents(
    fitted_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["drift", str(fitted_run), str(tmp_path)]) == 1
    assert "log_latents" in capsys.readouterr().err
