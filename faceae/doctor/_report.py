"""The result of a diagnosis."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

PINNED = "pip install -c constraints.txt . (in faceae's folder)"
"""Remedy that installs the tested set of packages."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A problem of this machine, and its remedy."""

    severity: Literal["error", "warning"]
    """error: the requested device cannot work; warning: something else would not work."""
    what: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """Result of `diagnose`."""

    python: str
    machine: str
    cores: int
    """Cores this process may use."""
    packages: dict[str, str | None]
    """Version of each distribution; None where it is not installed."""
    extras: dict[str, bool]
    """Whether each optional extra is installed."""
    cuda_majors: dict[str, int | None]
    """CUDA major version that each library was built for; None if built without or missing."""
    gpus: list[str]
    """GPUs that torch can use."""
    architectures: list[str]
    """GPU architectures that torch has kernels for, such as sm_90. Empty if torch cannot use a
    GPU."""
    driver: str | None
    compiler: str
    """What `compile` needs and what is missing of it."""
    device: str
    """The device that `auto` chooses here."""
    amp: str
    """The dtype that mixed precision chooses on that device, and the reason."""
    bf16_speedup: float | None
    """How many times as fast a convolution step is in bfloat16 as in float32 on this CPU. None: not
    measured."""
    loader: str | None
    """The loader that `auto` chooses here; None if no loader works."""
    problems: list[Problem]

    @property
    def failed(self) -> bool:
        """Whether a problem is an error."""
        return any(problem.severity == "error" for problem in self.problems)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return asdict(self)
