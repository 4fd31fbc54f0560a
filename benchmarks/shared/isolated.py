"""Runs work in a process of its own and measures its time and peak memory.

The time excludes imports; the memory includes them, and all processes that the work starts. A
contender measured this way starts cold and shares no memory with another.
"""

import importlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import psutil

_POLL_S = 0.05


@dataclass(frozen=True, kw_only=True)
class IsolatedRun:
    """Result, time and memory of one run."""

    result: Any
    """Return value of the work; JSON values."""
    seconds: float
    """Time from the end of the imports to the end of the work."""
    peak_mib: float
    """Memory of the process and its children; shared pages count once (PSS)."""
    peak_own_mib: float
    """`peak_mib` without pages of mapped files, which the system can reclaim."""


def run(prepare: Callable[..., Callable[[], Any]], **arguments: Any) -> IsolatedRun:
    """Run `prepare(**arguments)()` in a fresh process, where `prepare` does the imports.

    Args:
        prepare: A function of an importable module.
        arguments: JSON values.
    """
    name = f"{prepare.__module__}:{prepare.__name__}"
    command = [sys.executable, "-m", "benchmarks.shared.isolated", name, json.dumps(arguments)]
    peak = _Pss(0, 0)
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output)
        while process.poll() is None:
            peak = _Pss(*map(max, peak, _measure_pss(process.pid)))
            time.sleep(_POLL_S)
        output.seek(0)
        lines = output.read().splitlines()
    if process.returncode != 0:
        raise RuntimeError(f"{name} ended with exit code {process.returncode}")
    return IsolatedRun(
        **json.loads(lines[-1]), peak_mib=peak.total / 2**10, peak_own_mib=peak.own / 2**10
    )


class _Pss(NamedTuple):
    """Memory in KiB."""

    total: int
    own: int


def _measure_pss(pid: int) -> _Pss:
    total = own = 0
    try:
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return _Pss(0, 0)
    for process in processes:
        try:
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue  # the process has ended meanwhile
        kib = {line.split()[0]: int(line.split()[1]) for line in lines[1:]}
        total += kib["Pss:"]
        own += kib["Pss_Anon:"] + kib["Pss_Shmem:"]
    return _Pss(total, own)


def _main(name: str, arguments: str) -> None:
    module, _, function = name.partition(":")
    work = getattr(importlib.import_module(module), function)(**json.loads(arguments))
    start = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    print(json.dumps({"result": result, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
