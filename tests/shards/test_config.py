"""Options of a pack that follow from others."""

import pytest

from shards._config import choose_samples_per_shard


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
