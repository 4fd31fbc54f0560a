"""Images a second from disk to a batch, against what a user would otherwise write.

All contenders give uint8 batches of 64x64 RGB faces from the same 178x218 JPEGs (`faceae synth`),
in random order and mirrored at random, on the CPU.

Peers: torch's DataLoader over loose JPEGs, decoded by Pillow or by torchvision, with 0 and 2
workers; plain webdataset with Pillow; litdata and mosaicml-streaming with torchvision's decoder and
2 workers; FFCV with 2 threads on JPEGs that it re-encoded. FFCV is left out if it is not installed
(it has no wheel: pip builds it against OpenCV's headers).

Ours: both loaders on the same JPEGs and on arrays packed at 64x64, and the cache. The cache's rate
is also reported as a share of the rate of copying such batches in memory.
"""

import argparse
import importlib.util
import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import faceae_shards
from benchmarks import isolated, packers, runner
from benchmarks.packers import NUM_WORKERS
from benchmarks.peer_loaders import (
    BATCH_SIZE,
    IMAGE_SIZE,
    open_litdata,
    open_loose,
    open_streaming,
    open_webdataset,
    read_pillow,
    read_torchvision,
)
from faceae.data import LoaderConfig, make_loader
from faceae.synthetic import SynthConfig, write_dataset


def _ours(kind: Any, dataset: faceae_shards.Dataset, cache: Any = "none") -> Callable[[], int]:
    config = LoaderConfig(
        split="train", batch_size=BATCH_SIZE, image_size=IMAGE_SIZE, training=True
    )
    loader = make_loader(kind, dataset, config, torch.device("cpu"), cache)
    return lambda: sum(len(batch.images) for batch in loader)


def _copying(num_batches: int) -> Callable[[], int]:
    """Copy one large tensor to another batch by batch."""
    faces = torch.zeros((num_batches, BATCH_SIZE, IMAGE_SIZE, IMAGE_SIZE, 3), dtype=torch.uint8)
    copies = torch.ones_like(faces)

    def work() -> int:
        for copy, batch in zip(copies, faces, strict=True):
            copy.copy_(batch)
        return num_batches * BATCH_SIZE

    return work


COPYING = "copying in memory"
TURN_S = 1.0


def _whole_turns(work: Callable[[], int]) -> Callable[[], int]:
    """Repeat short epochs until a second has passed."""

    def turn() -> int:
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < TURN_S:
            count += work()
        return count

    return turn


CACHE = "faceae cache"
HAS_FFCV = importlib.util.find_spec("ffcv") is not None

log = logging.getLogger(__name__)


def pack_faces(source: Path, out: Path, **options: Any) -> faceae_shards.Dataset:
    """Pack a source with all images in the training split."""
    faceae_shards.pack(
        faceae_shards.PackConfig(source=source, out=out, split=(1.0, 0.0, 0.0), **options)
    )
    return faceae_shards.open_dataset(out)


def contenders(folder: Path, count: int) -> list[runner.Contender]:
    """Draw the faces, pack them, and return the loaders to compare."""
    write_dataset(SynthConfig(out=folder / "faces", count=count, seed=0))
    loose = folder / "faces" / "img_align_celeba"
    jpg = pack_faces(loose, folder / "jpg")
    listed = folder / "list.txt"
    listed.write_text("".join(f"{path}\n" for path in sorted(loose.glob("*.jpg"))))
    for name, prepare in (("litdata", packers.prepare_litdata), ("mds", packers.prepare_mds)):
        out = str(folder / name)
        isolated.run(prepare, listed=str(listed), out=out, mode=packers.MODES[0])
    npy = pack_faces(loose, folder / "npy", size=IMAGE_SIZE, encoding="npy")
    ways: list[tuple[str, bool, Callable[[], int]]] = [
        (f"DataLoader, {name}, {workers} workers", True, open_loose(loose, read, workers))
        for name, read in (("Pillow", read_pillow), ("torchvision", read_torchvision))
        for workers in (0, NUM_WORKERS)
    ]
    ways += [
        ("webdataset, Pillow", True, open_webdataset(jpg)),
        ("litdata, torchvision, 2 workers", True, open_litdata(folder / "litdata")),
        ("streaming, torchvision, 2 workers", True, open_streaming(folder / "mds")),
        ("faceae webdataset loader, jpg", False, _ours("webdataset", jpg)),
        ("faceae DALI loader, jpg", False, _ours("dali", jpg)),
        ("faceae DALI loader, npy 64x64", False, _ours("dali", npy)),
        ("faceae webdataset loader, npy 64x64", False, _ours("webdataset", npy)),
        (CACHE, False, _ours("dali", npy, "ram")),
        (COPYING, False, _copying(count // BATCH_SIZE)),
    ]
    if HAS_FFCV:
        from benchmarks.peer_ffcv import open_ffcv

        ways.insert(0, ("FFCV, 2 threads", True, open_ffcv(loose, folder / "faces.beton")))
    else:
        log.warning("FFCV is not installed and not measured")
    return [
        runner.Contender(name=name, peer=peer, rate=runner.timed(_whole_turns(work)))
        for name, peer, work in ways
    ]


def share_of_copying(rows: list[runner.Row]) -> float:
    """Return the cache's rate as a share of copying in the same round; median over the rounds."""
    rates = {row.name: row.items_per_s for row in rows}
    return statistics.median(a / b for a, b in zip(rates[CACHE], rates[COPYING], strict=True))


def main() -> None:
    """Measure, write results/load.json and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=8192, help="faces to draw")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with tempfile.TemporaryDirectory() as folder:
        rows = runner.measure(contenders(Path(folder), options.count), options.rounds)
    settings = {"count": options.count, "batch_size": BATCH_SIZE, "image_size": IMAGE_SIZE}
    findings = {"ffcv_measured": HAS_FFCV, "cache_share_of_copying": share_of_copying(rows)}
    runner.save("load", rows, settings, findings)
    runner.plot("load", [row for row in rows if row.name != COPYING])
    print(runner.table(rows))
    print(findings)


if __name__ == "__main__":
    main()
