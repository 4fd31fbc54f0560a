"""Weights & Biases (extra `wandb`). Its own variables choose server, project and mode."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import torch
import wandb

from faceae.errors import FaceaeError

from ._tracker import TrackedRun, Tracker

_PROJECT = "faceae"
_TIMEOUT_S = 30.0


class WandbTracker(Tracker):
    """A run of W&B. WANDB_MODE=offline writes it to the folder wandb of the run."""

    def __init__(self, run: TrackedRun) -> None:
        settings = wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            save_code=False,
            init_timeout=_TIMEOUT_S,
            x_disable_stats=True,
        )
        is_online = os.environ.get("WANDB_MODE", "online") == "online"
        if is_online and not wandb.api.api_key:
            # wandb.init would ask for it on a terminal.
            raise FaceaeError(
                "no API key; run `wandb login`, set WANDB_API_KEY, or set WANDB_MODE=offline"
            )
        self.reference = run.reference or secrets.token_hex(4)
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", _PROJECT),
            name=run.name,
            dir=run.path,
            id=self.reference,
            resume="allow",
            config=dict(run.options),
            settings=settings,
        )
        # Steps that are trained again after an interruption must not be refused as past.
        self._run.define_metric("*", step_metric="step")

    def add_figures(self, figures: Mapping[str, float], step: int) -> None:
        """Log the figures."""
        self._run.log({**figures, "step": step})

    def add_faces(self, images_NCHW: torch.Tensor, grid: Path, step: int) -> None:
        """Log the grid."""
        self._run.log({"faces": wandb.Image(str(grid)), "step": step})

    def close(self, *, is_finished: bool) -> None:
        """Upload the rest."""
        self._run.finish(exit_code=0 if is_finished else 1)
