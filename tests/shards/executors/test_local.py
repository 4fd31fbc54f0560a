"""Tasks in processes of this machine: results, imports, deaths."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from executor_workers import EnvironmentWorker, LostWorker, SquareWorker

from faceae_shards import ShardsError
from faceae_shards.executors import LocalExecutor
from faceae_shards.executors._children import move_current_folder_last, safe_start

TRAPS = ("numpy.py", "json.py", "socket.py", "struct.py", "export.py", "cv2.py", "faceae_shards.py")


def run(worker: object, tasks: list[object], processes: int = 2) -> tuple[list[object], int]:
    """Return the results in order of their size, and the number of ticks."""
    results: list[object] = []
    ticks = [0]
    executor = LocalExecutor(processes)
    executor.run(worker, tasks, on_result=results.append, on_ticks=ticks.append)  # type: ignore[arg-type]
    return results, ticks[-1]


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("num_tasks", [0, 1, 7])
def test_every_task_runs_once(processes: int, num_tasks: int) -> None:
    results, num_ticks = run(SquareWorker(), [*range(num_tasks)], processes)
    assert sorted(map(str, results)) == sorted(str(n * n) for n in range(num_tasks))
    assert num_ticks == num_tasks


def test_tasks_are_drawn_as_processes_become_free() -> None:
    drawn: list[int] = []
    ahead: list[int] = []
    done: list[int] = []

    def draw() -> object:
        for number in range(20):
            drawn.append(number)
            ahead.append(len(drawn) - len(done))
            yield number

    LocalExecutor(2).run(SquareWorker(), draw(), on_result=done.append, on_ticks=lambda n: None)
    assert max(ahead) <= 4


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("die", "was killed, perhaps for want of memory.*fewer `workers`"),
        ("crash", r"crashed \(SIGSEGV\)"),
        (
            "import",
            r"No module named 'nowhere' \(asked for by .*executor_workers\.py, line \d+\); install",
        ),
    ],
)
def test_what_befalls_a_process(task: str, message: str) -> None:
    with pytest.raises(ShardsError, match=message):
        run(SquareWorker(), [1, 2, task, 3])


def test_import_error_while_a_process_starts() -> None:
    with pytest.raises(ShardsError, match="cannot import what it needs: No module named 'nowhere'"):
        run(LostWorker(), [1, 2])


def test_environment_of_now_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    run(EnvironmentWorker(), ["A", "B"])  # the server runs now
    monkeypatch.setenv("FACEAE_TEST", "late")
    results, _ = run(EnvironmentWorker(), ["FACEAE_TEST", "PYTHONSAFEPATH"])
    assert {value for value, _ in results} == {"late", os.environ.get("PYTHONSAFEPATH")}  # type: ignore[misc]
    assert all(signal.SIGINT not in blocked for _, blocked in results)  # type: ignore[misc]


@pytest.mark.skipif(sys.platform == "win32", reason="has no signal masks")
def test_start_holds_ctrl_c_back_and_restores_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    path = sys.path
    with safe_start():
        assert os.environ["PYTHONSAFEPATH"] == "1"
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert "PYTHONSAFEPATH" not in os.environ
    assert sys.path is path
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_only_the_entry_that_python_put_first_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    here = str(Path.cwd())
    assert move_current_folder_last(["", "/lib"]) == ["/lib", ""]
    assert move_current_folder_last([here, here, "/lib"]) == [here, "/lib", here]
    assert move_current_folder_last(["/bin", here, "/lib"]) == ["/bin", here, "/lib"]
    assert move_current_folder_last([]) == []


@pytest.fixture
def trap(tmp_path: Path, photos: Path) -> Path:
    """A folder of modules that raise where they are imported, beside twenty photographs."""
    for name in TRAPS:
        (photos.parent / name).write_text(
            f"raise RuntimeError('imported {name} from the folder')\n"
        )
    for name in ("shards", "export", "faceae"):
        (photos.parent / name).mkdir()
    return photos.parent


def call(folder: Path, *arguments: str) -> None:
    """Run Python in a folder; it must succeed without a traceback."""
    finished = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert "Traceback" not in finished.stderr


SCRIPT = """
import sys
from faceae.cli import main
if __name__ == "__main__":
    sys.exit(main())
"""
"""The console script, as pip writes it."""


@pytest.mark.parametrize(
    "command",
    [
        ["shard", "photos", "out", "--workers=2", "--samples-per-shard=2"],
        ["synth", "out", "--count=100", "--workers=2"],
    ],
)
def test_console_script_in_a_folder_of_traps(
    trap: Path, tmp_path_factory: pytest.TempPathFactory, command: list[str]
) -> None:
    script = tmp_path_factory.mktemp("bin") / "faceae"
    script.write_text(SCRIPT)
    call(trap, str(script), *command)
    assert any((trap / "out").iterdir())


LATE = """
import os, sys
import faceae_shards.packing, faceae.synthetic.celeba
import faceae.cli._shard, faceae.cli._synth, faceae.cli._progress
if __name__ == "__main__":
    os.chdir(sys.argv[1])
    sys.exit(faceae.cli.run(sys.argv[2:]))
"""
"""A program that has imported what it needs when it enters a folder of traps."""


@pytest.mark.parametrize(
    "command",
    [["shard", "photos", "out", "--workers=2"], ["synth", "out", "--count=100", "--workers=2"]],
)
def test_python_c_in_a_folder_of_traps(
    trap: Path, tmp_path_factory: pytest.TempPathFactory, command: list[str]
) -> None:
    """Here "" comes first on the `sys.path` of the caller itself."""
    call(tmp_path_factory.mktemp("elsewhere"), "-c", LATE, str(trap), *command)
    assert any((trap / "out").iterdir())


@pytest.mark.parametrize("arguments", [["-m", "faceae"], ["-c", SCRIPT], ["run.py"]])
def test_folders_of_our_names_beside_the_caller(photos: Path, arguments: list[str]) -> None:
    """The caller itself imports from the current folder here, and its processes may."""
    for name in ("shards", "export", "packed"):
        (photos.parent / name).mkdir()
    (photos.parent / "images.py").write_text("raise RuntimeError")
    (photos.parent / "run.py").write_text(SCRIPT)
    call(photos.parent, *arguments, "shard", "photos", "shards", "--workers=2")
    assert (photos.parent / "shards" / "dataset.json").exists()


def test_script_without_a_guard_is_told_to_have_one(photos: Path) -> None:
    (photos.parent / "run.py").write_text(
        "import faceae_shards as f\n"
        "from pathlib import Path\n"
        "f.pack(f.PackConfig(source=Path('photos'), out=Path('out'), workers=2, "
        "samples_per_shard=2))\n"
    )
    command = [sys.executable, "run.py"]
    finished = subprocess.run(
        command, cwd=photos.parent, capture_output=True, text=True, check=False
    )
    *_, last = finished.stderr.splitlines()
    assert "ShardsError" in last
    assert '__name__ == "__main__"' in last
    assert "memory" not in last
