"""The search space: the options of a training that differ between trials, and their values."""

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from faceae.errors import FaceaeError
from faceae.runs import list_models_of

Value = bool | int | float | str
"""Value of an option."""

_KINDS: dict[str, type] = {
    "model": str,
    "lr": float,
    "batch_size": int,
    "accumulate": int,
    "clip_norm": float,
    "init": str,
    "seed": int,
    "latent_size": int,
    "width": int,
    "noise_std": float,
    "kl_weight": float,
    "free_bits": float,
    "latent_penalty": float,
    "amp": bool,
}
"""Fields of TrainConfig that a study can search, and the types of their values. The model comes
first, because it decides which of the others there are."""
_REFUSED = {
    "epochs": "all trials have equally many, so that pruning compares equals",
    "image_size": "figures of different image sizes cannot be compared",
}


@dataclass(frozen=True, kw_only=True)
class Range:
    """Numbers between two bounds, which belong to the range."""

    low: float
    high: float
    log: bool = False
    """Whether each power of ten is as likely as any other."""
    step: float | None = None
    """Distance between neighbouring values from `low` on. None: any number."""

    @property
    def ends(self) -> tuple[float, ...]:
        """The smallest and the largest value."""
        return (self.low, self.high)

    def to_json(self) -> Any:
        """Return what `make_parameter` reads."""
        record: dict[str, Any] = {"low": self.low, "high": self.high}
        return record | ({"log": True} if self.log else {}) | self._step_json()

    def _step_json(self) -> dict[str, float]:
        return {} if self.step is None else {"step": self.step}


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Values without an order."""

    values: tuple[Value, ...]

    @property
    def ends(self) -> tuple[Value, ...]:
        """All values."""
        return self.values

    def to_json(self) -> Any:
        """Return what `make_parameter` reads."""
        return list(self.values)


Parameter = Range | Choices


@dataclass(frozen=True, kw_only=True)
class Space:
    """The searched options by name. An option of some kinds of models is left out for others.

    Raises:
        FaceaeError: there is no option, one does not exist, or its values do not suit it.
    """

    parameters: Mapping[str, Parameter] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.parameters:
            raise FaceaeError(
                "`space`: no option to search; name some with `search`, such as "
                "`search=lr=1e-5:1e-3:log`"
            )

    def choose(self, trial: Any, fixed: Mapping[str, Any]) -> dict[str, Value]:
        """Return the values of one trial.

        Args:
            trial: an `optuna.Trial`, which chooses each.
            fixed: options that all trials share.
        """
        chosen: dict[str, Value] = {}
        for name in self.names:
            models = list_models_of(name)
            if models is None or chosen.get("model", fixed.get("model", "plain")) in models:
                chosen[name] = _suggest(trial, name, self.parameters[name])
        return chosen

    @property
    def names(self) -> list[str]:
        """The names in the order in which a trial chooses."""
        return [name for name in _KINDS if name in self.parameters]

    def list_ends(self) -> Iterator[dict[str, Value]]:
        """Yield each extreme value of each option, with a model that has this option."""
        models = self.parameters.get("model")
        for name, parameter in self.parameters.items():
            fitting = [
                model
                for model in (models.values if isinstance(models, Choices) else ())
                if model in (list_models_of(name) or (model,))
            ]
            for value in parameter.ends:
                yield {"model": fitting[0], name: value} if fitting else {name: value}

    def to_json(self) -> dict[str, Any]:
        """Return what `make_space` reads."""
        return {name: self.parameters[name].to_json() for name in self.names}


def make_space(record: Mapping[str, Any]) -> Space:
    """Return the space of a mapping from names to lists of choices or to tables of a range.

    A table has `low` and `high`, and may have `log = true` or a `step`.

    Raises:
        FaceaeError: naming the option and what is wrong with it.
    """
    parameters = {name: make_parameter(name, value) for name, value in record.items()}
    return Space(parameters=parameters)


def make_parameter(name: str, value: Any) -> Parameter:
    """Return an option's values, which were written as a list of choices or as a range's table.

    Raises:
        FaceaeError: there is no such option, or the values do not suit it.
    """
    kind = _find_kind(name)
    if isinstance(value, list):
        return _make_choices(name, kind, value)
    if isinstance(value, Mapping):
        return _make_range(name, kind, value)
    raise FaceaeError(
        f"`{name}`: {value!r} is one value; give a list of choices or a table such as "
        "{ low = 1, high = 8 }"
    )


def suggest_name(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean NAME?` with the known name nearest to `name`, or an empty text."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _find_kind(name: str) -> type:
    if name in _REFUSED:
        raise FaceaeError(f"`{name}` cannot be searched: {_REFUSED[name]}")
    if name not in _KINDS:
        hint = suggest_name(name, _KINDS) or f"; options that can be searched: {', '.join(_KINDS)}"
        raise FaceaeError(f"search space: there is no option {name}{hint}")
    return _KINDS[name]


def _make_choices(name: str, kind: type, values: list[Any]) -> Choices:
    choices = tuple(_convert(name, kind, value) for value in values)
    if not choices or len(set(choices)) < len(choices):
        raise FaceaeError(f"`{name}`: give different choices, got {values}")
    return Choices(values=choices)


def _make_range(name: str, kind: type, table: Mapping[str, Any]) -> Range:
    if kind not in (int, float):
        raise FaceaeError(f"`{name}` is no number; give a list of choices")
    for key in table:
        if key not in ("low", "high", "log", "step"):
            hint = suggest_name(key, ("low", "high", "log", "step"))
            raise FaceaeError(f"`{name}`: a range has low, high, log and step, not {key}{hint}")
    if "low" not in table or "high" not in table:
        raise FaceaeError(f"`{name}`: a range needs low and high")
    low, high = (_convert(name, kind, table[key]) for key in ("low", "high"))
    step = None if table.get("step") is None else _convert(name, kind, table["step"])
    log = table.get("log", False)
    if not isinstance(log, bool):
        raise FaceaeError(f"`{name}`: log is true or false, got {log!r}")
    _check_range(name, low, high, step, log=log)
    if step is not None and kind is int:
        high -= (high - low) % step  # the largest value that steps reach
    return Range(low=low, high=high, log=log, step=step)


def _check_range(name: str, low: float, high: float, step: float | None, *, log: bool) -> None:
    if not low < high:
        raise FaceaeError(f"`{name}`: low must be below high, got {low:g} and {high:g}")
    if log and (step is not None or low <= 0):
        raise FaceaeError(f"`{name}`: a range in powers has no step and begins above 0")
    if step is not None and not 0 < step <= high - low:
        raise FaceaeError(f"`{name}`: step must be above 0 and at most high - low, got {step:g}")


def _convert(name: str, kind: type, value: Any) -> Any:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is float and is_number and math.isfinite(value):
        return float(value)
    if kind is not float and type(value) is kind:
        return value
    named = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    raise FaceaeError(f"`{name}`: {value!r} is not {named[kind]}")


def _suggest(trial: Any, name: str, parameter: Parameter) -> Value:
    value: Value
    if isinstance(parameter, Choices):
        value = trial.suggest_categorical(name, parameter.values)
    elif _KINDS[name] is int:
        step = 1 if parameter.step is None else int(parameter.step)
        value = trial.suggest_int(
            name, int(parameter.low), int(parameter.high), log=parameter.log, step=step
        )
    else:
        value = trial.suggest_float(
            name, parameter.low, parameter.high, log=parameter.log, step=parameter.step
        )
    return value
