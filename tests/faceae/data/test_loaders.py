"""What holds for every loader: which images an epoch has, in which order, and continuing."""

import json
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

import faceae_shards
from faceae.data import Batch, Loader, LoaderConfig, make_loader
from faceae.errors import FaceaeError

NUM_IMAGES = 107
CPU = torch.device("cpu")
THREADS = Path("/proc/self/task")

MakeLoader = Callable[..., Loader]


@pytest.fixture(params=["dali", "webdataset", "cache"])
def make(request: pytest.FixtureRequest, numbered: faceae_shards.Dataset) -> Iterator[MakeLoader]:
    """Make loaders of the numbered pictures and close them after the test."""
    if request.param == "dali":
        pytest.importorskip("nvidia.dali")
    kind, cache = ("auto", "ram") if request.param == "cache" else (request.param, "none")
    loaders = []

    def make_one(**options: Any) -> Loader:
        defaults = {"split": "train", "batch_size": 10, "image_size": 16, "training": True}
        config = LoaderConfig(**{**defaults, **options})
        loaders.append(make_loader(kind, numbered, config, CPU, cache))
        return loaders[-1]

    yield make_one
    for loader in loaders:
        loader.close()


def read_numbers(batch: Batch) -> list[int]:
    numbers: list[int] = batch.images[: batch.num_valid, 0, 0, 0].tolist()
    return numbers


def read_epoch(loader: Loader) -> list[int]:
    return [number for batch in loader for number in read_numbers(batch)]


def read_on(loader: Loader, num_batches: int) -> list[torch.Tensor]:
    """Read batches across the ends of epochs."""
    batches: list[torch.Tensor] = []
    while len(batches) < num_batches:
        batches += [batch.images for batch in islice(loader, num_batches - len(batches))]
    return batches


def assert_same(left: list[torch.Tensor], right: list[torch.Tensor]) -> None:
    assert len(left) == len(right)
    assert all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


@pytest.mark.parametrize(("world_size", "batch_size"), [(1, 10), (3, 10), (3, 35)])
def test_training_epoch_has_no_image_twice(
    make: MakeLoader, world_size: int, batch_size: int
) -> None:
    ranks = [
        make(world_size=world_size, rank=rank, batch_size=batch_size) for rank in range(world_size)
    ]
    steps = NUM_IMAGES // (world_size * batch_size)
    for _ in range(3):
        numbers = [number for loader in ranks for number in read_epoch(loader)]
        assert len(numbers) == steps * world_size * batch_size
        assert len(set(numbers)) == len(numbers)
    assert [loader.steps_per_epoch for loader in ranks] == [steps] * world_size
    assert ranks[0].num_samples == NUM_IMAGES


def test_training_batches_are_full_and_over_some_epochs_every_image_comes(make: MakeLoader) -> None:
    # 7 of 107 images are left out of an epoch, other ones each time.
    loader = make()
    seen: set[int] = set()
    for _ in range(5):
        batches = list(loader)
        assert {batch.num_valid for batch in batches} == {10}
        seen.update(number for batch in batches for number in read_numbers(batch))
    assert seen == set(range(NUM_IMAGES))


def test_training_order_is_another_each_epoch_and_follows_the_seed(make: MakeLoader) -> None:
    first, same, other = make(seed=1), make(seed=1, num_threads=1), make(seed=2)
    epochs = [read_epoch(first), read_epoch(first)]
    assert epochs[0] != epochs[1]
    assert epochs == [read_epoch(same), read_epoch(same)]
    assert epochs[0] != read_epoch(other)


def test_training_mixes_images_of_several_shards_in_a_batch(make: MakeLoader) -> None:
    stored = read_epoch(make(training=False, batch_size=1))
    first_batch = read_numbers(next(iter(make())))
    assert len({stored.index(number) // 20 for number in first_batch}) >= 3


def test_training_mirrors_about_half_and_evaluation_none(make: MakeLoader) -> None:
    def count_mirrored(loader: Loader) -> int:
        return sum(int((batch.images[: batch.num_valid, 1, 0, 0] == 0).sum()) for batch in loader)

    training = make()
    assert 30 <= count_mirrored(training) <= 70
    assert count_mirrored(make(training=False)) == 0


def test_a_mirrored_image_is_whole(make: MakeLoader) -> None:
    for batch in make():
        green = batch.images[:, 1]
        assert torch.equal(green[..., :8], 255 - green[..., 8:].flip(-1))
        assert (batch.images[:, 0] == batch.images[:, :1, 0, 0, None]).all()


@pytest.mark.parametrize(
    ("world_size", "batch_size"),
    [(1, 10), (1, 107), (1, 128), (3, 10), (3, 35), (3, 36), (3, 200)],
)
def test_evaluation_gives_every_image_once_in_stored_order(
    make: MakeLoader, world_size: int, batch_size: int
) -> None:
    stored = read_epoch(make(training=False, batch_size=1))
    assert sorted(stored) == list(range(NUM_IMAGES))
    ranks = [
        make(training=False, world_size=world_size, rank=rank, batch_size=batch_size)
        for rank in range(world_size)
    ]
    for _ in range(2):
        batches = [list(loader) for loader in ranks]
        assert [n for rank in batches for batch in rank for n in read_numbers(batch)] == stored
        assert {len(rank) for rank in batches} == {ranks[0].steps_per_epoch}
        assert all(len(batch.images) == batch_size for rank in batches for batch in rank)


def test_evaluation_rank_without_images_left_gets_padding_only(make: MakeLoader) -> None:
    # 35, 36 and 36 images: at 35 a batch, rank 0 is done after one step and the others are not.
    batches = list(make(training=False, world_size=3, rank=0, batch_size=35))
    assert [batch.num_valid for batch in batches] == [35, 0]
    last = batches[0].images[-1]
    assert all(torch.equal(image, last) for image in batches[1].images)


def test_batches_are_channels_last_uint8_and_stay_as_they_were(make: MakeLoader) -> None:
    loader = make()
    batches = [batch.images for _ in range(3) for batch in loader]
    copies = [images.clone() for images in batches]
    read_epoch(loader)
    loader.close()
    assert_same(batches, copies)
    for images in batches:
        assert images.shape == (10, 3, 16, 16)
        assert images.dtype == torch.uint8
        assert images.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("num_read", [0, 1, 9, 10, 11, 25])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"world_size": 3, "rank": 1},
        {"training": False},
        # After one of its two steps all that is left of this rank's 35 images is padding.
        {"training": False, "world_size": 3, "batch_size": 35},
    ],
    ids=["training", "rank", "evaluation", "padding"],
)
def test_a_saved_place_continues_exactly(
    make: MakeLoader, num_read: int, options: dict[str, Any]
) -> None:
    loader = make(**options)
    read_on(loader, num_read)
    state = json.loads(json.dumps(loader.state_dict()))
    expected = read_on(loader, 15)
    fresh = make(**options, num_threads=1)
    fresh.load_state_dict(state)
    assert_same(read_on(fresh, 15), expected)
    fresh.load_state_dict(state)  # a loader in use goes back as well
    assert_same(read_on(fresh, 15), expected)


def test_a_new_iterator_goes_on_with_the_epoch(make: MakeLoader) -> None:
    loader, whole = make(), make()
    parts = [read_numbers(batch) for batch in islice(loader, 4)]
    parts += [read_numbers(batch) for batch in loader]
    assert [number for part in parts for number in part] == read_epoch(whole)


def test_a_state_saved_with_the_last_batch_in_hand_is_at_the_next_epoch(make: MakeLoader) -> None:
    loader = make()
    for _ in loader:
        state = loader.state_dict()
    assert (state["epoch"], state["step"]) == (1, 0)
    assert len(json.dumps(state)) < 1500


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 5},
        {"seed": 8},
        {"training": False},
        {"world_size": 2},
        {"image_size": 32},
    ],
    ids=lambda options: next(iter(options)),
)
def test_a_state_of_another_config_is_refused(make: MakeLoader, options: dict[str, Any]) -> None:
    state = make().state_dict()
    (name,) = options
    # The cache names itself, and evaluation has none.
    with pytest.raises(FaceaeError, match=f"has ({name}|reader) .*start a new run"):
        make(**options).load_state_dict(state)


@pytest.mark.parametrize("name", ["reader", "dataset", "version"])
def test_a_state_of_other_data_or_another_kind_is_refused(make: MakeLoader, name: str) -> None:
    loader = make()
    with pytest.raises(FaceaeError, match=f"has {name} 'other'"):
        loader.load_state_dict({**loader.state_dict(), name: "other"})


@pytest.mark.parametrize("damage", [{"step": 10}, {"step": -1}, {"epoch": "x"}, {"epoch": None}])
def test_a_damaged_state_is_refused_and_the_loader_stays_where_it_was(
    make: MakeLoader, damage: dict[str, Any]
) -> None:
    loader, other = make(), make()
    with pytest.raises(FaceaeError, match="damaged"):
        loader.load_state_dict({**loader.state_dict(), **damage})
    assert read_epoch(loader) == read_epoch(other)


@pytest.mark.skipif(not THREADS.exists(), reason="counts threads as Linux shows them")
def test_close_leaves_no_thread(make: MakeLoader) -> None:
    warm = make()
    next(iter(warm))  # so that what a library starts once is started
    warm.close()
    before = set(THREADS.iterdir())
    loader = make()
    next(iter(loader))
    loader.close()
    # The system lists a thread for an instant after it was joined, also in `before`.
    deadline = time.monotonic() + 60
    while not set(THREADS.iterdir()) <= before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert set(THREADS.iterdir()) <= before


def test_fewer_training_images_than_a_global_batch_name_the_option(make: MakeLoader) -> None:
    with pytest.raises(FaceaeError, match=r"107 images.*36 on each of 3.*`batch_size`"):
        make(batch_size=36, world_size=3)


def test_fewer_images_than_ranks_are_refused(make: MakeLoader) -> None:
    with pytest.raises(FaceaeError, match="for 108 ranks"):
        make(training=False, world_size=108)


def test_an_absent_split_is_named(make: MakeLoader) -> None:
    with pytest.raises(faceae_shards.ShardsError, match="'valid'"):
        make(split="valid")
