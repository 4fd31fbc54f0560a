"""Time, size and memory of packing all of CelebA, drawn: 202,599 images and the five tables.

The pack has the default options. The result also says whether `verify` finds problems and how long
it takes, and whether one worker, and a pack that was killed and run again, write files with the
same sha256.
"""

import argparse
import hashlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import runner
from benchmarks.pack import draw
from benchmarks.shared import isolated, packing
from faceae_shards import verify

log = logging.getLogger(__name__)

COUNT = 202_599
SAMPLES = 4096
SHARDS_BEFORE_KILL = 5
_POLL_S = 0.05


def main() -> None:
    """Measure, write results/pack_celeba.json and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT, help="images to draw")
    parser.add_argument("--shard", type=int, default=SAMPLES, help="images of a shard")
    parser.add_argument("--faces", type=Path, help="folder of `faceae synth`; else drawn for this")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        faces = options.faces or draw(folder / "faces", options.count)
        out = folder / "out"
        findings = _pack(faces, out, packing.NUM_WORKERS, options.shard)
        findings["verify"] = _verify(out)
        files = _hash_files(out)
        findings |= {"num_files": len(files), "sha256": _hash(files)}
        shutil.rmtree(out)
        findings["one_worker"] = _pack(faces, out, 1, options.shard)
        findings["one_worker"]["same_files"] = _hash_files(out) == files
        shutil.rmtree(out)
        findings["killed_at_shards"] = _kill(faces, out, options.shard)
        findings["resumed"] = _pack(faces, out, packing.NUM_WORKERS, options.shard)
        findings["resumed"]["same_files"] = _hash_files(out) == files
    runner.save("pack_celeba", [], {"workers": packing.NUM_WORKERS}, findings)
    for name, finding in findings.items():
        print(f"{name}: {finding}")


def _pack(faces: Path, out: Path, workers: int, shard: int) -> dict[str, Any]:
    log.info("packing with %d workers", workers)
    run = isolated.run(
        packing.prepare_folder, source=str(faces), out=str(out), workers=workers, shard=shard
    )
    return {**run.result, "seconds": run.seconds, "peak_mib": run.peak_mib}


def _verify(out: Path) -> dict[str, Any]:
    log.info("verifying")
    start = time.perf_counter()
    problems = verify(out).problems
    return {"num_problems": len(problems), "seconds": time.perf_counter() - start}


def _kill(faces: Path, out: Path, shard: int) -> int:
    """Kill a pack with all its processes after some shards; return how many are finished."""
    log.info("packing, to be killed")
    command = [sys.executable, "-m", "faceae", "shard", str(faces), str(out)]
    command += ["--samples-per-shard", str(shard)]
    process = subprocess.Popen(command, start_new_session=True)
    while len(list(out.rglob("*.tar"))) < SHARDS_BEFORE_KILL:
        if process.poll() is not None:
            raise RuntimeError("the pack ended before it was killed")
        time.sleep(_POLL_S)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return len(list(out.rglob("*.tar")))


def _hash_files(folder: Path) -> dict[str, str]:
    hashes = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256")
            hashes[str(path.relative_to(folder))] = digest.hexdigest()
    return hashes


def _hash(files: dict[str, str]) -> str:
    """Return one sha256 of the names and hashes of all files."""
    return hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()


if __name__ == "__main__":
    main()
