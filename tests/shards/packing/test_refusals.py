"""How many bad images a pack puts up with."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from faceae_shards import PackConfig, ShardsError, pack

Configure = Callable[..., PackConfig]
HashTree = Callable[[Path], dict[str, str]]


def spoil(photos: Path, count: int) -> None:
    for number in range(count):
        (photos / f"{number:02}.jpg").write_bytes(b"no")


def read_rejected(out: Path) -> list[str]:
    lines = (out / "rejected.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["name"] for line in lines]


@pytest.mark.parametrize(
    ("num_images", "fraction", "expected"),
    [(20, 0.01, 10), (1000, 0.01, 10), (202_599, 0.01, 2025), (20, 0.0, 0), (20, 1.0, 20)],
)
def test_limit(configure: Configure, num_images: int, fraction: float, expected: int) -> None:
    assert configure(max_rejected=fraction).count_refusable(num_images) == expected


def test_ten_bad_images_of_a_small_source_are_no_broken_source(
    configure: Configure, photos: Path
) -> None:
    spoil(photos, 10)
    assert pack(configure()).num_rejected == {"not an image": 10}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("samples_per_shard", [2, 20])
def test_broken_source_stops_the_pack(
    configure: Configure, photos: Path, workers: int, samples_per_shard: int
) -> None:
    spoil(photos, 11)
    config = configure(workers=workers, samples_per_shard=samples_per_shard, split=(1, 0, 0))
    expected = (
        r"stopped at 11 refused of 20 images, `max_rejected` allows 10: 11 not an image "
        r"\(first: \d\d\.jpg: not an image, .*; all so far are listed in .*rejected\.jsonl; mend"
    )
    with pytest.raises(ShardsError, match=expected):
        pack(config)
    assert sorted(read_rejected(config.out)) == [f"{number:02}.jpg" for number in range(11)]
    assert not (config.out / "dataset.json").exists()
    assert not list(config.out.rglob("*.faceae-part"))


def test_larger_fraction_goes_on_to_the_same_bytes(
    configure: Configure, photos: Path, tmp_path: Path, hash_tree: HashTree
) -> None:
    spoil(photos, 12)
    expected = pack(configure(out=tmp_path / "expected", max_rejected=0.6)).out
    for _ in range(2):  # the second time it stops by the records of the first
        with pytest.raises(ShardsError, match="`max_rejected` allows 11"):
            pack(configure(max_rejected=0.55))
    assert hash_tree(pack(configure(max_rejected=0.6)).out) == hash_tree(expected)


def test_first_bad_image_stops_the_pack(configure: Configure, photos: Path) -> None:
    spoil(photos, 1)
    expected = r"at 1 refused of 20 images, .* allows 0: .*00\.jpg.* raise `max_rejected`"
    with pytest.raises(ShardsError, match=expected):
        pack(configure(max_rejected=0.0))
    assert pack(configure()).num_rejected == {"not an image": 1}
