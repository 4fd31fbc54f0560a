"""run.toml: the options that give a run's training again, for `faceae train --config`."""

import dataclasses
import json
from pathlib import Path

from faceae_shards import atomic_path

from ._run import Run

_NOT_REPEATED = frozenset({"data", "run", "log_steps", "checkpoint_minutes"})
"""Fields of TrainConfig that say where, or that no weights depend on."""
_HEAD = """\
# The options that this run was started with. They give the same training again:
#     faceae train DATA --config run.toml --run NEW
version = 1
"""


def write_run_toml(run: Run) -> None:
    """Write run.toml into the folder of a run.

    It has values for the image size, the learning rate, the device and the number type even where
    the run's own options left them open.
    """
    options = {name: value for name, value in _list_options(run).items() if value not in (None, ())}
    lines = [f"{name} = {_format(value)}\n" for name, value in options.items()]
    with atomic_path(run.options_path) as part:
        # A path that is no UTF-8 stays readable, but cannot be read back.
        part.write_text(_HEAD + "".join(lines), encoding="utf-8", errors="backslashreplace")


def _list_options(run: Run) -> dict[str, object]:
    config = {
        field.name: getattr(run.config, field.name)
        for field in dataclasses.fields(run.config)
        if field.name not in _NOT_REPEATED
    }
    return config | {
        "image_size": run.model.image_size,
        "lr": run.config.peak_lr,
        "device": run.device,
        "amp": run.dtype != "float32",
    }


def _format(value: object) -> str:
    """Return a value as TOML. A path becomes absolute."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_format, value))}]"
    text = str(value.absolute() if isinstance(value, Path) else value)
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
