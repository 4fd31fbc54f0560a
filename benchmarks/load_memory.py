"""Peak memory of an epoch of training batches, by the size of the dataset.

The default loader reads drawn 178x218 JPEGs as 64x64. Each run is a process of its own; its peak
includes imports and is measured with and without the pages of shards that DALI maps. A few thousand
drawn faces are packed under many names, so that 200,000 need not be drawn. The cache is measured
too; it holds 12,288 bytes for each face.
"""

import argparse
import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import runner
from benchmarks.shared import isolated
from benchmarks.shared.epoch import BATCH_SIZE, IMAGE_SIZE, prepare_epoch

log = logging.getLogger(__name__)

COUNTS = (2_000, 20_000, 200_000)
CACHES = ("none", "ram")


def pack_many(faces: list[Path], folder: Path, count: int) -> Path:
    """Pack the faces under `count` names."""
    import faceae_shards

    names = folder / f"names-{count}"
    names.mkdir()
    for number in range(count):
        os.link(faces[number % len(faces)], names / f"{number:06}.jpg")
    out = folder / f"packed-{count}"
    faceae_shards.pack(faceae_shards.PackConfig(source=names, out=out, split=(1.0, 0.0, 0.0)))
    return out


def measure(folder: Path, num_drawn: int, counts: Sequence[int]) -> list[dict[str, Any]]:
    """Return one row for each count and each cache setting."""
    from faceae.synthetic import SynthConfig, write_dataset

    write_dataset(SynthConfig(out=folder / "faces", count=num_drawn, seed=0))
    faces = sorted((folder / "faces" / "img_align_celeba").glob("*.jpg"))
    rows = []
    for count in counts:
        dataset = str(pack_many(faces, folder, count))
        for cache in CACHES:
            run = isolated.run(prepare_epoch, dataset=dataset, cache=cache)
            rows.append(
                {
                    "count": count,
                    "cache": cache,
                    "images": run.result,
                    "seconds": run.seconds,
                    "peak_mib": run.peak_mib,
                    "peak_own_mib": run.peak_own_mib,
                }
            )
            log.info("%s", rows[-1])
    return rows


def main() -> None:
    """Measure and write results/load_memory.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, help="sizes of datasets")
    parser.add_argument("--drawn", type=int, default=2_000, help="faces to draw")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with tempfile.TemporaryDirectory() as folder:
        epochs = measure(Path(folder), options.drawn, options.counts)
    settings = {"drawn": options.drawn, "batch_size": BATCH_SIZE, "image_size": IMAGE_SIZE}
    runner.save("load_memory", [], settings, {"epochs": epochs})


if __name__ == "__main__":
    main()
