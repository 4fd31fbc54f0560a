"""Callbacks for whoever watches a training."""

from faceae.runs import EpochMetrics, Run, StepMetrics


class Observer:
    """Receives the progress of a training. The methods of this class do nothing: override some."""

    def on_start(self, run: Run, *, step: int, total_steps: int) -> None:
        """Called before the first step; `step` steps were done before an interruption."""

    def on_step(self, step: int) -> None:
        """Called after step number `step` was queued. Must not wait for the device."""

    def on_metrics(self, metrics: StepMetrics) -> None:
        """Called on each log step."""

    def on_epoch(self, metrics: EpochMetrics) -> None:
        """Called after each epoch and its validation."""
