"""Runs a command with folders, caches and a port of its own, and removes them in the end.

Libraries write where nobody asked them to: litdata's optimiser empties `$TMPDIR/data` and
`$TMPDIR/chunks`, others fill caches in the home folder. Many read these paths when they are
imported. A benchmark therefore runs in a child process whose environment names private folders.
The parent process waits. When the child has ended, was interrupted or was killed, the parent ends
every process that the child left behind, and removes the folders.
"""

import os
import signal
import site
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import psutil

MARK = "FACEAE_BENCHMARK_FOLDER"
"""Environment variable of a command that runs apart: its private folder."""
MEMORY = "FACEAE_BENCHMARK_MEMORY"
"""Environment variable: a private folder in memory, or on the disk where there is no other."""
_SHARED_MEMORY = Path("/dev/shm")
_GRACE_S = 20.0
_POLL_S = 0.02
_INTERRUPTED = 130
_CACHES = {
    "XDG_CACHE_HOME": "home/.cache",
    "XDG_CONFIG_HOME": "home/.config",
    "XDG_DATA_HOME": "home/.local/share",
    "XDG_STATE_HOME": "home/.local/state",
    "HF_HOME": "home/.cache/huggingface",
    "TORCH_HOME": "home/.cache/torch",
    "TORCHINDUCTOR_CACHE_DIR": "home/.cache/inductor",
    "TORCH_EXTENSIONS_DIR": "home/.cache/extensions",
    "TRITON_CACHE_DIR": "home/.cache/triton",
    "CUDA_CACHE_PATH": "home/.cache/cuda",
    "NUMBA_CACHE_DIR": "home/.cache/numba",
    "MPLCONFIGDIR": "home/.config/matplotlib",
    "DATA_OPTIMIZER_CACHE_FOLDER": "t/chunks",
    "DATA_OPTIMIZER_DATA_CACHE_FOLDER": "t/data",
}
"""Variables that name caches, and where the private ones lie."""
_DROPPED = (
    "HF_HUB_CACHE",
    "HF_DATASETS_CACHE",
    "HF_ASSETS_CACHE",
    "HF_MODULES_CACHE",
    "HF_XET_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "TRANSFORMERS_CACHE",
    "XDG_RUNTIME_DIR",
)
"""Variables that would lead back to the user's caches."""


def rerun_command() -> None:
    """If this process is a benchmark's command, run it again apart, and exit with its status.

    Must be called while the package is imported: `sys.argv[0]` is "-m" until then.
    """
    if MARK not in os.environ and sys.argv[0] == "-m":
        sys.exit(run(sys.orig_argv[1:]))


def run(arguments: Sequence[str], variables: Mapping[str, str] | None = None) -> int:
    """Run Python with arguments apart, and return its exit status.

    Args:
        arguments: of the Python interpreter, such as "-m", "benchmarks.load".
        variables: further environment variables.
    """
    shared = _SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None
    outer = os.environ.get(MEMORY, shared)  # within that of `run_all`, if it runs this
    with (
        _terminated_as_interrupted(),
        tempfile.TemporaryDirectory(prefix="b-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryDirectory(prefix="b-", dir=outer) as memory,
    ):
        environment = make_environment(Path(folder), Path(memory)) | dict(variables or {})
        process = subprocess.Popen(
            [sys.executable, *arguments], env=environment, start_new_session=True
        )
        try:
            return process.wait()
        except KeyboardInterrupt:
            _interrupt(process)
            return _INTERRUPTED
        finally:
            _end_all(folder)


def make_environment(folder: Path, memory: Path) -> dict[str, str]:
    """Return an environment that keeps everything a library writes in two folders.

    Python's user packages and git's settings stay those of the user.
    """
    for name in ("t", *_CACHES.values()):
        (folder / name).mkdir(parents=True, exist_ok=True)
    own = {name: str(folder / path) for name, path in _CACHES.items()}
    own |= {name: str(folder / "t") for name in ("TMPDIR", "TMP", "TEMP")}
    own |= {MARK: str(folder), MEMORY: str(memory), "HOME": str(folder / "home")}
    own |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(find_free_port())}
    own |= {"PYTHONUSERBASE": site.getuserbase()}
    settings = Path("~/.gitconfig").expanduser()
    if settings.exists():
        own["GIT_CONFIG_GLOBAL"] = os.environ.get("GIT_CONFIG_GLOBAL", str(settings))
    kept = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    return kept | own


def find_free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM and SIGHUP interrupt as Ctrl-C does, so that folders are removed."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # under nohup it is ignored
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(process: "subprocess.Popen[bytes]") -> None:
    """End the command. SIGINT would not do: a background job of a shell ignores it."""
    process.terminate()
    try:
        process.wait(_GRACE_S)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()


def _end_all(folder: str) -> None:
    """Kill the processes whose environment names the folder, or a folder in it."""
    left = [process for process in psutil.process_iter() if _folder_of(process).startswith(folder)]
    for process in left:
        process.kill()
    end = time.monotonic() + _GRACE_S
    while any(map(_is_running, left)) and time.monotonic() < end:
        time.sleep(_POLL_S)


def _is_running(process: psutil.Process) -> bool:
    """Return whether a process still runs; one that only waits to be reaped does not."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _folder_of(process: psutil.Process) -> str:
    try:
        return str(process.environ().get(MARK, ""))
    except (psutil.Error, OSError):
        return ""
