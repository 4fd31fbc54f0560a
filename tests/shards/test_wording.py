"""Counts in messages."""

import pytest

from faceae_shards import count_of


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (0, "face", "0 faces"),
        (1, "face", "1 face"),
        (2345, "face", "2,345 faces"),
        (1, "process", "1 process"),
        (2, "process", "2 processes"),
    ],
)
def test_the_noun_has_its_number(number: int, noun: str, text: str) -> None:
    assert count_of(number, noun) == text
