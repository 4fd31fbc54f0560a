"""Photographs a second into shards, against what a user would otherwise write.

The photographs are drawn 178x218 JPEGs in CelebA's layout (`faceae synth`), in the page cache.
Every contender proves each image decodable before it stores it: peers as their users do, with
Pillow; the plain `tar` proves nothing and stands for the cost of copying. Ours also hashes and
syncs what it writes; no peer does. Modes: the files' own bytes; the centre square of 178 pixels
scaled to 64, as JPEG of quality 95; the same as raw pixels. Each turn is a fresh process; imports
are not timed.

Besides: the share of the decode limit (libjpeg-turbo on all cores, nothing else), the peak memory
of each contender, and the cost an image of packs of 2,000, 20,000 and 200,000 images.
"""

import argparse
import functools
import logging
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import isolated, packers, runner
from benchmarks.packers import CROP, MODES, NUM_WORKERS, SIZE

log = logging.getLogger(__name__)

SCALES = (2_000, 20_000, 200_000)
FEW = 16
"""Images of the pack whose time is taken for that of starting."""


def main() -> None:
    """Measure, write results/pack.json and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=Path, help="folder of `faceae synth`; else drawn for this")
    parser.add_argument("--count", type=int, default=20_000, help="images of the comparison")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-scale", action="store_true", help="leave out the packs by size")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        faces = options.faces or _draw(
            folder / "faces", 1 if options.no_scale else 200_000, options
        )
        images = sorted((faces / "img_align_celeba").iterdir())
        listed = _list(folder, images, options.count)
        log.info("%d images of %s", options.count, faces)
        peaks: dict[str, list[float]] = defaultdict(list)
        rows = runner.measure(list(_contenders(folder, listed, peaks)), options.rounds)
        findings = {
            "peak_mib": {name: max(values) for name, values in peaks.items()},
            "share_of_decode_limit": _share_of_limit(rows),
        }
        if not options.no_scale:
            findings["scale"] = _measure_scale(folder, images, options.rounds)
    settings = {"count": options.count, "workers": NUM_WORKERS, "crop": CROP, "size": SIZE}
    runner.save("pack", rows, settings, findings)
    runner.plot("pack", rows)
    print(runner.table(rows))
    for name, finding in findings.items():
        print(f"\n{name}: {finding}")


def _draw(out: Path, options: argparse.Namespace) -> Path:
    from faceae.synthetic import SynthConfig, write_dataset

    count = options.count if options.no_scale else max(options.count, *SCALES)
    log.info("drawing %d faces", count)
    write_dataset(SynthConfig(out=out, count=count, seed=1))
    return out


def _list(folder: Path, images: list[Path], count: int) -> Path:
    """Write a list of the first images, which every contender can read alike."""
    if len(images) < count:
        raise SystemExit(f"{count} images are asked for, {len(images)} are there")
    path = folder / f"{count}.txt"
    path.write_text("".join(f"{image.resolve()}\n" for image in images[:count]))
    return path


def _contenders(
    folder: Path, listed: Path, peaks: dict[str, list[float]]
) -> Iterator[runner.Contender]:
    for mode in MODES:
        for name, peer, prepare in (
            ("faceae shard", False, packers.prepare_faceae),
            ("webdataset.ShardWriter, Pillow", True, packers.prepare_shardwriter),
            ("litdata.optimize, Pillow", True, packers.prepare_litdata),
            ("streaming.MDSWriter, Pillow", True, packers.prepare_mds),
            ("tar, nothing checked", False, packers.prepare_tar),
            ("libjpeg-turbo on all cores, nothing written", False, packers.prepare_decoding),
        ):
            if mode != MODES[0] and prepare is packers.prepare_tar:
                continue
            rate = functools.partial(
                _rate, prepare, folder / "out", listed, mode, peaks[f"{mode}: {name}"]
            )
            yield runner.Contender(name=name, rate=rate, peer=peer, group=mode)


def _rate(prepare: Any, out: Path, listed: Path, mode: str, peaks: list[float]) -> float:
    run = isolated.run(prepare, listed=str(listed), out=str(out), mode=mode)
    shutil.rmtree(out, ignore_errors=True)
    out.unlink(missing_ok=True)
    peaks.append(run.peak_mib)
    return float(run.result) / run.seconds


def _share_of_limit(rows: list[runner.Row]) -> dict[str, float]:
    rates = {(row.group, row.name.split(",")[0]): row.items_per_s for row in rows}
    return {
        mode: statistics.median(
            ours / limit
            for ours, limit in zip(
                rates[mode, "faceae shard"],
                rates[mode, "libjpeg-turbo on all cores"],
                strict=True,
            )
        )
        for mode in MODES
    }


def _measure_scale(folder: Path, images: list[Path], rounds: int) -> dict[str, Any]:
    """Return the cost an image by the size of the pack, start-up apart, and the peak memory."""
    lists = {count: _list(folder, images, count) for count in (FEW, *SCALES)}
    seconds: dict[int, list[float]] = defaultdict(list)
    peaks: dict[int, float] = {}
    for number in range(rounds):
        log.info("packs by size, round %d of %d", number + 1, rounds)
        for count, listed in lists.items():
            out = folder / "out"
            run = isolated.run(
                packers.prepare_faceae, listed=str(listed), out=str(out), mode=MODES[0]
            )
            shutil.rmtree(out)
            seconds[count].append(run.seconds)
            peaks[count] = max(peaks.get(count, 0.0), run.peak_mib)
            time.sleep(1)  # the disk
    costs = {
        count: [
            (total - start) / (count - FEW)
            for total, start in zip(seconds[count], seconds[FEW], strict=True)
        ]
        for count in SCALES
    }
    reference = statistics.median(costs[SCALES[1]])
    return {
        "seconds": {str(count): seconds[count] for count in lists},
        "cost_an_image_against_20000": {
            str(count): statistics.median(costs[count]) / reference for count in SCALES
        },
        "peak_mib": {str(count): peaks[count] for count in lists},
    }


if __name__ == "__main__":
    main()
