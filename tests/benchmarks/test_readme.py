"""RESULTS.md is what the results give, and every script can be run by `run_all`."""

import importlib.util

import pytest

from benchmarks import peers, readme, run_all, runner
from benchmarks.shared import launch, node


def test_the_committed_file_follows_from_the_results() -> None:
    assert readme.OUT.read_text(encoding="utf-8") == readme.write(runner.KEPT)


def test_run_all_names_scripts_that_exist() -> None:
    assert {script.name for script in run_all.SCRIPTS} <= run_all.list_scripts()


def test_a_missing_peer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "missing", {})
    assert peers.load("no_such_peer") is None
    assert list(peers.missing) == ["no_such_peer"]


def test_ratios_do_not_need_a_peer() -> None:
    contenders = [
        runner.Contender(name=name, peer=False, rate=lambda rate=rate: rate)
        for name, rate in (("slow", 1.0), ("fast", 4.0))
    ]
    rows = runner.measure(contenders, rounds=1)
    assert {row.name: row.ratio for row in rows} == {"slow": 0.25, "fast": 1.0}


def test_the_warm_up_stands_for_the_only_round() -> None:
    rates = iter((2.0, 3.0))
    contender = runner.Contender(name="once", peer=False, rate=lambda: next(rates))
    (row,) = runner.measure([contender], rounds=0)
    assert row.items_per_s == [2.0]


def test_a_slope_is_that_of_the_logarithms() -> None:
    scaling = importlib.import_module("benchmarks.scaling")
    found = scaling.slope({size: [3.0 * size**1.5] * 2 for size in (1, 4, 16)})
    assert found["slope"] == pytest.approx(1.5)
    assert found["error"] == pytest.approx(0, abs=1e-6)


def test_the_stage_that_binds_is_the_slowest() -> None:
    work = node.Work(flops=1e9, weight_bytes=1e8, jpegs_per_core_s=2_000)
    for num_gpus in node.GPUS:
        found = node.predict(work, num_gpus, jpegs=True)
        assert found["rates"][found["binds"]] == min(found["rates"].values())
        assert found["faces_per_s"] == found["rates"][found["binds"]]
    assert set(node.describe()) == set(node.SOURCES)


@pytest.mark.parametrize("launcher", [[], [launch.NAME]])
def test_commands_name_no_folder_of_the_machine(launcher: list[str]) -> None:
    called = ["benchmarks.load", "/home/me/packed", "--rounds", "3"]
    words = ["/usr/bin/python3", "-m", *launcher, *called]
    assert runner.describe_command(words) == "python -m benchmarks.load packed --rounds 3"
