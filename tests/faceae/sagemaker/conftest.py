"""A small fitted run and its model.tar.gz, unpacked."""

import tarfile
from pathlib import Path

import pytest

from faceae.cli import run

OPTIONS = ["--epochs", "1", "--batch-size", "8", "--latent-size", "16", "--width", "8"]
MORE = ["--init", "random", "--amp", "False", "--device", "cpu", "--loader", "webdataset"]


@pytest.fixture(scope="session")
def hyperparameters() -> list[str]:
    """Hyperparameters of a training that takes seconds, as SageMaker passes them."""
    return [*OPTIONS, *MORE]


@pytest.fixture(scope="session")
def deployed_run(fitted_run: Path) -> str:
    return str(fitted_run)


@pytest.fixture(scope="session")
def archive(deployed_run: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """model.tar.gz, as the command line writes it."""
    out = tmp_path_factory.mktemp("archive") / "model.tar.gz"
    assert run(["export", "sagemaker", deployed_run, str(out)]) == 0
    return out


@pytest.fixture(scope="session")
def model_dir(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive, unpacked as SageMaker does."""
    folder = tmp_path_factory.mktemp("model")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder
