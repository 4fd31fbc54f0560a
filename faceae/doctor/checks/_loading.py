"""Checks of the loaders and caches."""

from contextlib import closing
from dataclasses import replace
from typing import Literal

import torch

from faceae.data import Loader, LoaderConfig, make_loader
from faceae.device import CachePlace
from faceae_shards import Dataset

from ._bench import CPU, Bench
from ._outcome import NotRunError, compare, require

_SIZE = 32
_IN_ORDER = LoaderConfig(split="test", batch_size=16, image_size=_SIZE, training=False)
_TRAINING = LoaderConfig(split="train", batch_size=16, image_size=_SIZE, training=True)
_MEAN_ERROR = 2.0
"""Largest mean difference of pixels of 255: decoders and filters round differently."""
_SLEEP_CYCLES = 20_000_000
"""GPU clock cycles of a pause that is queued after a batch: some 10 ms."""


def check_dali_jpegs(bench: Bench) -> str:
    """Compare DALI's JPEGs on the device with those of the portable loader on the CPU."""
    return _compare_dali(bench, bench.jpegs)


def check_dali_arrays(bench: Bench) -> str:
    """Compare DALI's arrays on the device with those of the portable loader on the CPU."""
    return _compare_dali(bench, bench.arrays)


def _compare_dali(bench: Bench, dataset: Dataset) -> str:
    need_dali()
    found = _read("dali", dataset, bench.device)
    expected = _read("webdataset", dataset, CPU)
    require(found.shape == expected.shape, f"{len(found)} images instead of {len(expected)}")
    error = (found.int() - expected.int()).abs().float().mean().item()
    require(error <= _MEAN_ERROR, f"pixels differ by {error:.3g} of 255 on average")
    return f"pixels differ by {error:.2g} of 255 on average (allowed {_MEAN_ERROR:g})"


def check_dali_release(bench: Bench) -> str:
    """Read on while the GPU still has to read the batches before, and compare these."""
    bench.need_gpu()
    need_dali()
    expected = _read("dali", bench.jpegs, bench.device)
    copies = []
    loader = make_loader("dali", bench.jpegs, _IN_ORDER, bench.device)
    with closing(loader):
        for images, _ in loader:
            # The copy waits behind the pause. Meanwhile the batch is dropped, and DALI goes on.
            torch.cuda._sleep(_SLEEP_CYCLES)  # type: ignore[no-untyped-call]
            copies.append(images.clone())
            del images
    require(torch.equal(torch.cat(copies).cpu(), expected), "a batch was overwritten before use")
    return f"{len(copies)} batches unchanged"


def check_cache(bench: Bench) -> str:
    """Compare the images of a cached epoch with those of the split, and resume inside an epoch."""
    place: CachePlace = "vram" if bench.on_gpu else "ram"
    stored = replace(_TRAINING, training=False)
    with closing(make_loader("webdataset", bench.arrays, stored, CPU)) as reader:
        expected = _sums(reader)
    with closing(make_loader("webdataset", bench.arrays, _TRAINING, bench.device, place)) as loader:
        compare(_sums(loader), expected, limit=0)
        next(iter(loader))
        state, following = loader.state_dict(), next(iter(loader)).images
    with closing(make_loader("webdataset", bench.arrays, _TRAINING, bench.device, place)) as again:
        again.load_state_dict(state)
        require(torch.equal(next(iter(again)).images, following), "resumed at another batch")
    return f"{place}: an epoch has all {len(expected)} images, and resumes at the same batch"


def need_dali() -> None:
    """Raise NotRunError if DALI cannot be imported."""
    try:
        import nvidia.dali  # noqa: F401
    except ImportError as error:
        raise NotRunError(f"DALI is not installed ({error})") from error


def _read(
    kind: Literal["dali", "webdataset"], dataset: Dataset, device: torch.device
) -> torch.Tensor:
    with closing(make_loader(kind, dataset, _IN_ORDER, device)) as loader:
        return torch.cat([images[:num_valid].cpu() for images, num_valid in loader])


def _sums(loader: Loader) -> list[float]:
    """Return the sums of the images' pixels, sorted, which neither order nor mirroring changes."""
    sums = [images.float().sum((1, 2, 3))[:num_valid].cpu() for images, num_valid in loader]
    return sorted(torch.cat(sums).tolist())
