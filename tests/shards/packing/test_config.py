"""Options of a pack that follow from others."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from faceae_shards import GeneratedConfig, PackConfig, ShardsError, open_dataset, pack
from faceae_shards.packing._config import choose_samples_per_shard


@pytest.mark.parametrize(
    ("num_images", "samples_per_shard"),
    [
        (1, 64),
        (2_000, 64),
        (4_095, 64),
        (4_096, 128),
        (20_000, 512),
        (131_071, 2_048),
        (131_072, 4_096),
        (10**9, 4_096),
    ],
)
def test_few_images_make_small_shards(num_images: int, samples_per_shard: int) -> None:
    assert choose_samples_per_shard(num_images) == samples_per_shard


def test_a_pack_of_thousands_has_32_shards_at_least() -> None:
    for num_images in range(2_048, 131_072, 997):
        assert 32 <= num_images / choose_samples_per_shard(num_images) < 64


def test_default_is_the_same_pack_as_its_number(configure: Callable[..., PackConfig]) -> None:
    config = configure(samples_per_shard=None)
    pack(config)
    assert open_dataset(config.out).manifest.config.samples_per_shard == 64
    assert pack(replace(config, samples_per_shard=64)).already_complete
    with pytest.raises(ShardsError, match=r"`samples_per_shard` \(the default follows"):
        pack(replace(config, samples_per_shard=63))


def test_default_of_generated_pictures(tmp_path: Path) -> None:
    config = GeneratedConfig(
        out=tmp_path,
        numbers=range(7, 107),
        image_size=16,
        crop=None,
        generator="nobody",
        depends_on={},
    )
    assert [(slot.start, slot.stop) for slot in config.slots()] == [(7, 71), (71, 107)]
    assert config.options.samples_per_shard == 64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoding": "png"}, "`encoding` must be jpg or npy, got 'png'"),
        ({"executor": "slurm"}, "`executor` must be local or ray, got 'slurm'"),
        ({"address": "head:6379"}, "`address` .*add `executor='ray'`"),
        ({"face": "smallest"}, "`face` must be largest, centre or all"),
    ],
)
def test_bad_options(
    configure: Callable[..., PackConfig], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ShardsError, match=message):
        configure(**options)
