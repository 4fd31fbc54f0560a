"""Images a second from disk to a batch, against what a user would otherwise write.

All contenders give uint8 batches of 64x64 RGB faces from the same 178x218 JPEGs (`faceae synth`),
in random order and mirrored at random, on the CPU.

Peers: torch's DataLoader over loose JPEGs, decoded by Pillow, torchvision or torchcodec, with 0 and
2 workers; SPDL and DALI's own pipeline over loose JPEGs with 2 threads; webdataset and `datasets`,
which stream shards with Pillow; litdata and mosaicml-streaming with torchvision's decoder and 2
workers; FFCV with 2 threads on JPEGs that it re-encoded. What is not installed is left out and
named (FFCV has no wheel: pip builds it against OpenCV's headers).

Ours: both loaders on the same JPEGs and on arrays packed at 64x64, and the cache. The cache's rate
is also reported as a share of the rate of copying such batches in memory.

Profile of one JPEG in our DALI loader on one core of 2 x AMD EPYC, in microseconds: 145 in all.
Decoding at half size takes 97, of which at most 71 are the entropy decoder, which has to read the
whole file; scaling 27; reading, shuffling and mirroring 21. If only the rows and columns that the
crop keeps were converted and scaled, some 10 would be saved: a fifth of the pixels is cut off.
libjpeg-turbo's faster upsampling and transform save nothing at half size.
"""

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

import faceae_shards
from benchmarks import peers, runner
from benchmarks.peers.dataloader import open_loose
from benchmarks.shared import isolated
from benchmarks.shared.packing import MODES
from benchmarks.shared.reading import BATCH_SIZE, IMAGE_SIZE, read_pillow, read_torchvision
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
    jpg = pack_faces(loose, folder / "jpg", samples_per_shard=max(1, count // 8))
    npy = pack_faces(loose, folder / "npy", size=IMAGE_SIZE, encoding="npy")
    ways = [(name, True, work) for name, work in _peers(folder, loose, jpg.shard_paths("train"))]
    ways += [
        ("faceae webdataset loader, jpg", False, _ours("webdataset", jpg)),
        ("faceae DALI loader, jpg", False, _ours("dali", jpg)),
        ("faceae DALI loader, npy 64x64", False, _ours("dali", npy)),
        ("faceae webdataset loader, npy 64x64", False, _ours("webdataset", npy)),
        (CACHE, False, _ours("dali", npy, "ram")),
        (COPYING, False, _copying(count // BATCH_SIZE)),
    ]
    return [
        runner.Contender(name=name, peer=peer, rate=runner.timed(_whole_turns(work)))
        for name, peer, work in ways
    ]


def _peers(
    folder: Path, loose: Path, shards: Sequence[Path]
) -> Iterator[tuple[str, Callable[[], int]]]:
    """Yield each peer that is installed, with its work."""
    if ffcv := peers.load("ffcv"):
        yield "FFCV, 2 threads", ffcv.open_ffcv(loose, folder / "faces.beton")
    if spdl := peers.load("spdl"):
        yield spdl.NAME, spdl.open_spdl(loose)
    if dali := peers.load("dali"):
        yield "DALI's own pipeline, 2 threads", dali.open_dali(loose)
    ways = {"Pillow": read_pillow, "torchvision": read_torchvision}
    if torchcodec := peers.load("torchcodec"):
        ways["torchcodec"] = torchcodec.read_torchcodec
    for name, read in ways.items():
        for workers in (0, 2):
            yield f"DataLoader, {name}, {workers} workers", open_loose(loose, read, workers)
    if webdataset := peers.load("webdataset"):
        yield "webdataset, Pillow", webdataset.open_webdataset(shards)
    if hf_datasets := peers.load("hf_datasets"):
        yield "datasets, streaming, Pillow, 2 workers", hf_datasets.open_datasets(shards)
    listed = folder / "list.txt"
    listed.write_text("".join(f"{path}\n" for path in sorted(loose.glob("*.jpg"))))
    packed = {"listed": str(listed), "mode": MODES[0]}
    if litdata := peers.load("litdata"):
        isolated.run(litdata.prepare_litdata, out=str(folder / "litdata"), **packed)
        yield "litdata, torchvision, 2 workers", litdata.open_litdata(folder / "litdata")
    if streaming := peers.load("streaming"):
        isolated.run(streaming.prepare_mds, out=str(folder / "mds"), **packed)
        yield "streaming, torchvision, 2 workers", streaming.open_streaming(folder / "mds")


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
    findings = {"cache_share_of_copying": share_of_copying(rows)}
    runner.save("load", rows, settings, findings)
    runner.plot("load", [row for row in rows if row.name != COPYING])
    print(runner.table(rows))
    print(findings)


if __name__ == "__main__":
    main()
