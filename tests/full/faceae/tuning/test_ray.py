"""The share of a Ray cluster that a trial has."""

import dataclasses

import pytest

from faceae_shards.executors._ray import RayExecutor, _count_places


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
