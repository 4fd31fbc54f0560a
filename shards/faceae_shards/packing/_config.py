"""What a pack is asked for, and what it did."""

import math
from dataclasses import dataclass
from typing import Literal

from .._errors import ShardsError
from .._format import MIN_SIDE, Encoding
from ..executors import count_cpus
from ..storage import Location

ALWAYS_REFUSABLE = 10
"""Images that a pack may refuse whatever their fraction: a hundred holiday photos with two bad
ones are no broken source."""

MAX_SAMPLES_PER_SHARD = 4096
_MIN_SAMPLES_PER_SHARD = 64
_MIN_SHARDS = 32

OnError = Literal["reject", "stop"]
Executor = Literal["local", "ray"]


def choose_samples_per_shard(num_images: int) -> int:
    """Return the size of shards where none is given: from 64 to 4,096 images, a power of two.

    Few images are cut into 32 to 63 shards, so that every core has work to the end; many into
    shards of a size that disks and servers read well. It depends on nothing but the number of
    images, as everything that decides about bytes.
    """
    fitting = max(num_images // _MIN_SHARDS, 1)
    power = 1 << (fitting.bit_length() - 1)
    return min(max(power, _MIN_SAMPLES_PER_SHARD), MAX_SAMPLES_PER_SHARD)


@dataclass(frozen=True, kw_only=True)
class PackConfig:
    """Options of one pack.

    Raises:
        ShardsError: an option out of its range, or options that exclude each other.
    """

    source: Location
    """A folder, a zip, a tar, a Parquet file, a folder of tars or Parquet files, or a text file
    with one path or URL a line; or the URL of such."""
    out: Location
    """Folder, or prefix such as s3://bucket/faces, to write; new, empty, or left by an interrupted
    pack with the same options."""
    crop: int | None = None
    """Pixels; keep the centre square of this side. Smaller images are refused."""
    size: int | None = None
    """Pixels; scale the shorter side to this, then keep the centre square."""
    encoding: Encoding = "jpg"
    """jpg: the source's bytes where nothing changes them. npy: raw uint8, needs crop or size."""
    samples_per_shard: int | None = None
    """None: see `choose_samples_per_shard`."""
    image_column: str | None = None
    """Which pictures to pack where the source has several kinds: a column of Parquet files, a
    folder inside the source, or the extension of members of shards. None: the photographs, as far
    as the names tell them from masks and annotations."""
    split: tuple[float, float, float] = (0.9, 0.05, 0.05)
    """Fractions of train, valid and test; unused where the source has CelebA's partition."""
    seed: int = 0
    """Of the split and of the stored order."""
    drop_duplicates: bool = False
    """Leave out an image whose file holds the same bytes as an earlier one's."""
    on_error: OnError = "reject"
    """reject: a bad image is left out and listed. stop: the pack ends at the first one."""
    max_rejected: float = 0.01
    """Fraction of the images that may be refused before the pack stops; ten always may, unless it
    is 0."""
    executor: Executor = "local"
    """local: processes of this machine. ray: tasks on a Ray cluster, one a shard. The bytes written
    depend neither on it nor on `workers`."""
    address: str | None = None
    """host:port of the Ray cluster's head; local: a cluster of this machine alone, while the pack
    lasts; auto, the default: what RAY_ADDRESS says, else the cluster running on this machine."""
    workers: int | None = None
    """Processes, or tasks of a Ray cluster, at once; by default one a core, or as many as it has
    CPUs."""

    def __post_init__(self) -> None:
        for name, value, minimum in (
            ("--crop", self.crop, MIN_SIDE),
            ("--size", self.size, MIN_SIDE),
            ("--samples-per-shard", self.samples_per_shard, 1),
            ("--workers", self.workers, 1),
            ("--seed", self.seed, 0),
        ):
            if value is not None and value < minimum:
                raise ShardsError(f"{name} must be at least {minimum}, got {value}")
        if self.encoding not in ("jpg", "npy"):
            raise ShardsError(f"--encoding must be jpg or npy, got {self.encoding!r}")
        if self.encoding == "npy" and self.image_size is None:
            raise ShardsError("--encoding npy needs images of one size; add --size")
        if self.crop is not None and self.size is not None and self.size > self.crop:
            raise ShardsError(
                f"--size {self.size} would enlarge the {self.crop} pixels that --crop keeps; "
                "lower --size or raise --crop"
            )
        if self.on_error not in ("reject", "stop"):
            raise ShardsError(f"--on-error must be reject or stop, got {self.on_error!r}")
        if not 0 <= self.max_rejected <= 1:
            raise ShardsError(f"--max-rejected must be from 0 to 1, got {self.max_rejected:g}")
        if self.executor not in ("local", "ray"):
            raise ShardsError(f"--executor must be local or ray, got {self.executor!r}")
        if self.address is not None and self.executor != "ray":
            raise ShardsError("--address names a Ray cluster; add --executor ray")
        self._check_split()

    def _check_split(self) -> None:
        given = ",".join(f"{fraction:g}" for fraction in self.split)
        if len(self.split) != 3 or not all(0 <= fraction <= 1 for fraction in self.split):
            raise ShardsError(f"--split must be three numbers from 0 to 1, got {given}")
        if not math.isclose(sum(self.split), 1, abs_tol=1e-6):
            raise ShardsError(f"--split must sum to 1, {given} sums to {sum(self.split):g}")
        if self.split[0] == 0:
            raise ShardsError(f"--split leaves nothing to train on, got {given}")

    def count_refusable(self, num_images: int) -> int:
        """Return how many of a source's images may be refused."""
        if self.on_error == "stop" or self.max_rejected == 0:
            return 0
        return max(ALWAYS_REFUSABLE, int(self.max_rejected * num_images))

    @property
    def num_processes(self) -> int:
        """Processes of this machine."""
        if self.workers is None or self.executor == "ray":
            return count_cpus()
        return self.workers

    @property
    def image_size(self) -> int | None:
        """Side in pixels of every packed image, or None where they keep their own."""
        return self.size if self.size is not None else self.crop


@dataclass(frozen=True, kw_only=True)
class PackSummary:
    """What a pack left in its folder."""

    out: Location
    num_samples: dict[str, int]
    """Of each split that has some."""
    num_shards: int
    num_bytes: int
    """Of all tars."""
    num_converted: int
    """Images that were not plain RGB JPEG: greyscale, CMYK, rotated by EXIF, PNG and others."""
    num_ignored: int
    """Files of the source that are not named like images."""
    num_duplicates: int
    """Packed images whose source files hold the same bytes as another packed one's."""
    num_rejected: dict[str, int]
    """Refused images by reason."""
    rejected_examples: dict[str, list[str]]
    """The first few names by reason."""
    rejected_list: str
    """Path or URL of rejected.jsonl, which tells all of them."""
    split_reason: str | None
    """Why, for a person to read; None where the dataset does not say."""
    split_by: str
    """partition (CelebA's own), source (tars named or foldered by split), person (one folder each)
    or image."""
    notes: tuple[str, ...]
    """What else there is to know of the source, a line each."""
    already_complete: bool = False
    """Nothing was done: the folder already held the result of these options on this source."""
