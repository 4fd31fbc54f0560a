"""Labels of a dataset's attributes."""

import pytest

from faceae.editing._examples import _sign


@pytest.mark.parametrize(
    ("attributes", "sign"),
    [
        *(({"Male": value}, 1) for value in (1, 1.0, True)),
        *(({"Male": value}, -1) for value in (-1, 0, False)),
        *((attributes, 0) for attributes in ({"Male": "yes"}, {"Male": None}, {}, "Male", None)),
    ],
)
def test_sign_of_an_attribute(attributes: object, sign: int) -> None:
    assert _sign(attributes, "Male") == sign
