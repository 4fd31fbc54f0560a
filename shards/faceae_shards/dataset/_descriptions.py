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
    for path in dataset.shard_paths(split):
        try:
            for _, members in group_members(path):
                texts = [member.data for member in members if member.extension == "json"]
                content = json.loads(texts[0]) if texts else {}
                yield content if isinstance(content, dict) else {}
        except (tarfile.TarError, ValueError) as error:
            raise ShardsError(f"{path} is damaged ({error}); {dataset.remedy}") from error
