"""Who is on which picture, and which part of the set it belongs to."""

import numpy as np
import pytest

from faceae.synthetic.celeba import identities, partition


def test_longer_set_begins_with_the_shorter_ones_people() -> None:
    assert np.array_equal(identities(7, 100_000)[:3_000], identities(7, 3_000))
    assert not np.array_equal(identities(7, 3_000), identities(8, 3_000))


def test_people_have_one_to_thirty_pictures_twenty_on_average() -> None:
    people = identities(0, 100_000)
    assert (np.diff(people) >= 0).all()
    lengths = np.bincount(people)[:-1]  # the last one's pictures are cut off
    assert lengths.min() >= 1
    assert lengths.max() == 30
    assert lengths[200:].mean() == pytest.approx(20, abs=0.5)


def test_small_set_shows_many_people() -> None:
    assert len(np.unique(identities(0, 100))) > 30
    assert len(np.unique(identities(0, 1_000))) > 100


def test_partition_has_celebas_proportions_and_divides_nobody() -> None:
    people = identities(1, 20_000)
    parts = partition(people)
    assert (np.diff(parts) >= 0).all()
    shares = np.bincount(parts) / len(parts)
    assert shares == pytest.approx([0.803, 0.098, 0.099], abs=0.002)
    for person in np.flatnonzero(np.diff(parts)):
        assert people[person] != people[person + 1]


@pytest.mark.parametrize("people", [[0, 1, 2], [0, 0, 0, 0, 1, 2], [0, 1, 2, 2, 2, 2, 2, 2, 2]])
def test_partition_of_three_people_leaves_no_part_empty(people: list[int]) -> None:
    assert set(partition(np.array(people)).tolist()) == {0, 1, 2}


def test_partition_of_one_person_is_for_training() -> None:
    assert partition(np.zeros(4, np.int64)).tolist() == [0, 0, 0, 0]
