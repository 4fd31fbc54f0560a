"""The descriptions of a split's images: names, attributes, persons."""

import json
import tarfile
from collections.abc import Iterator
from typing import Any

from .._errors import ShardsError
from ._dataset import Dataset
from ._tar import group_members


def read_descriptions(dataset: Dataset, split: str) -> Iterator[dict[str, Any]]:
    """Yield the json of each sample of a split as a dictionary, in stored order.

    A sample of another tool that has no json gives an empty dictionary.

    Raises:
        ShardsError: the split has no samples, or a shard is damaged.
    """
    for _, description in _read_samples(dataset, split):
        yield description


def read_names(dataset: Dataset, split: str) -> Iterator[str]:
    """Yield a name for each sample of a split, in stored order: the file that it was packed from.

    A sample of another tool that names no file gives its key. A further face of the same file has
    its number after the name.

    Raises:
        ShardsError: the split has no samples, or a shard is damaged.
    """
    for key, description in _read_samples(dataset, split):
        name = description.get("name")
        face = f" (face {description['face']})" if "face" in description else ""
        yield f"{name}{face}" if isinstance(name, str) else key


def _read_samples(dataset: Dataset, split: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield key and description of each sample."""
    for path in dataset.shard_paths(split):
        try:
            for key, members in group_members(path):
                texts = [member.data for member in members if member.extension == "json"]
                content = json.loads(texts[0]) if texts else {}
                yield key, content if isinstance(content, dict) else {}
        except (tarfile.TarError, ValueError) as error:
            raise ShardsError(f"{path} is damaged ({error}); {dataset.remedy}") from error
