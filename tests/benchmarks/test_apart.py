"""A benchmark leaves the user's folders and processes as they were."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from PIL import Image

from benchmarks.shared import apart

ROOT = Path(__file__).parent.parent.parent
FAKE_LITDATA = '''
import pathlib, shutil, tempfile

def optimize(fn, inputs, output_dir, **options):
    """Use and empty the folders that litdata uses and empties."""
    for name in ("data", "chunks"):
        folder = pathlib.Path(tempfile.gettempdir(), name)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    (pathlib.Path.home() / ".lightning").mkdir()
    pathlib.Path(output_dir).mkdir()
'''
CACHES = ("HF_HOME", "TORCH_HOME", "XDG_CACHE_HOME", "TORCHINDUCTOR_CACHE_DIR", "HF_DATASETS_CACHE")
LONG_S = 300
NEEDS_LITDATA = pytest.mark.skipif(
    importlib.util.find_spec("litdata") is None, reason="litdata is not installed"
)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A user's environment, with files of the user's in every folder that a library may use."""
    folders = {"TMPDIR": tmp_path / "tmp", "HOME": tmp_path / "home"}
    folders |= {name: tmp_path / name for name in CACHES}
    for folder in (*folders.values(), tmp_path / "tmp/data", tmp_path / "tmp/chunks"):
        folder.mkdir()
        (folder / "precious").write_text("mine")
    paths = [str(tmp_path / "code"), str(ROOT), str(ROOT / "shards"), str(ROOT / "export")]
    (tmp_path / "code").mkdir()
    kept = {name: value for name, value in os.environ.items() if name != apart.MARK}
    return (
        kept
        | {name: str(path) for name, path in folders.items()}
        | {"PYTHONPATH": os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")])}
    )


def files_of(tmp_path: Path) -> set[Path]:
    return {path for path in tmp_path.rglob("*") if "code" not in path.parts}


@pytest.mark.parametrize("litdata", ["fake", pytest.param("real", marks=NEEDS_LITDATA)])
def test_a_benchmark_with_litdata_touches_no_folder_of_the_user(
    tmp_path: Path, environment: dict[str, str], litdata: str
) -> None:
    if litdata == "fake":
        (tmp_path / "code" / "litdata.py").write_text(FAKE_LITDATA)
    Image.new("RGB", (178, 218)).save(tmp_path / "face.jpg")
    (tmp_path / "list.txt").write_text(f"{tmp_path}/face.jpg\n")
    before = files_of(tmp_path)
    out = tmp_path / "out"
    arguments = f'{{"listed": "{tmp_path}/list.txt", "out": "{out}", "mode": "untouched"}}'
    command = ["benchmarks.shared.isolated", "benchmarks.peers.litdata:prepare_litdata", arguments]
    subprocess.run([sys.executable, "-m", *command], env=environment, cwd=ROOT, check=True)
    after = {path for path in files_of(tmp_path) if not path.is_relative_to(out)}
    assert out.is_dir()
    assert after == before
    assert all(path.read_text() == "mine" for path in before if path.name == "precious")


WAITING = """
import os, pathlib, subprocess, sys, time

def prepare(seen):
    child = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    )
    path = pathlib.Path(seen)
    path.with_suffix(".part").write_text(f"{os.environ['TMPDIR']} {child.pid}")
    path.with_suffix(".part").rename(path)
    time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_benchmark_leaves_nothing(
    tmp_path: Path, environment: dict[str, str], number: signal.Signals
) -> None:
    (tmp_path / "code" / "waiting.py").write_text(WAITING)
    seen = tmp_path / "seen"
    command = ["benchmarks.shared.isolated", "waiting:prepare", f'{{"seen": "{seen}"}}']
    process = subprocess.Popen([sys.executable, "-m", *command], env=environment, cwd=ROOT)
    end = time.monotonic() + LONG_S
    while not seen.exists():
        assert process.poll() is None, "it ended"
        assert time.monotonic() < end
        time.sleep(0.05)
    folder, child = seen.read_text().split()
    assert Path(folder).is_relative_to(tmp_path / "tmp")
    process.send_signal(number)
    assert process.wait(LONG_S) == 130
    assert not Path(folder).exists()
    assert not is_running(int(child))


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_the_status_of_a_command_is_handed_on() -> None:
    assert apart.run(["-c", "raise SystemExit(7)"]) == 7
