"""The tasks of the server, and their parameters: the one table behind checks and OpenAPI."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ._problem import Problem

MAX_IMAGES = 64
"""Photographs per request."""
MAX_LATENTS = 1024
"""Latent vectors per request."""

_LIMIT = 2**63 - 1
_UNPROCESSABLE = 422


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter of a task: a number, a switch, or numbers by name."""

    name: str
    type: Literal["integer", "number", "boolean", "object"]
    default: Any
    minimum: int = 0
    maximum: int = _LIMIT
    meaning: str

    def parse(self, value: Any) -> Any:
        """Return a value from JSON, or from text, checked.

        Raises:
            Problem: it has another type, or is out of its range.
        """
        if isinstance(value, str):
            value = self._read_text(value)
        if self.type == "boolean":
            if isinstance(value, bool):
                return value
            raise self._refuse(value)
        if self.type == "object":
            return self._parse_object(value)
        if not _is_number(value):
            raise self._refuse(value)
        if not self.minimum <= value <= self.maximum:  # nor is NaN
            raise self._refuse(value)
        if self.type == "number":
            return float(value)
        if value != int(value):
            raise self._refuse(value)
        return int(value)

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema."""
        schema: dict[str, Any] = {
            "type": self.type,
            "default": self.default,
            "description": self.meaning,
        }
        if self.type == "object":
            schema["additionalProperties"] = {"type": "number"}
        elif self.type != "boolean":
            schema |= {"minimum": self.minimum, "maximum": self.maximum}
        return schema

    def _parse_object(self, value: Any) -> dict[str, float]:
        if not isinstance(value, dict) or not all(map(_is_number, value.values())):
            raise self._refuse(value)
        limit = self.maximum
        if not all(-limit <= number <= limit for number in value.values()):
            raise self._refuse(value)
        return {name: float(number) for name, number in value.items()}

    def _read_text(self, text: str) -> Any:
        if self.type == "boolean":
            return {"true": True, "false": False}.get(text.strip().lower(), text)
        if self.type == "object":
            try:
                return json.loads(text)
            except (ValueError, RecursionError):
                raise self._refuse(text) from None
        try:
            return int(text) if self.type == "integer" else float(text)
        except ValueError:
            raise self._refuse(text) from None

    def _refuse(self, value: Any) -> Problem:
        wanted = "true or false"
        if self.type == "object":
            wanted = f"an object of numbers from -{self.maximum} to {self.maximum}"
        elif self.type != "boolean":
            article = "an" if self.type == "integer" else "a"
            wanted = f"{article} {self.type} from {self.minimum} to {self.maximum}"
        return Problem(_UNPROCESSABLE, f"`{self.name}` must be {wanted}, got {str(value)[:40]!r}")


@dataclass(frozen=True, kw_only=True)
class Task:
    """Something that the server does."""

    name: str
    meaning: str
    takes: Literal["images", "latents"] | None
    gives: Literal["faces", "latents"]
    parameters: tuple[Parameter, ...] = ()
    min_inputs: int = 0
    max_inputs: int = 0
    """Images or latent vectors."""

    def check_inputs(self, count: int) -> None:
        """Raise Problem unless the task takes `count` images or latent vectors."""
        if self.min_inputs <= count <= self.max_inputs:
            return
        wanted = f"{self.min_inputs} to {self.max_inputs}"
        if self.min_inputs == self.max_inputs:
            wanted = str(self.min_inputs)
        raise Problem(_UNPROCESSABLE, f"{self.name} takes {wanted} `{self.takes}`, got {count}")

    def parse(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of all parameters.

        Raises:
            Problem: a parameter does not exist, or has a value that it cannot have.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        unknown = sorted(values.keys() - known.keys())
        if unknown:
            names = ", ".join(known) or "none"
            raise Problem(
                _UNPROCESSABLE,
                f"{self.name} has no parameter {unknown[0][:40]!r}; its parameters are: {names}",
            )
        return {
            name: parameter.parse(values[name]) if name in values else parameter.default
            for name, parameter in known.items()
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class TaskRequest:
    """A task with its inputs, checked."""

    task: Task
    values: dict[str, Any] = field(default_factory=dict)
    """Value of every parameter."""
    faces: NDArray[np.uint8] | None = None
    """N x S x S x 3, RGB."""
    latents: NDArray[np.float32] | None = None
    """N x Z."""
    change: NDArray[np.float32] | None = None
    """Z: what an edit adds to the latents."""
    noise: NDArray[np.float32] | None = None
    """N x Z: noise of the faces to draw. None: they are streamed."""
    is_tensor: bool = False
    """Whether the faces came as a float tensor, N x 3 x S x S. The reply then has that form too."""

    @property
    def facts(self) -> dict[str, Any]:
        """Task and parameters, which a JSON reply holds besides the result."""
        return {"task": self.task.name, **self.values}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_ALIGN = Parameter(
    name="align",
    type="boolean",
    default=True,
    meaning="Find the face of each photograph and frame it as the training faces. Pictures of "
    "the training crop or of the model's size, and 178x218 pixels for a model of faces aligned as "
    "CelebA's, are taken as framed.",
)

_SEED = Parameter(name="seed", type="integer", default=0, meaning="Seed of the random numbers.")
_START = Parameter(name="start", type="integer", default=0, meaning="Number of the first face.")
_TRUNCATION = Parameter(
    name="truncation",
    type="number",
    default=1.0,
    maximum=1000,
    meaning="1: faces vary as the training faces do. Below 1: they are closer to the average face.",
)

TASKS = {
    task.name: task
    for task in (
        Task(
            name="generate",
            meaning="Draw new faces. A seed and a number determine a face.",
            takes=None,
            gives="faces",
            parameters=(
                Parameter(
                    name="count",
                    type="integer",
                    default=1,
                    minimum=1,
                    maximum=100_000,
                    meaning="Number of faces.",
                ),
                _SEED,
                _START,
                _TRUNCATION,
            ),
        ),
        Task(
            name="sample",
            meaning="Return the latent vectors of new faces.",
            takes=None,
            gives="latents",
            parameters=(
                Parameter(
                    name="count",
                    type="integer",
                    default=1,
                    minimum=1,
                    maximum=MAX_LATENTS,
                    meaning="Number of latent vectors.",
                ),
                _SEED,
                _START,
                _TRUNCATION,
            ),
        ),
        Task(
            name="morph",
            meaning="Turn one face into another.",
            takes="images",
            gives="faces",
            parameters=(
                Parameter(
                    name="frames",
                    type="integer",
                    default=10,
                    minimum=2,
                    maximum=1000,
                    meaning="Number of frames. The first and the last one are the reconstructions "
                    "of the two faces.",
                ),
                _ALIGN,
            ),
            min_inputs=2,
            max_inputs=2,
        ),
        Task(
            name="reconstruct",
            meaning="Encode faces and decode them again.",
            takes="images",
            gives="faces",
            parameters=(_ALIGN,),
            min_inputs=1,
            max_inputs=MAX_IMAGES,
        ),
        Task(
            name="edit",
            meaning="Change attributes of faces.",
            takes="images",
            gives="faces",
            parameters=(
                Parameter(
                    name="strengths",
                    type="object",
                    default={},
                    maximum=1000,
                    meaning='Strengths by attribute, such as {"Smiling": 2, "Young": -1.5}. 1 is '
                    "the distance between the average faces without and with the attribute.",
                ),
                Parameter(
                    name="residual",
                    type="boolean",
                    default=False,
                    meaning="Add what the reconstruction lacks of the image, so that detail stays.",
                ),
                _ALIGN,
            ),
            min_inputs=1,
            max_inputs=MAX_IMAGES,
        ),
        Task(
            name="encode",
            meaning="Return the latent vectors of faces.",
            takes="images",
            gives="latents",
            parameters=(_ALIGN,),
            min_inputs=1,
            max_inputs=MAX_IMAGES,
        ),
        Task(
            name="decode",
            meaning="Return the faces of latent vectors.",
            takes="latents",
            gives="faces",
            min_inputs=1,
            max_inputs=MAX_LATENTS,
        ),
    )
}
