"""Checkpoints: folders from which a run continues as if it had never been interrupted."""

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
from faceae.runs import KeepCheckpoints
from faceae_shards import PART_SUFFIX, atomic_path

from ..step import Adversary, TrainState

_FORMAT = "faceae-checkpoint"
_VERSION = 2
_NAME = re.compile(r"epoch-(\d+)(?:-step-(\d+))?")


@dataclass(kw_only=True)
class Position:
    """How far a training has come."""

    step: int = 0
    """Number of optimisation steps done."""
    epoch: int = 0
    """Number of epochs trained and validated."""
    best_psnr_db: float | None = None
    """Highest held-out PSNR so far. None before the end of the first epoch."""
    best_epoch: int = 0
    seconds: float = 0.0
    """Time spent on training and validation since the run began, without interruptions."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The content of checkpoint.json: what a checkpoint holds besides tensors."""

    position: Position
    loaders: list[dict[str, str | int]]
    """State of the training loader of each process, in the order of ranks."""
    metrics_bytes: int
    """Length of metrics.jsonl when the checkpoint was written."""
    dataset_hash: str


RandomState = dict[str, torch.Tensor]
"""States of torch's random generators in one process, by type of device: uint8."""


def random_state(device: torch.device) -> RandomState:
    """Return the random state of this process for a training on `device`."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_random_state(device: torch.device, state: RandomState) -> None:
    """Restore a state that `random_state` returned."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)


def save_checkpoint(
    folder: Path,
    train_state: TrainState,
    checkpoint: Checkpoint,
    random_states: Sequence[RandomState],
    *,
    epoch_done: bool,
    keep: KeepCheckpoints = 2,
) -> Path:
    """Write a checkpoint into `folder`, and return its path.

    Older checkpoints are deleted, except those that `keep` names and the last one written at the
    end of an epoch. If a resumed run stops before its first step, the checkpoint of this step
    exists and is kept.

    Args:
        random_states: the state of each process, in the order of ranks.
        epoch_done: whether an epoch was trained and validated just now.
        keep: how many of the last checkpoints stay. best: the last one, and that of the best epoch.
    """
    position = checkpoint.position
    name = _epoch_name(position.epoch)
    path = folder / (name if epoch_done else f"{name}-step-{position.step:08}")
    if path.exists():
        return path
    with atomic_path(path) as part:
        part.mkdir(parents=True)
        save_model(train_state.model, part / "model.safetensors")
        tensors = {
            **_optimizer_tensors("optimizer", train_state.optimizer),
            **_adversary_tensors(train_state.adversary),
            **_random_tensors(random_states),
        }
        (part / "training.safetensors").write_bytes(safetensors.torch.save(tensors))
        record = {
            "format": _FORMAT,
            "version": _VERSION,
            "scaler": train_state.scaler.state_dict(),
            **dataclasses.asdict(checkpoint),
        }
        (part / "checkpoint.json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    num_kept = 1 if keep == "best" else keep
    kept = {
        *list_checkpoints(folder)[-num_kept:],
        *list_checkpoints(folder, epochs_only=True)[-1:],
    }
    if keep == "best":
        kept.add(folder / _epoch_name(position.best_epoch))
    drop_checkpoints(set(list_checkpoints(folder)) - kept)
    return path


def _epoch_name(epoch: int) -> str:
    return f"epoch-{epoch:04}"


def drop_checkpoints(paths: Iterable[Path]) -> None:
    """Delete checkpoints."""
    for path in paths:
        # Renamed first: a half-deleted checkpoint must not look complete.
        part = path.with_name(path.name + PART_SUFFIX)
        path.rename(part)
        shutil.rmtree(part)


def list_checkpoints(folder: Path, *, epochs_only: bool = False) -> list[Path]:
    """Return the complete checkpoints in `folder`, the oldest first.

    Args:
        epochs_only: only those written at the end of an epoch.
    """
    found = []
    for path in folder.glob("epoch-*"):
        match = _NAME.fullmatch(path.name)
        if match and not (epochs_only and match[2]):
            found.append((int(match[1]), int(match[2] or 0), path))
    return [path for *_, path in sorted(found)]


def read_position(path: Path) -> Position:
    """Return how far the training had come when a checkpoint was written.

    Raises:
        FaceaeError: the checkpoint is damaged, or of another format.
    """
    try:
        return Position(**_read_record(path / "checkpoint.json")["position"])
    except (FileNotFoundError, KeyError, TypeError, ValueError) as error:
        raise _unusable(path, error) from error


def load_checkpoint(path: Path, train_state: TrainState) -> tuple[Checkpoint, list[RandomState]]:
    """Load a checkpoint into `train_state`; return its record and each process's random state.

    Raises:
        FaceaeError: the checkpoint is damaged, of another format, or of another architecture.
    """
    try:
        model = load_model(path / "model.safetensors", torch.device("cpu"))
        if model.config != train_state.model.config:
            raise FaceaeError(f"its {model.config} is not the run's {train_state.model.config}")
        tensors = safetensors.torch.load_file(path / "training.safetensors")
        record = _read_record(path / "checkpoint.json")
        train_state.model.load_state_dict(model.state_dict())
        train_state.scaler.load_state_dict(record.pop("scaler"))
        _restore_optimizer(
            "optimizer", train_state.optimizer, train_state.model.parameters(), tensors
        )
        if train_state.adversary is not None:
            _restore_adversary(train_state.adversary, tensors)
        checkpoint = Checkpoint(position=Position(**record.pop("position")), **record)
        return checkpoint, _read_random_states(tensors, len(checkpoint.loaders))
    except (
        FileNotFoundError,
        KeyError,
        RuntimeError,
        TypeError,
        ValueError,
        safetensors.SafetensorError,
    ) as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: Exception) -> FaceaeError:
    return FaceaeError(
        f"{path}: cannot continue from this checkpoint ({error}); delete it, and `resume` uses "
        "the one before"
    )


def _adversary_tensors(adversary: Adversary | None) -> dict[str, torch.Tensor]:
    if adversary is None:
        return {}
    tensors = {f"adversary.{k}": v.contiguous() for k, v in adversary.tensors().items()}
    return tensors | _optimizer_tensors("adversary_optimizer", adversary.optimizer)


def _restore_adversary(adversary: Adversary, tensors: dict[str, torch.Tensor]) -> None:
    prefix = "adversary."
    adversary.restore(
        {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    )
    if any(name.startswith("adversary_optimizer.") for name in tensors):
        parameters = adversary.discriminator.parameters()
        _restore_optimizer("adversary_optimizer", adversary.optimizer, parameters, tensors)


def _optimizer_tensors(prefix: str, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    return {
        f"{prefix}.{index}.{key}": value.contiguous()
        for index, values in optimizer.state_dict()["state"].items()
        for key, value in values.items()
    }


def _restore_optimizer(
    prefix: str,
    optimizer: torch.optim.Optimizer,
    weights: Iterable[torch.Tensor],
    tensors: dict[str, torch.Tensor],
) -> None:
    """Load the optimiser's state with the strides of the parameters it belongs to.

    The fused kernels read a parameter and its moments in parallel, so their strides must agree.
    """
    parameters = list(weights)
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        if not name.startswith(f"{prefix}."):
            continue
        _, index, key = name.split(".")
        parameter = parameters[int(index)]
        if tensor.shape == parameter.shape:
            tensor = torch.empty_like(parameter).copy_(tensor)
        state.setdefault(int(index), {})[key] = tensor
    if len(state) != len(parameters):
        raise ValueError(f"optimiser state of {len(state)} of {len(parameters)} parameters")
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


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
