"""The tasks of the server, and their parameters: the one table behind checks and OpenAPI."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ._parameters import UNPROCESSABLE, Parameter
from ._problem import Problem

MAX_IMAGES = 64
"""Photographs per request."""
MAX_LATENTS = 1024
"""Latent vectors per request."""


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
        raise Problem(UNPROCESSABLE, f"{self.name} takes {wanted} `{self.takes}`, got {count}")

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
                UNPROCESSABLE,
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
    meaning="1: faces vary as the training faces do. Below 1: they are closer to the average face. "
    "Above 1: they vary more.",
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
