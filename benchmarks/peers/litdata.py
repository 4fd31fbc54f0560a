"""litdata: `optimize` as in its documentation, and its dataset.

`optimize` uses and empties `$TMPDIR/data` and `$TMPDIR/chunks`; see `benchmarks.shared.apart`.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import litdata

from benchmarks.peers import Epoch
from benchmarks.shared.packing import NUM_WORKERS, Work, check_image, read_list


def prepare_litdata(listed: str, out: str, mode: str) -> Work:
    """Pack with litdata's `optimize` and as many workers as faceae."""
    paths = read_list(listed)

    def work() -> int:
        litdata.optimize(
            fn=functools.partial(check_sample, mode=mode),
            inputs=paths,
            output_dir=out,
            num_workers=NUM_WORKERS,
            chunk_bytes="64MB",
            verbose=False,
        )
        return len(paths)

    return work


def check_sample(path: str, mode: str) -> dict[str, Any]:
    """Return one sample."""
    return {"image": check_image(path, mode)}


def open_litdata(folder: Path, decode: Callable[[Any], Any]) -> Epoch:
    """Read with litdata's dataset and loader; `decode` makes an image of what was stored."""
    from benchmarks.shared.reading import BATCH_SIZE

    faces = litdata.StreamingDataset(
        str(folder), shuffle=True, drop_last=True, transform=lambda sample: decode(sample["image"])
    )
    loader = litdata.StreamingDataLoader(
        faces, batch_size=BATCH_SIZE, num_workers=NUM_WORKERS, persistent_workers=True
    )
    return lambda: loader
