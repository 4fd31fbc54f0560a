"""What dataset.json says, as dataclasses; shards/README.md specifies the file."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import PureWindowsPath
from typing import Any, Literal

from .._format import FORMAT_NAME, FORMAT_VERSION, GENERATED, Encoding, ShardInfo, hash_json
from ._parse import parse_dataclass

_OPTIONAL = frozenset({"image_column", "max_pixels", "align", "detector_sha256"})
"""Options of a pack that dataset.json holds only where they are not None."""


@dataclass(frozen=True, kw_only=True)
class SourceInfo:
    """The source that a dataset was packed from."""

    kind: str
    """folder, zip, tar, list, shards or parquet; adopted: tars that another tool wrote; made:
    images that a program generated."""
    name: str
    """File or folder name of the source, or a description of the generator."""
    num_images: int
    num_ignored: int
    """Files of the source that are neither images nor annotations."""
    sha256: str | None = None
    """Hash of the listing: names, sizes and checksums. None where there was nothing to list."""
    annotations_sha256: str | None = None
    """Hash of the annotation files. None where there was nothing to list."""

    def to_json(self) -> dict[str, Any]:
        """Return the object as dataset.json holds it; a hash that is None is left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class PackOptions:
    """The options that decide about the bytes of a packed or adopted dataset.

    In an adopted dataset every option that its tars do not show is None.
    """

    crop: int | None
    """Pixels; side of the centre square that was kept."""
    size: int | None
    """Pixels; side that the images were scaled to."""
    encoding: Encoding
    samples_per_shard: int | None
    split: tuple[float, float, float] | None
    """Fractions of train, valid and test."""
    seed: int | None
    drop_duplicates: bool = False
    image_column: str | None = None
    """See `PackConfig`."""
    max_pixels: int | None = None
    """See `PackConfig`; None stands for its default."""
    align: Literal["largest", "centre", "all"] | None = None
    """The faces of each picture that were taken, where the images are aligned faces. `crop` then
    lies in aligned pictures of 178x218 pixels."""
    detector_sha256: str | None = None
    """Hash of the face detector's weights, where the images are aligned faces."""
    source: SourceInfo

    def to_json(self) -> dict[str, Any]:
        """Return the object as dataset.json holds it; options of `_OPTIONAL` only where given."""
        split = None if self.split is None else list(self.split)
        content = {**_shallow(self), "split": split, "source": self.source.to_json()}
        return {k: v for k, v in content.items() if k not in _OPTIONAL or v is not None}


@dataclass(frozen=True, kw_only=True)
class GeneratedOptions:
    """The options that decide about the bytes of a generated dataset."""

    crop: int | None
    """Pixels; side of the centre square that the model's training images were cut to."""
    size: int | None
    """Pixels; side of every image."""
    encoding: Encoding
    samples_per_shard: int
    start: int
    """Number of the first image, which is also its key."""
    n: int
    """Number of images."""
    depends_on: Mapping[str, Any]
    """Everything else that the images depend on, such as the seed, by name. In dataset.json these
    keys lie beside the others."""
    source: SourceInfo

    def to_json(self) -> dict[str, Any]:
        """Return the object as dataset.json holds it."""
        content = _shallow(self)
        del content["depends_on"], content["source"]
        return {**content, **self.depends_on, "source": self.source.to_json()}


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The content of dataset.json, except for its format, version and hash.

    `num_duplicates`, `notes`, `drop_duplicates` and the source's hashes have defaults because
    early files of this version lack them.
    """

    config: PackOptions | GeneratedOptions
    encoding: Encoding
    image_size: tuple[int, int] | None
    """(H, W) in pixels where all images have one size by construction."""
    split_by: str
    """How images were assigned to splits: partition, source, person, image or nothing."""
    annotations: tuple[str, ...]
    """Fields that a sample's json may hold besides name, width and height."""
    attribute_names: tuple[str, ...]
    """Names of the -1/1 attributes of a sample's json, in order."""
    notes: tuple[str, ...] = ()
    """Remarks about the source, one line each."""
    num_converted: int
    """Images that were not plain RGB JPEG: greyscale, CMYK, rotated by EXIF, PNG and others."""
    num_repaired: int = 0
    """Images whose files broke the JPEG standard around their pixels. In dataset.json only where
    there are some."""
    num_profiles_ignored: int = 0
    """Images with a colour profile that cannot be used. In dataset.json only where there are
    some."""
    num_far_larger: int = 0
    """Images with more than eight times the pixels that the crop kept. In dataset.json only where
    there are some."""
    num_enlarged: int = 0
    """Aligned faces that were enlarged more than twofold. In dataset.json only where there are
    some."""
    num_turned: int = 0
    """Aligned faces that lay on their side or upside down in their pictures. In dataset.json only
    where there are some."""
    aligned: bool | None = None
    """Whether faces are framed as in CelebA's aligned photographs: `align` framed them, or most
    source images have the size of CelebA's, 178x218. None: unknown. In dataset.json only where it
    is known."""
    num_duplicates: int = 0
    """Images whose source files hold the same bytes as another packed image's."""
    num_rejected: Mapping[str, int]
    """Refused images by reason."""
    rejected_sha256: str
    """Of rejected.jsonl."""
    splits: Mapping[str, tuple[ShardInfo, ...]]
    """Shards of each split that has samples, in order: train, valid, test."""

    def to_json(self) -> dict[str, Any]:
        """Return the content of dataset.json, its hash included."""
        content = {
            "format": FORMAT_NAME,
            "version": FORMAT_VERSION,
            "config": self.config.to_json(),
            "config_hash": hash_json(self.config.to_json()),
            "encoding": self.encoding,
            "image_size": None if self.image_size is None else list(self.image_size),
            "split_by": self.split_by,
            "annotations": list(self.annotations),
            "attribute_names": list(self.attribute_names),
            "notes": list(self.notes),
            "num_converted": self.num_converted,
            **{name: count for name, count in self._optional_counts().items() if count},
            **({} if self.aligned is None else {"aligned": self.aligned}),
            "num_duplicates": self.num_duplicates,
            "num_rejected": dict(self.num_rejected),
            "rejected_sha256": self.rejected_sha256,
            "splits": {name: list(map(asdict, shards)) for name, shards in self.splits.items()},
        }
        return {**content, "hash": hash_json(content)}

    def _optional_counts(self) -> dict[str, int]:
        return {
            "num_repaired": self.num_repaired,
            "num_profiles_ignored": self.num_profiles_ignored,
            "num_far_larger": self.num_far_larger,
            "num_enlarged": self.num_enlarged,
            "num_turned": self.num_turned,
        }


def parse_manifest(content: Mapping[str, Any]) -> Manifest:
    """Return the manifest that the JSON object of dataset.json holds.

    Raises:
        ValueError: a key is missing or has another type, or a shard lies outside of the dataset.
    """
    config = content.get("config")
    manifest: Manifest = parse_dataclass(
        Manifest,
        {**content, "config": _parse_options(config)} if isinstance(config, Mapping) else content,
    )
    for shards in manifest.splits.values():
        for shard in shards:
            _check_name(shard.name)
    return manifest


def _parse_options(config: Mapping[str, Any]) -> PackOptions | GeneratedOptions:
    source = config.get("source")
    options: PackOptions | GeneratedOptions
    if isinstance(source, Mapping) and source.get("kind") == GENERATED:
        known = {field.name for field in fields(GeneratedOptions)}
        depends_on = {key: value for key, value in config.items() if key not in known}
        options = parse_dataclass(
            GeneratedOptions, {**config, "depends_on": depends_on}, place="config"
        )
    else:
        options = parse_dataclass(PackOptions, config, place="config")
    return options


def _check_name(name: str) -> None:
    """Refuse the name of a shard that would be read or written outside of the dataset."""
    path = PureWindowsPath(name)  # it knows all separators and roots of POSIX, and more
    if path.anchor or ".." in path.parts or path.suffix != ".tar":
        raise ValueError(f"its shard {name!r} is not the path of a tar inside the dataset")


def _shallow(options: Any) -> dict[str, Any]:
    return {field.name: getattr(options, field.name) for field in fields(options)}
