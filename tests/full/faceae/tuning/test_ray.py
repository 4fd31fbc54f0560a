"""A study on a Ray cluster of this machine: trials in its processes."""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import faceae_shards
from faceae.cli import run
from faceae.tuning import read_study
from faceae_shards.executors import _ray
from faceae_shards.executors._cluster import connected
from faceae_shards.executors._ray import RayExecutor, _count_places


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Ray on this machine, whose processes find our own code."""
    with pytest.MonkeyPatch.context() as patch:
        root = Path(__file__).parents[4]
        patch.setenv(
            "PYTHONPATH", f"{root}{os.pathsep}{root / 'shards'}{os.pathsep}{root / 'export'}"
        )
        # Ray starts its processes with a low priority, which a busy machine may starve.
        patch.setenv("RAY_worker_niceness", "0")
        with connected("local"):
            yield


def test_trials_run_in_the_cluster(
    cluster: None,
    dataset_npy: faceae_shards.Dataset,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["tune", str(dataset_npy.path), "--study", "study", "--search", "width=4:8"]
    command += ["--trials", "3", "--epochs", "1", "--batch-size", "8", "--latent-size", "16"]
    command += ["--init", "random", "--device", "cpu", "--no-amp", "--loader", "webdataset"]
    command += ["--pruning", "none", "--executor", "ray", "--promote", "winner"]
    assert run(command) == 0, capsys.readouterr().err
    captured = capsys.readouterr()
    assert captured.err.count(" complete, ") == 3
    trials = read_study(tmp_path / "study").trials
    assert [trial.state for trial in trials] == 3 * ["complete"]
    assert (tmp_path / "winner" / "model.safetensors").exists()
    assert not list((tmp_path / "study" / "locks").glob("0*"))


def test_trial_larger_than_every_machine(
    cluster: None,
    dataset_npy: faceae_shards.Dataset,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_ray, "_GROWTH_S", 0.5)
    command = ["tune", str(dataset_npy.path), "--study", str(tmp_path / "study"), "--search"]
    command += ["width=4:8", "--executor", "ray", "--cpus-per-trial", "100000"]
    assert run([*command, "--batch-size", "8", "--latent-size", "16", "--device", "cpu"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert "100000 CPUs" in last
    assert "the largest machine" in last


class FakeRay:
    """A cluster of four CPUs and two GPUs."""

    def __init__(self, num_gpus: int) -> None:
        self._resources = {"CPU": 4.0, "GPU": float(num_gpus)}

    def cluster_resources(self) -> dict[str, float]:
        return self._resources


@pytest.mark.parametrize(
    ("num_gpus", "cpus", "share", "places"),
    [
        (0, 1, {"num_cpus": 1}, 8),
        (0, 2, {"num_cpus": 2}, 4),
        (2, 1, {"num_cpus": 1, "num_gpus": 1}, 4),
    ],
)
def test_share_of_a_trial(num_gpus: int, cpus: int, share: dict[str, int], places: int) -> None:
    executor = RayExecutor(max_in_flight=None, cpus_per_task=cpus, use_gpus=True)
    ray = FakeRay(num_gpus)
    assert executor._choose_share(ray) == share
    assert _count_places(ray, share) == places
    packing = dataclasses.replace(executor, use_gpus=False, cpus_per_task=1)
    assert packing._choose_share(ray) == {"num_cpus": 1}
