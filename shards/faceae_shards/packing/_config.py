"""The options of a pack, and its summary."""

import math
from dataclasses import dataclass
from typing import get_args

from .._errors import ShardsError
from .._format import MIN_SIDE, Encoding
from ..executors import ExecutorName, count_cpus
from ..faces import ALIGNED_HEIGHT, ALIGNED_WIDTH, Which
from ..images import MAX_PIXELS
from ..storage import Location

ALWAYS_REFUSABLE = 10
"""A pack may refuse this many images whatever `max_rejected` is. Two bad ones among a hundred
holiday photos are no broken source."""

MAX_SAMPLES_PER_SHARD = 4096
_MIN_SAMPLES_PER_SHARD = 64
_MIN_SHARDS = 32


def choose_samples_per_shard(num_images: int) -> int:
    """Return the default size of shards: a power of two from 64 to 4,096 images.

    Few images fill 32 to 63 shards, so that every core has work to the end. Many images fill shards
    of a size that disks and servers read well. The size depends on the number of images alone.
    """
    fitting = max(num_images // _MIN_SHARDS, 1)
    power = 1 << (fitting.bit_length() - 1)
    return min(max(power, _MIN_SAMPLES_PER_SHARD), MAX_SAMPLES_PER_SHARD)


@dataclass(frozen=True, kw_only=True)
class PackConfig:
    """Options of one pack.

    Raises:
        ShardsError: an option is out of its range, or two options exclude each other.
    """

    source: Location
    """Path or URL of a folder, a zip, a tar, a Parquet file, a folder of tars or Parquet files, or
    a text file with one path or URL per line."""
    out: Location
    """Folder to write, or prefix of an object store such as s3://bucket/faces. It must be new,
    empty, or left by an interrupted pack with the same options."""
    crop: int | None = None
    """Keep the centre square with sides of this many pixels. Smaller images are refused. With
    `align` the square lies in the aligned picture of 178x218 pixels, and the default is 178."""
    size: int | None = None
    """Scale the shorter side to this many pixels, then keep the centre square. With `align` this
    size is sampled from the source, small faces are enlarged, and the default is `crop`."""
    align: bool = False
    """Detect faces and frame them as CelebA frames its aligned ones. Landmarks and boxes that the
    source brings are used instead of detection. An image without a face is refused. Needs
    `pip install 'faceae[align]'`."""
    face: Which = "largest"
    """Face to take where `align` detects several: largest, centre (nearest to the middle), or all.
    With all, every face becomes a sample: its key is the image's number times 100, plus the number
    of the face by falling size, up to 99."""
    encoding: Encoding = "jpg"
    """jpg keeps a JPEG's own bytes where neither crop, size nor align changes the image. npy holds
    raw uint8 pixels and needs crop, size or align."""
    samples_per_shard: int | None = None
    """Images per shard. The default is `choose_samples_per_shard` of the number of images."""
    image_column: str | None = None
    """The images to pack where the source has several kinds: a column of Parquet files, a folder
    inside the source, or the extension of members of shards. By default the photographs are packed,
    as far as names distinguish them from masks and annotations."""
    split: tuple[float, float, float] = (0.9, 0.05, 0.05)
    """Fractions of train, valid and test. Not used where the source has CelebA's partition."""
    max_pixels: int = MAX_PIXELS
    """Images of more pixels are refused before they take memory, which is up to 10 bytes per pixel
    and worker. A huge JPEG is decoded at a smaller scale where `size` is given without `crop`."""
    seed: int = 0
    """Seed of the split and of the stored order."""
    drop_duplicates: bool = False
    """Leave out an image whose file holds the same bytes as an earlier one's."""
    max_rejected: float = 0.01
    """The pack stops when more than this fraction of the images, and more than ten, are refused.
    With 0 it stops at the first one. Images without a face, and duplicates, do not count."""
    executor: ExecutorName = "local"
    """local uses processes of this machine, ray one task per shard on a Ray cluster. The bytes
    written depend neither on it nor on `workers`."""
    address: str | None = None
    """host:port of the Ray cluster's head. "local" starts a cluster on this machine that ends with
    the pack. The default uses RAY_ADDRESS, else the cluster that runs on this machine."""
    workers: int | None = None
    """Processes, or tasks in flight on a Ray cluster. The default is one process per core, or as
    many tasks as the cluster has CPUs for."""

    def __post_init__(self) -> None:
        for name, value, minimum in (
            ("crop", self.crop, MIN_SIDE),
            ("size", self.size, MIN_SIDE),
            ("samples_per_shard", self.samples_per_shard, 1),
            ("workers", self.workers, 1),
            ("max_pixels", self.max_pixels, MIN_SIDE**2),
            ("seed", self.seed, 0),
        ):
            if value is not None and value < minimum:
                raise ShardsError(f"`{name}` must be at least {minimum}, got {value}")
        if self.encoding not in ("jpg", "npy"):
            raise ShardsError(f"`encoding` must be jpg or npy, got {self.encoding!r}")
        if self.encoding == "npy" and self.image_size is None:
            raise ShardsError("`encoding='npy'` needs images of one size; give `size`")
        self._check_align()
        is_enlarged = None not in (self.crop, self.size) and (self.size or 0) > (self.crop or 0)
        if is_enlarged and not self.align:
            raise ShardsError(
                f"`size` {self.size} would enlarge the {self.crop} pixels that `crop` keeps; "
                "lower `size` or raise `crop`"
            )
        if not 0 <= self.max_rejected <= 1:
            raise ShardsError(f"`max_rejected` must be from 0 to 1, got {self.max_rejected:g}")
        if self.executor not in ("local", "ray"):
            raise ShardsError(f"`executor` must be local or ray, got {self.executor!r}")
        if self.address is not None and self.executor != "ray":
            raise ShardsError("`address` names a Ray cluster; add `executor='ray'`")
        self._check_split()

    def _check_align(self) -> None:
        if self.face not in get_args(Which):
            raise ShardsError(f"`face` must be largest, centre or all, got {self.face!r}")
        if self.face != "largest" and not self.align:
            raise ShardsError(f"`face={self.face!r}` chooses among aligned faces; add `align=True`")
        if self.align and self.crop is not None and self.crop > ALIGNED_WIDTH:
            raise ShardsError(
                f"`crop` must be at most {ALIGNED_WIDTH} with `align=True`, got {self.crop}: "
                f"aligned faces have {ALIGNED_WIDTH}x{ALIGNED_HEIGHT} pixels; `size` may be larger"
            )

    def _check_split(self) -> None:
        given = ",".join(f"{fraction:g}" for fraction in self.split)
        if len(self.split) != 3 or not all(0 <= fraction <= 1 for fraction in self.split):
            raise ShardsError(f"`split` must be three numbers from 0 to 1, got {given}")
        if not math.isclose(sum(self.split), 1, abs_tol=1e-6):
            raise ShardsError(f"`split` must sum to 1, {given} sums to {sum(self.split):g}")
        if self.split[0] == 0:
            raise ShardsError(f"`split` leaves nothing to train on, got {given}")

    def count_refusable(self, num_images: int) -> int:
        """Return how many images of a source may be refused."""
        if self.max_rejected == 0:
            return 0
        return max(ALWAYS_REFUSABLE, int(self.max_rejected * num_images))

    @property
    def num_processes(self) -> int:
        """Processes of this machine, for steps that do not run on a Ray cluster."""
        if self.workers is None or self.executor == "ray":
            return count_cpus()
        return self.workers

    @property
    def image_size(self) -> int | None:
        """Side of every packed image in pixels, or None where images keep their sizes."""
        return self.size if self.size is not None else self.kept_crop

    @property
    def kept_crop(self) -> int | None:
        """Side of the centre square that is kept: `crop`, or 178 as the default of `align`."""
        return ALIGNED_WIDTH if self.align and self.crop is None else self.crop


@dataclass(frozen=True, kw_only=True)
class PackSummary:
    """The result of a pack."""

    out: Location
    num_samples: dict[str, int]
    """Packed images of each split that has any."""
    num_shards: int
    num_bytes: int
    """Size of all tars."""
    num_converted: int
    """Packed images that were not plain RGB JPEGs, such as greyscale, CMYK, EXIF-rotated or PNG."""
    num_repaired: int
    """Images whose files broke the JPEG standard around their pixels, which are all there."""
    num_profiles_ignored: int
    """Images with a colour profile that cannot be used. They are taken for sRGB."""
    num_far_larger: int
    """Images of which the crop kept less than an eighth of the pixels."""
    num_enlarged: int
    """Aligned faces that were enlarged more than twofold."""
    num_turned: int
    """Aligned faces that lay on their side or upside down, and are packed upright."""
    num_ignored: int
    """Files of the source that are not named like images."""
    num_duplicates: int
    """Packed images whose source files hold the same bytes as another packed one's."""
    num_rejected: dict[str, int]
    """Refused images by reason."""
    rejected_examples: dict[str, list[str]]
    """The first few names by reason."""
    rejected_list: str
    """Path or URL of rejected.jsonl, which lists all of them."""
    split_by: str
    """partition (CelebA's own), source (its tars or folders name the splits), person (no person is
    in two splits) or image."""
    notes: tuple[str, ...]
    """Remarks on the source, one line each."""
    warnings: tuple[str, ...] = ()
    """Remarks on what probably needs to be packed again, one line each, with the remedy."""
    already_complete: bool = False
    """Whether the folder already held this result, so that nothing was done."""
    split_reason: str | None = None
    """Why the images were split so, for a person to read. None for generated datasets."""
