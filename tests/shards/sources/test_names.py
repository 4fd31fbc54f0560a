"""Many strings in little memory."""

import pickle
import sys

import pytest

from faceae_shards.sources._names import Names

STRINGS = ["", "a.jpg", "Zoë/ü.jpg", "\udcff.jpg", "", "b"]


def test_strings_come_back_also_bytes_that_are_no_text() -> None:
    names = pickle.loads(pickle.dumps(Names(STRINGS)))
    assert list(names) == STRINGS
    assert [names[number] for number in range(-6, 6)] == STRINGS * 2
    assert list(names[1:3]) == STRINGS[1:3]
    assert list(names.take([3, 0, 3])) == ["\udcff.jpg", "", "\udcff.jpg"]
    with pytest.raises(IndexError):
        names[6]


def test_a_repeat_is_found_in_its_first_places() -> None:
    assert Names(STRINGS).find_repeat() == (0, 4)
    assert Names(STRINGS[1:]).find_repeat() is None
    assert Names().find_repeat() is None


def test_a_name_costs_its_bytes_and_eight_more() -> None:
    names = Names(f"img_align_celeba/{number:06}.jpg" for number in range(10_000))
    num_bytes = sum(sys.getsizeof(column) for column in (names._text, names._stops))
    assert num_bytes < 10_000 * 1.2 * (27 + 8)
