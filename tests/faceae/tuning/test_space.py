"""Search spaces: written as TOML or on a command line, checked, and chosen from."""

from pathlib import Path
from typing import Any

import pytest

from faceae.errors import FaceaeError
from faceae.tuning import Choices, Range, Space, make_space, parse_parameter, read_space

WHOLE = """
version = 1

[space]
lr = { low = 1e-5, high = 1e-2, log = true }
latent_size = { low = 16, high = 70, step = 16 }
model = ["plain", "variational"]
"""


class FirstChoice:
    """Chooses the first value of everything, as an `optuna.Trial` might."""

    def __init__(self, **wanted: Any) -> None:
        self.wanted = wanted

    def suggest_categorical(self, name: str, choices: tuple[Any, ...]) -> Any:
        return self.wanted.get(name, choices[0])

    def suggest_int(self, name: str, low: int, high: int, *, log: bool, step: int) -> int:
        assert all(type(value) is int for value in (low, high, step))
        return low

    def suggest_float(
        self, name: str, low: float, high: float, *, log: bool, step: float | None
    ) -> float:
        return low


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "space.toml"
    path.write_text(WHOLE)
    return path


def test_file_and_texts_read_alike(file: Path) -> None:
    texts = ["lr=1e-5:1e-2:log", "latent-size=16:70:16", "model=plain,variational"]
    space = read_space(file)
    assert space == read_space(None, texts)
    assert space is not None
    assert space.parameters["lr"] == Range(low=1e-5, high=1e-2, log=True)
    assert space.parameters["latent_size"] == Range(low=16, high=64, step=16), "what steps reach"
    assert make_space(space.to_json()) == space


def test_text_goes_before_the_file(file: Path) -> None:
    space = read_space(file, ["lr=0.001,0.002"])
    assert space is not None
    assert space.parameters["lr"] == Choices(values=(0.001, 0.002))
    assert len(space.parameters) == 3


def test_nothing_given_is_no_space() -> None:
    assert read_space(None) is None


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("learning_rat=1:2", "learning_rat"),
        ("latent_sise=16,32", "did you mean latent_size?"),
        ("epochs=1:5", "`epochs` cannot be searched"),
        ("image_size=32,64", "`image_size` cannot be searched"),
        ("lr=1:0.1", "`lr`: low must be below high"),
        ("lr=0:1:log", "`lr`: a range in powers"),
        ("lr=small:large", "`lr`: 'small' is not a number"),
        ("width=1.5:3", "`width`: 1.5 is not a whole number"),
        ("width=8,8", "`width`: give different choices"),
        ("width=8:16:40", "`width`: step"),
        ("model=1:2", "`model` is no number"),
        ("amp=yes,no", "`amp`: 'yes' is not true or false"),
        ("lr", "NAME=LOW:HIGH"),
        ("lr=1:2:3:4", "`search`"),
    ],
)
def test_bad_text(text: str, named: str) -> None:
    with pytest.raises(FaceaeError, match=r"^[^\n]*$") as caught:
        parse_parameter(text)
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("version = 1", "version = 2", "version 1 is needed, and this has 2"),
        ("version = 1", "", "no version"),
        ("[space]", "[spcae]", "did you mean space?"),
        ("log = true", "logs = true", "did you mean log?"),
        ("high = 1e-2, ", "", "`lr`: a range needs low and high"),
        ("low = 16, high = 70", "low = 16, high = 'a'", "`latent_size`: 'a'"),
        ('["plain", "variational"]', '"plain"', "`model`: 'plain' is one value"),
        ('"variational"]', '["variational"]]', "`model`: ['variational'] is not a text"),
        ("lr = {", "lr = {{", "not a TOML file"),
        ("[space]", "", "there is no key"),
    ],
)
def test_bad_file(file: Path, old: str, new: str, named: str) -> None:
    file.write_text(WHOLE.replace(old, new))
    with pytest.raises(FaceaeError, match=r"^[^\n]*$") as caught:
        read_space(file)
    assert named in str(caught.value)
    assert str(file) in str(caught.value)


def test_options_of_other_models_are_left_out() -> None:
    space = make_space({"kl_weight": [0.1, 1.0], "model": ["plain", "variational"], "lr": [0.1]})
    assert space.choose(FirstChoice(), {}) == {"model": "plain", "lr": 0.1}
    assert space.choose(FirstChoice(model="variational"), {})["kl_weight"] == 0.1
    fixed = make_space({"kl_weight": [0.1, 1.0]})
    assert fixed.choose(FirstChoice(), {"model": "adversarial"}) == {"kl_weight": 0.1}
    assert fixed.choose(FirstChoice(), {}) == {}


def test_ends_name_a_model_that_has_the_option() -> None:
    space = make_space({"kl_weight": {"low": 0.1, "high": 2.0}, "model": ["plain", "variational"]})
    assert {"model": "variational", "kl_weight": 2.0} in list(space.list_ends())


def test_empty_space() -> None:
    with pytest.raises(FaceaeError, match="`search`"):
        Space()
