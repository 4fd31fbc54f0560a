"""Photographs a second into shards, against what a user would otherwise write.

The photographs are drawn 178x218 JPEGs in CelebA's layout (`faceae synth`), in the page cache.
Every contender decodes each image before it stores it, in as many processes as there are cores;
peers use Pillow, as their users do. Plain `tar` checks nothing and shows the cost of copying.
faceae also hashes and syncs its output; no peer does. Modes: the files' own bytes; the centre
square of 178 pixels scaled to 64 as JPEG of quality 95; the same as raw pixels. Each turn is a
fresh process; imports are not timed.

The result also holds each contender's peak memory, and our rate as a share of the decode limit:
libjpeg-turbo alone on all cores.

Profile of one image for `jpg 64` on one core of 2 x AMD EPYC, in microseconds: decoding 142, checks
of its header 22, the filter 58 (Pillow's takes five times as long), its copies 22, encoding 33, and
reading, hashing, the tar and Python some 100. The calling process lists, splits and hashes the
names before workers start, 30 for each image. Decoding
at half size is no way to save time here: 89 pixels are less than twice the 64 that are stored.
"""

import argparse
import functools
import logging
import shutil
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import peers, runner
from benchmarks.peers import tar
from benchmarks.shared import isolated, packing
from benchmarks.shared.packing import CROP, MODES, NUM_WORKERS, SIZE

log = logging.getLogger(__name__)


def main() -> None:
    """Measure, write results/pack.json and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=Path, help="folder of `faceae synth`; else drawn for this")
    parser.add_argument("--count", type=int, default=20_000, help="images to pack")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        faces = options.faces or draw(folder / "faces", options.count)
        images = sorted((faces / "img_align_celeba").iterdir())
        listed = list_images(folder, images, options.count)
        log.info("%d images of %s", options.count, faces)
        peaks: dict[str, list[float]] = defaultdict(list)
        rows = runner.measure(list(_contenders(folder, listed, peaks)), options.rounds)
        findings = {
            "peak_mib": {name: max(values) for name, values in peaks.items()},
            "share_of_decode_limit": _share_of_limit(rows),
        }
    settings = {"count": options.count, "workers": NUM_WORKERS, "crop": CROP, "size": SIZE}
    runner.save("pack", rows, settings, findings)
    runner.plot("pack", rows)
    print(runner.table(rows))
    for name, finding in findings.items():
        print(f"\n{name}: {finding}")


def draw(out: Path, count: int) -> Path:
    """Draw faces in CelebA's layout."""
    from faceae.synthetic import SynthConfig, write_dataset

    log.info("drawing %d faces", count)
    write_dataset(SynthConfig(out=out, count=count, seed=1))
    return out


def list_images(folder: Path, images: list[Path], count: int) -> Path:
    """Write a list of the first images, which every contender reads."""
    if len(images) < count:
        raise SystemExit(f"{count} images are asked for, {len(images)} are there")
    path = folder / f"{count}.txt"
    path.write_text("".join(f"{image.resolve()}\n" for image in images[:count]))
    return path


def _contenders(
    folder: Path, listed: Path, peaks: dict[str, list[float]]
) -> Iterator[runner.Contender]:
    ways = list(_ways())
    for mode in MODES:
        for name, peer, prepare in ways:
            if mode != MODES[0] and name.startswith("tar"):
                continue
            rate = functools.partial(
                _rate, prepare, folder / "out", listed, mode, peaks[f"{mode}: {name}"]
            )
            yield runner.Contender(name=name, rate=rate, peer=peer, group=mode)


def _ways() -> Iterator[tuple[str, bool, Any]]:
    """Yield each contender's name, whether it is a peer, and how it is prepared."""
    yield "faceae shard", False, packing.prepare_faceae
    for name, module, function in (
        ("webdataset.ShardWriter, Pillow", "webdataset", "prepare_shardwriter"),
        ("litdata.optimize, Pillow", "litdata", "prepare_litdata"),
        ("streaming.MDSWriter, Pillow", "streaming", "prepare_mds"),
    ):
        if peer := peers.load(module):
            yield name, True, getattr(peer, function)
    yield "tar, nothing checked", False, tar.prepare_tar
    yield "libjpeg-turbo on all cores, nothing written", False, packing.prepare_decoding


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


if __name__ == "__main__":
    main()
