"""Time and memory of listing a zip of 202,599 members, the number of CelebA's images.

Only the directory of a zip is read, so the members are a few stored bytes each. faceae parses the
directory itself; the peer is `zipfile`. Both ways fill the same columns of names, sizes, checksums
and places. Each listing runs in a process of its own. Time is CPU time, because a listing waits
for nothing. Memory is the growth of the process's peak during the listing.
"""

import argparse
import logging
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from benchmarks import runner
from benchmarks.shared import isolated, zip_listings

NUM_MEMBERS = 202_599


def main() -> None:
    """Measure, write results/zip_directory.json and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--members", type=int, default=NUM_MEMBERS, help="members of the zip")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    peaks: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "faces.zip"
        write_zip(path, options.members)

        def rate_of(name: str, prepare: Callable[..., zip_listings.Work]) -> Callable[[], float]:
            def rate() -> float:
                run = isolated.run(prepare, path=str(path))
                peaks[name].append(run.result["peak_mib"])
                assert run.result["num_members"] == options.members
                return options.members / float(run.result["cpu_s"])

            return rate

        ways = {
            "faceae": zip_listings.prepare_faceae,
            "zipfile": zip_listings.prepare_zipfile,
        }
        contenders = [
            runner.Contender(name=name, rate=rate_of(name, prepare), peer=name == "zipfile")
            for name, prepare in ways.items()
        ]
        rows = runner.measure(contenders, options.rounds)
    findings = {"peak_mib": {name: max(found) for name, found in peaks.items()}}
    settings = {"rounds": options.rounds, "members": options.members}
    runner.save("zip_directory", rows, settings, findings)
    print(runner.table(rows))
    print(findings)


def write_zip(path: Path, num_members: int) -> None:
    """Write a zip with the names of CelebA's images."""
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(1, num_members + 1):
            archive.writestr(f"img_align_celeba/{number:06}.jpg", b"face")


if __name__ == "__main__":
    main()
