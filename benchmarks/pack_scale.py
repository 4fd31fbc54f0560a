"""Time an image and memory of packs of 2,000, 20,000 and 200,000 images.

The images are drawn 178x218 JPEGs, packed as they are with the default options. The shards are
written to a file system in memory if there is one, because a disk buffers short packs but not long
ones. The cost of an image is the time of its pack minus that of a pack of 16 images (the start of
the processes, half of the time of a pack of 2,000), divided by the number of images. The result
also holds the cost with that start included.
"""

import argparse
import logging
import os
import shutil
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path

from benchmarks import runner
from benchmarks.pack import draw, list_images
from benchmarks.shared import apart, isolated, packing

log = logging.getLogger(__name__)

COUNTS = (2_000, 20_000, 200_000)
FEW = 16


def main() -> None:
    """Measure, write results/pack_scale.json and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=Path, help="folder of `faceae synth`; else drawn for this")
    parser.add_argument(
        "--counts", type=int, nargs=3, default=COUNTS, help="sizes; the second is the reference"
    )
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    memory = os.environ[apart.MEMORY]
    seconds: dict[int, list[float]] = defaultdict(list)
    peaks: dict[int, list[float]] = defaultdict(list)
    with (
        tempfile.TemporaryDirectory() as scratch,
        tempfile.TemporaryDirectory(dir=memory) as target,
    ):
        folder, out = Path(scratch), Path(target, "out")
        faces = options.faces or draw(folder / "faces", options.counts[-1])
        images = sorted((faces / "img_align_celeba").iterdir())
        lists = {count: list_images(folder, images, count) for count in (FEW, *options.counts)}
        for number in range(options.rounds):
            log.info("round %d of %d", number + 1, options.rounds)
            for count, listed in lists.items():
                run = isolated.run(
                    packing.prepare_faceae,
                    listed=str(listed),
                    out=str(out),
                    mode=packing.MODES[0],
                )
                shutil.rmtree(out)
                seconds[count].append(run.seconds)
                peaks[count].append(run.peak_mib)
    findings = {
        "seconds": {str(count): seconds[count] for count in lists},
        "cost_against_20000": {
            str(count): _median_ratio(seconds, count, options.counts[1]) for count in options.counts
        },
        "cost_with_start_against_20000": {
            str(count): statistics.median(
                (total / count) / (total_of_other / options.counts[1])
                for total, total_of_other in zip(
                    seconds[count], seconds[options.counts[1]], strict=True
                )
            )
            for count in options.counts
        },
        "peak_mib": {str(count): max(peaks[count]) for count in lists},
    }
    settings = {"rounds": options.rounds, "in_memory": memory.startswith("/dev/shm")}
    runner.save("pack_scale", [], settings, findings)
    for name, finding in findings.items():
        print(f"{name}: {finding}")


def _median_ratio(seconds: dict[int, list[float]], count: int, other: int) -> float:
    """Return the cost of an image in packs of `count` divided by that in packs of `other`."""
    return statistics.median(
        ((total - start) / (count - FEW)) / ((total_of_other - start) / (other - FEW))
        for start, total, total_of_other in zip(
            seconds[FEW], seconds[count], seconds[other], strict=True
        )
    )


if __name__ == "__main__":
    main()
