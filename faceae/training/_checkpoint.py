"""Checkpoints: folders from which a run goes on as if it had never stopped."""

import dataclasses
import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from faceae.errors import FaceaeError
from faceae.model import load_model, save_model
from faceae_shards import PART_SUFFIX, atomic_path

from ._step import TrainState

_FORMAT = "faceae-checkpoint"
_VERSION = 2
_NUM_KEPT = 2
_NAME = re.compile(r"epoch-(\d+)(?:-step-(\d+))?")


@dataclass(kw_only=True)
class Position:
    """How far a run has come."""

    step: int = 0
    """Optimisation steps done."""
    epoch: int = 0
    """Epochs trained and measured."""
    best_psnr_db: float | None = None
    """Highest held-out PSNR so far; None before the first epoch's end."""
    best_epoch: int = 0
    seconds: float = 0.0
    """Time spent training and measuring, over all the run's sessions."""


@dataclass(frozen=True, kw_only=True)
class Bookmark:
    """What a checkpoint holds besides the train_state."""

    position: Position
    loaders: list[dict[str, str | int]]
    """State of each process's training loader, in the order of ranks."""
    metrics_bytes: int
    """Length of metrics.jsonl when the checkpoint was written."""
    dataset_hash: str


RandomState = dict[str, torch.Tensor]
"""Of one process: torch's generators, by the device they are on."""


def random_state(device: torch.device) -> RandomState:
    """Return the random state of this process for a training on `device`."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_random_state(device: torch.device, state: RandomState) -> None:
    """Go back to what `random_state` returned."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)


def save_checkpoint(
    folder: Path,
    train_state: TrainState,
    bookmark: Bookmark,
    random_states: Sequence[RandomState],
    *,
    epoch_done: bool,
) -> Path:
    """Write a checkpoint into `folder`, and return its path.

    All but the last two are dropped, and the last at the end of an epoch. A checkpoint of the same
    step is already there when a resumed run stops before its first step; it is kept.

    Args:
        random_states: of each process, in the order of ranks.
    """
    position = bookmark.position
    name = f"epoch-{position.epoch:04}"
    path = folder / (name if epoch_done else f"{name}-step-{position.step:08}")
    if path.exists():
        return path
    with atomic_path(path) as part:
        part.mkdir(parents=True)
        save_model(train_state.model, part / "model.safetensors")
        tensors = _optimizer_tensors(train_state) | _random_tensors(random_states)
        (part / "training.safetensors").write_bytes(safetensors.torch.save(tensors))
        record = {
            "format": _FORMAT,
            "version": _VERSION,
            "scaler": train_state.scaler.state_dict(),
            **dataclasses.asdict(bookmark),
        }
        (part / "checkpoint.json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    kept = {
        *list_checkpoints(folder)[-_NUM_KEPT:],
        *list_checkpoints(folder, epochs_only=True)[-1:],
    }
    drop_checkpoints(set(list_checkpoints(folder)) - kept)
    return path


def drop_checkpoints(paths: Iterable[Path]) -> None:
    """Delete whole checkpoints."""
    for path in paths:
        # Under its own name a half-deleted checkpoint would look whole.
        part = path.with_name(path.name + PART_SUFFIX)
        path.rename(part)
        shutil.rmtree(part)


def list_checkpoints(folder: Path, *, epochs_only: bool = False) -> list[Path]:
    """Return the whole checkpoints in `folder`, the oldest first; or those at an epoch's end."""
    found = []
    for path in folder.glob("epoch-*"):
        match = _NAME.fullmatch(path.name)
        if match and not (epochs_only and match[2]):
            found.append((int(match[1]), int(match[2] or 0), path))
    return [path for *_, path in sorted(found)]


def load_checkpoint(path: Path, train_state: TrainState) -> tuple[Bookmark, list[RandomState]]:
    """Put `train_state` back to where the checkpoint was written; return the rest, unused.

    Raises:
        FaceaeError: the checkpoint is damaged, not ours, or of another architecture.
    """
    try:
        model = load_model(path / "model.safetensors", torch.device("cpu"))
        if model.config != train_state.model.config:
            raise FaceaeError(f"its {model.config} is not the run's {train_state.model.config}")
        tensors = safetensors.torch.load_file(path / "training.safetensors")
        record = _read_record(path / "checkpoint.json")
        train_state.model.load_state_dict(model.state_dict())
        train_state.scaler.load_state_dict(record.pop("scaler"))
        _restore_optimizer(train_state, tensors)
        bookmark = Bookmark(position=Position(**record.pop("position")), **record)
        return bookmark, _read_random_states(tensors, len(bookmark.loaders))
    except (
        FileNotFoundError,
        KeyError,
        RuntimeError,
        TypeError,
        ValueError,
        safetensors.SafetensorError,
    ) as error:
        raise FaceaeError(
            f"{path}: cannot go on from this checkpoint ({error}); delete it, and --resume takes "
            "the one before"
        ) from error


def _optimizer_tensors(train_state: TrainState) -> dict[str, torch.Tensor]:
    return {
        f"optimizer.{index}.{key}": value.contiguous()
        for index, values in train_state.optimizer.state_dict()["state"].items()
        for key, value in values.items()
    }


def _restore_optimizer(train_state: TrainState, tensors: dict[str, torch.Tensor]) -> None:
    """Load the optimiser's state in the memory order of the parameters it belongs to.

    The fused kernels walk a parameter and its moments side by side, so their strides must agree.
    """
    parameters = list(train_state.model.parameters())
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        if not name.startswith("optimizer."):
            continue
        _, index, key = name.split(".")
        parameter = parameters[int(index)]
        if tensor.shape == parameter.shape:
            tensor = torch.empty_like(parameter).copy_(tensor)
        state.setdefault(int(index), {})[key] = tensor
    if len(state) != len(parameters):
        raise ValueError(f"optimiser state of {len(state)} of {len(parameters)} parameters")
    groups = train_state.optimizer.state_dict()["param_groups"]
    train_state.optimizer.load_state_dict({"state": state, "param_groups": groups})


def _random_tensors(states: Sequence[RandomState]) -> dict[str, torch.Tensor]:
    return {
        f"random.{rank}.{device}": tensor
        for rank, state in enumerate(states)
        for device, tensor in state.items()
    }


def _read_random_states(tensors: Mapping[str, torch.Tensor], num_ranks: int) -> list[RandomState]:
    states: list[RandomState] = [{} for _ in range(num_ranks)]
    for name, tensor in tensors.items():
        if name.startswith("random."):
            _, rank, device = name.split(".")
            states[int(rank)][device] = tensor
    return states


def _read_record(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if (record.pop("format"), record.pop("version")) != (_FORMAT, _VERSION):
        raise ValueError(f"{path.name} is not {_FORMAT} version {_VERSION}")
    return record
