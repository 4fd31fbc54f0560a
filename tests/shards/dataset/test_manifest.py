"""dataset.json as a dataclass: what it says of a pack, and what a reader refuses."""

import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

from faceae_shards import PackConfig, PackOptions, ShardsError, adopt, open_dataset, pack
from faceae_shards._format import hash_json

Configure = Callable[..., PackConfig]
Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def out(configure: Configure) -> Path:
    out = pack(configure(size=16)).out
    assert isinstance(out, Path)
    return out


def edit_manifest(out: Path, edit: Edit) -> None:
    """Change dataset.json and let its hash agree."""
    content = json.loads((out / "dataset.json").read_text())
    edit(content)
    del content["hash"]
    content["hash"] = hash_json(content)
    (out / "dataset.json").write_text(json.dumps(content))


def test_manifest_is_what_was_packed(out: Path) -> None:
    dataset = open_dataset(out)
    config = dataset.manifest.config
    assert isinstance(config, PackOptions)
    assert (config.size, config.split, config.source.num_images) == (16, (0.8, 0.1, 0.1), 20)
    assert (dataset.crop, dataset.image_size) == (None, (16, 16))
    with pytest.raises(FrozenInstanceError):
        dataset.manifest.split_by = "image"  # type: ignore[misc]


def test_same_file_when_written_again(out: Path) -> None:
    content = json.loads((out / "dataset.json").read_text())
    written = open_dataset(out).to_json()
    assert written == content
    assert list(written) == list(content)
    assert list(written["config"]) == list(content["config"])


def test_adopted_dataset(out: Path) -> None:
    (out / "dataset.json").unlink()
    dataset = adopt(out, workers=1)
    assert dataset.is_adopted
    assert dataset.to_json() == json.loads((out / "dataset.json").read_text())


def remove_late_keys(content: dict[str, Any]) -> None:
    assert "aligned" not in content  # nothing is known of small photographs
    del (
        content["notes"],
        content["num_duplicates"],
        content["config"]["drop_duplicates"],
    )


def add_keys(content: dict[str, Any]) -> None:
    content["aligned"] = False
    content["colour"] = content["config"]["colour"] = "RGB"
    content["splits"]["train"][0]["colour"] = "RGB"


@pytest.mark.parametrize("edit", [remove_late_keys, add_keys])
def test_files_of_other_times_open(out: Path, edit: Edit) -> None:
    edit_manifest(out, edit)
    dataset = open_dataset(out)
    assert dataset.manifest.num_duplicates == 0
    assert dataset.is_aligned is (None if edit is remove_late_keys else False)
    assert dataset.hash == json.loads((out / "dataset.json").read_text())["hash"]


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (lambda content: content.pop("config"), "config is missing"),
        (lambda content: content["config"].pop("seed"), r"config\.seed is missing"),
        (lambda content: content["config"].pop("source"), r"config\.source is missing"),
        (lambda content: content.update(config=[]), "config must be an object"),
        (lambda content: content.update(image_size=[16]), "image_size must hold 2"),
        (lambda content: content.update(image_size=["16", 16]), r"image_size\[0\] must be an int"),
        (lambda content: content.update(encoding="png"), "encoding must be 'jpg' or 'npy'"),
        (lambda content: content.update(notes="one\ntwo"), "notes must be a list"),
        (lambda content: content.update(num_converted=True), "num_converted must be an integer"),
        (lambda content: content["config"].update(crop=0.5), r"config\.crop must be an integer"),
        (lambda content: content["splits"].update(test=[{}]), r"splits\.test\[0\]\.name is miss"),
        (lambda content: content["splits"]["train"][0].update(name="../a.tar"), "inside the data"),
        (lambda content: content["splits"]["train"][0].update(name="/a/b.tar"), "inside the data"),
        (lambda content: content["splits"]["train"][0].update(name="dataset.json"), "inside the"),
    ],
)
def test_wrong_key_is_named(out: Path, edit: Edit, named: str) -> None:
    edit_manifest(out, edit)
    with pytest.raises(ShardsError, match=rf"dataset\.json is damaged .*{named}") as raised:
        open_dataset(out)
    assert "\n" not in str(raised.value)
