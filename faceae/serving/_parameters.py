"""Parameters of the tasks of the server: their types, ranges and schemas."""

import json
from dataclasses import dataclass
from typing import Any, Literal

from ._problem import Problem

UNPROCESSABLE = 422
_LIMIT = 2**63 - 1


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
        return Problem(UNPROCESSABLE, f"`{self.name}` must be {wanted}, got {str(value)[:40]!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
