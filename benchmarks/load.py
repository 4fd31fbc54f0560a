"""Images a second from disk to a batch, against what a user would otherwise write.

All contenders give uint8 batches of 128 RGB faces of 64x64 in random order, mirrored at random, on
the CPU. They use two threads or workers; some torch ones are shown with none, too. Three groups, as
a ratio is fair only against a peer that reads the same:

- JPEG 178x218, drawn by `faceae synth`. Peers: torch's DataLoader over loose files, decoded by
  Pillow (as tutorials have it, and with its `draft` mode, which decodes at half size as ours does),
  or by torchvision; SPDL and DALI's own pipeline over loose files; webdataset, `datasets`, litdata
  and mosaicml-streaming over shards, decoded by torchvision; FFCV on JPEGs that it re-encoded.
  torchvision's decoder stands for torchcodec's, too, whose `decode_image` needs torch 2.11 or
  newer, while we pin torch 2.10.
- Arrays 64x64, scaled beforehand. Peers: FFCV's raw images, litdata, mosaicml-streaming, and
  torch's DataLoader over one mapped file, a batch at a time.
- In memory: our cache, and the peer that indexes one tensor. The cache's rate is also reported as a
  share of the rate of copying such batches.

What is not installed is left out and named (FFCV has no wheel: pip builds it against OpenCV's
headers). Warm-up, which compiles and starts workers, does not count; nor do the first batches of a
turn, which may have been prepared before it.

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

import numpy as np
import torch

import faceae_shards
from benchmarks import peers, runner
from benchmarks.peers.dataloader import open_arrays, open_loose, open_memory
from benchmarks.shared import isolated
from benchmarks.shared.packing import MODES, check_image
from benchmarks.shared.reading import (
    BATCH_SIZE,
    IMAGE_SIZE,
    decode_torchvision,
    mirror_one,
    read_pillow,
    read_pillow_draft,
    read_torchvision,
)
from faceae.data import LoaderConfig, make_loader
from faceae.synthetic import SynthConfig, write_dataset


def _ours(kind: Any, dataset: faceae_shards.Dataset, cache: Any = "none") -> peers.Epoch:
    config = LoaderConfig(
        split="train", batch_size=BATCH_SIZE, image_size=IMAGE_SIZE, training=True
    )
    loader = make_loader(kind, dataset, config, torch.device("cpu"), cache)
    return lambda: (batch.images for batch in loader)


def _copying(num_batches: int) -> peers.Epoch:
    """Copy one large tensor to another batch by batch."""
    faces = torch.zeros((num_batches, BATCH_SIZE, IMAGE_SIZE, IMAGE_SIZE, 3), dtype=torch.uint8)
    copies = torch.ones_like(faces)
    return lambda: (copy.copy_(batch) for copy, batch in zip(copies, faces, strict=True))


JPEG, ARRAYS, MEMORY = "JPEG 178x218", "arrays 64x64", "in memory"
COPYING = "copying in memory"
NOT_COUNTED = 4
"""Batches at the start of a turn that do not count."""


def _steady(epoch: peers.Epoch, least_s: float) -> Callable[[], float]:
    """Return the faces a second of whole epochs, repeated for at least some seconds.

    Time counts from a batch in the midst of reading. A reader that works ahead has then used what
    it prepared before its turn, and one that starts again with each epoch has started.
    """

    def rate() -> float:
        times: list[float] = []
        while len(times) <= NOT_COUNTED or times[-1] - times[NOT_COUNTED] < least_s:
            for batch in epoch():
                assert len(batch) == BATCH_SIZE
                times.append(time.perf_counter())
            assert times, "an epoch has no full batch"
        counted = len(times) - 1 - NOT_COUNTED
        return counted * BATCH_SIZE / (times[-1] - times[NOT_COUNTED])

    return rate


CACHE = "faceae cache"

log = logging.getLogger(__name__)


def pack_faces(source: Path, out: Path, **options: Any) -> faceae_shards.Dataset:
    """Pack a source with all images in the training split."""
    faceae_shards.pack(
        faceae_shards.PackConfig(source=source, out=out, split=(1.0, 0.0, 0.0), **options)
    )
    return faceae_shards.open_dataset(out)


def contenders(folder: Path, count: int, least_s: float) -> list[runner.Contender]:
    """Draw the faces, pack them, and return the loaders to compare."""
    write_dataset(SynthConfig(out=folder / "faces", count=count, seed=0))
    loose = folder / "faces" / "img_align_celeba"
    jpg = pack_faces(loose, folder / "jpg", samples_per_shard=max(1, count // 8))
    npy = pack_faces(loose, folder / "npy", size=IMAGE_SIZE, encoding="npy")
    ours = {
        "faceae webdataset loader, jpg": (JPEG, _ours("webdataset", jpg)),
        "faceae DALI loader, jpg": (JPEG, _ours("dali", jpg)),
        "faceae DALI loader, npy 64x64": (ARRAYS, _ours("dali", npy)),
        "faceae webdataset loader, npy 64x64": (ARRAYS, _ours("webdataset", npy)),
        CACHE: (MEMORY, _ours("dali", npy, "ram")),
        COPYING: (MEMORY, _copying(count // BATCH_SIZE)),
    }
    arrays = _scale(loose, folder / "faces.npy")
    others = [
        *((JPEG, *way) for way in _jpeg_peers(folder, loose, jpg.shard_paths("train"))),
        *((ARRAYS, *way) for way in _array_peers(folder, loose, arrays)),
        (MEMORY, "a tensor, indexed", open_memory(arrays)),
    ]
    ways = [(group, name, True, epoch) for group, name, epoch in others]
    ways += [(group, name, False, epoch) for name, (group, epoch) in ours.items()]
    return [
        runner.Contender(group=group, name=name, peer=peer, rate=_steady(epoch, least_s))
        for group, name, peer, epoch in ways
    ]


def _scale(loose: Path, out: Path) -> Path:
    """Scale the faces for peers that read arrays, and write them as one .npy file."""
    np.save(out, np.stack([check_image(str(path), MODES[2]) for path in _list(loose)]))
    return out


def _list(loose: Path) -> list[Path]:
    return sorted(loose.glob("*.jpg"))


def _jpeg_peers(
    folder: Path, loose: Path, shards: Sequence[Path]
) -> Iterator[tuple[str, peers.Epoch]]:
    """Yield each peer that is installed, with what starts an epoch."""
    if ffcv := peers.load("ffcv"):
        yield "FFCV, 2 threads", ffcv.open_jpegs(loose, folder / "jpegs.beton")
    if spdl := peers.load("spdl"):
        for name in spdl.DECODERS:
            yield f"SPDL, {name}, 2 threads", spdl.open_spdl(loose, name)
    if dali := peers.load("dali"):
        yield "DALI's own pipeline, 2 threads", dali.open_dali(loose)
    ways = {
        "Pillow": read_pillow,
        "Pillow's draft": read_pillow_draft,
        "torchvision": read_torchvision,
    }
    for name, read in ways.items():
        for workers in (0, 2):
            yield f"DataLoader, {name}, {workers} workers", open_loose(loose, read, workers)
    if webdataset := peers.load("webdataset"):
        yield "webdataset, torchvision, 2 workers", webdataset.open_webdataset(shards)
    if hf_datasets := peers.load("hf_datasets"):
        yield "datasets, streaming, torchvision, 2 workers", hf_datasets.open_datasets(shards)
    yield from _packed_peers(folder, loose, MODES[0], "torchvision, 2 workers", decode_torchvision)


def _array_peers(folder: Path, loose: Path, arrays: Path) -> Iterator[tuple[str, peers.Epoch]]:
    if ffcv := peers.load("ffcv"):
        yield "FFCV, raw images, 2 threads", ffcv.open_arrays(arrays, folder / "raw.beton")
    for workers in (0, 2):
        yield f"DataLoader, mapped file, {workers} workers", open_arrays(arrays, workers)
    yield from _packed_peers(folder, loose, MODES[2], "arrays, 2 workers", mirror_one)


def _packed_peers(
    folder: Path, loose: Path, mode: str, how: str, decode: Callable[[Any], Any]
) -> Iterator[tuple[str, peers.Epoch]]:
    """Yield the peers that pack in a process of their own."""
    listed = folder / "list.txt"
    listed.write_text("".join(f"{path}\n" for path in _list(loose)))
    packed = {"listed": str(listed), "mode": mode}
    if litdata := peers.load("litdata"):
        out = folder / f"litdata {mode}"
        isolated.run(litdata.prepare_litdata, out=str(out), **packed)
        yield f"litdata, {how}", litdata.open_litdata(out, decode)
    if streaming := peers.load("streaming"):
        out = folder / f"mds {mode}"
        isolated.run(streaming.prepare_mds, out=str(out), **packed)
        yield f"streaming, {how}", streaming.open_streaming(out, decode)


def share_of_copying(rows: list[runner.Row]) -> float:
    """Return the cache's rate as a share of copying in the same round; median over the rounds."""
    rates = {row.name: row.items_per_s for row in rows}
    return statistics.median(a / b for a, b in zip(rates[CACHE], rates[COPYING], strict=True))


def main() -> None:
    """Measure, write results/load.json and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=8192, help="faces to draw")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1, help="of each turn, at least")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with tempfile.TemporaryDirectory() as folder:
        ways = contenders(Path(folder), options.count, options.seconds)
        rows = runner.measure(ways, options.rounds)
    settings = {"count": options.count, "batch_size": BATCH_SIZE, "image_size": IMAGE_SIZE}
    findings = {"cache_share_of_copying": share_of_copying(rows)}
    runner.save("load", rows, settings, findings)
    runner.plot("load", [row for row in rows if row.name != COPYING])
    print(runner.table(rows))
    print(findings)


if __name__ == "__main__":
    main()
