"""Losses and times of the steps between two lines of metrics."""

import time
from collections.abc import Callable, Iterator, Sequence

import torch

from faceae.data import Batch
from faceae.runs import StepMetrics

from ..step import Losses, TrainState


class StepMeter:
    """Averages losses and times over the steps since the last log step.

    The losses are summed on the device, so that no step waits for it.
    """

    def __init__(self, train_state: TrainState) -> None:
        self._train_state = train_state
        self._count_skipped = train_state.scaler.is_enabled()
        self._taken_steps = train_state.count_taken_steps() if self._count_skipped else 0
        self.reset()

    def reset(self) -> None:
        """Forget the steps so far, and restart the clock."""
        self._losses = torch.zeros(2, device=self._train_state.device)
        self._num_steps = 0
        self._num_images = 0
        self._wait_s = 0.0
        self._start = time.perf_counter()

    def timed(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Yield `batches`, and count them and the time that the host waits for each."""
        while True:
            start = time.perf_counter()
            batch = next(batches, None)
            if batch is None:
                return
            self._wait_s += time.perf_counter() - start
            self._num_steps += 1
            self._num_images += len(batch.images)
            yield batch

    def add(self, losses: Losses) -> None:
        """Add the losses of one step."""
        self._losses += torch.stack(losses)

    def read(
        self,
        sum_over_ranks: Callable[[Sequence[float]], Sequence[float]],
        *,
        step: int,
        epoch: int,
        lr: float,
        seconds: float,
    ) -> StepMetrics:
        """Return the means over steps and processes, and reset. Waits for the device."""
        loss, penalty = (self._losses / self._num_steps).tolist()
        elapsed_s = time.perf_counter() - self._start
        num_ranks, loss_sum, penalty_sum, speed_sum, wait_sum = sum_over_ranks(
            [1, loss, penalty, self._num_images / elapsed_s, self._wait_s / elapsed_s]
        )
        metrics = StepMetrics(
            step=step,
            epoch=epoch,
            loss=loss_sum / num_ranks,
            penalty=penalty_sum / num_ranks,
            lr=lr,
            skipped_steps=self._read_skipped_steps(),
            discriminator_accuracy=self._read_accuracy(),
            images_per_s=speed_sum,
            data_wait_share=wait_sum / num_ranks,
            seconds=seconds,
        )
        self.reset()
        return metrics

    def _read_accuracy(self) -> float | None:
        adversary = self._train_state.adversary
        return None if adversary is None else adversary.accuracy.item()

    def _read_skipped_steps(self) -> int:
        if not self._count_skipped:
            return 0
        before, self._taken_steps = self._taken_steps, self._train_state.count_taken_steps()
        return self._num_steps - (self._taken_steps - before)
