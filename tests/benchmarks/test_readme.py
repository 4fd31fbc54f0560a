"""The tables of README.md are what the results give, and `run_all` can run every script."""

import importlib
import json
from pathlib import Path

import pytest

from benchmarks import peers, readme, run_all, runner
from benchmarks.shared import launch, node
from benchmarks.tables import TABLES


def test_the_committed_tables_follow_from_the_results() -> None:
    text = readme.README.read_text(encoding="utf-8")
    assert readme.write(text, runner.KEPT) == text


def test_every_script_has_a_table() -> None:
    assert set(TABLES) == run_all.list_scripts()


def test_a_new_result_gets_a_section(tmp_path: Path) -> None:
    rows = [
        {"group": group, "name": name, "peer": name != "faceae shard", "items_per_s": rates}
        for group, name, rates in (
            ("untouched", "faceae shard", [4.0, 6.0, 8.0]),
            ("untouched", "a new peer", [2.0, 2.0, 2.0]),
            ("a new mode", "faceae shard", [3.0, 3.0, 3.0]),
        )
    ]
    result = {
        "rows": rows,
        "peak_mib": {"untouched: a new peer": 1234.0},
        "command": "python -m benchmarks.pack",
        "machine": {"cpu": "a CPU", "commit": "abc", "date": "2026-11-28"},
        "missing_peers": {"litdata": "not installed"},
    }
    (tmp_path / "pack.json").write_text(json.dumps(result), encoding="utf-8")
    text = readme.write("# Benchmarks\n", tmp_path)
    assert "| a new peer | 3.00 (2.00-4.00) |  |" in text
    assert "| a new peer | 1,234 |  |" in text
    (line,) = (line for line in text.splitlines() if line.startswith("`python"))
    for word in ("a CPU", "2026-11-28", "commit abc", "limits not recorded", "without litdata"):
        assert word in line
    assert readme.write(text, tmp_path) == text
    assert readme.remove_regions(text).startswith("# Benchmarks\n\n## Pack\n\nPhotographs a second")


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
    work = node.Work(flops=1e9, operations=500, weight_bytes=1e8, jpegs_per_core_s=2_000)
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
