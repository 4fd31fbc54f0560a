"""One process at a time on a run."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from faceae.errors import FaceaeError
from faceae.training.records import lock_run

HOLD = """
import sys
from pathlib import Path
from faceae.training.records import lock_run
with lock_run(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_second_process_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(FaceaeError, match=f"{tmp_path}: another process is training this run"),
            lock_run(tmp_path),
        ):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with lock_run(tmp_path):
            pass
