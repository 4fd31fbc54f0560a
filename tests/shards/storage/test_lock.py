"""Locks on the folder of a pack, and who may hold them at once."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from faceae_shards import ShardsError
from faceae_shards.storage import _lock
from faceae_shards.storage._lock import hold_shared, lock_by_name, lock_folder

HOLD = """
import sys
from pathlib import Path
from faceae_shards.storage._lock import lock_by_name, lock_folder
folder = Path(sys.argv[2])
by_name = sys.argv[1] == "lock_by_name"
held = lock_by_name(folder) if by_name else lock_folder(folder / "lock", folder)
with held:
    print("held", flush=True)
    sys.stdin.read()
"""

KINDS = ["lock_by_name", "lock_folder"]
if sys.platform == "win32":
    KINDS.remove("lock_folder")


def hold(kind: str, folder: Path) -> None:
    """Take a lock and let it go."""
    if kind == "lock_folder":
        with lock_folder(folder / "lock", folder):
            pass
    else:
        with lock_by_name(folder):
            pass


@pytest.mark.parametrize("kind", KINDS)
def test_kill_9_releases_the_lock(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_lock, "_PATIENCE_S", 0.1)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, kind, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ShardsError, match=f"{tmp_path}: another process is packing into it"):
            hold(kind, tmp_path)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        hold(kind, tmp_path)


def test_other_folders_are_free(tmp_path: Path) -> None:
    with lock_by_name(tmp_path / "a"):
        hold("lock_by_name", tmp_path / "b")
        with pytest.raises(ShardsError, match="another process is packing into it"):
            hold("lock_by_name", tmp_path / "a")


@pytest.mark.skipif(sys.platform == "win32", reason="has no shared locks")
def test_workers_share_the_lock_and_keep_the_next_pack_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_lock, "_PATIENCE_S", 0.1)
    with lock_folder(tmp_path / "lock", tmp_path):
        hold_shared(tmp_path / "lock")  # as a worker does that outlives its pack
    with pytest.raises(ShardsError, match="another process is packing into it"):
        hold("lock_folder", tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="has no shared locks")
def test_a_worker_notices_that_another_pack_began(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        assert _lock._try_lock(descriptor, shared=False)
        with pytest.raises(ShardsError, match="taken over by another pack"):
            hold_shared(path)
    finally:
        os.close(descriptor)
