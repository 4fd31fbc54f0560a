"""Labels of a dataset's attributes."""

import pytest

from faceae.editing._examples import _sign


@pytest.mark.parametrize(
    ("attributes", "sign"),
    [({"Male": 1}, 1), ({"Male": -1}, -1), ({"Male": "yes"}, 0), ({}, 0), ("Male", 0), (None, 0)],
)
def test_sign_of_an_attribute(attributes: object, sign: int) -> None:
    assert _sign(attributes, "Male") == sign
