"""Communication between processes that share one task, as torchrun starts them.

Only gloo on the CPU has run. The code for NCCL follows torch's documentation.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from faceae.device import choose_backend
from faceae.errors import FaceaeError
from faceae_shards import ShardsError

from ._signals import Stopped, StopRequest

T = TypeVar("T")

_TIMEOUT = timedelta(minutes=10)
"""Longest wait for another process. Detects a process that vanished without closing its
connections. The others wait while one compiles or writes a checkpoint, which must take less."""

_LEAVE_S = 0.5
"""Pause before the process group is destroyed: torch joins gloo's threads while it holds Python's
global lock, and a thread that is about to free a Python tensor then waits for that lock forever."""


class Joined(NamedTuple):
    """A network that may be distributed over several processes."""

    network: nn.Module
    hold_gradients: Callable[[], AbstractContextManager[None]]
    """Context in which gradients accumulate in this process only."""


class Ranks:
    """This process among those that share a task. A single process exchanges nothing."""

    def __init__(self, rank: int = 0, world_size: int = 1) -> None:
        self.rank = rank
        self.world_size = world_size
        self._stop_exchange: tuple[dist.Work, torch.Tensor] | None = None

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and reports errors and progress."""
        return self.rank == 0

    def join(
        self, network: nn.Module, device: torch.device, *, has_fixed_buffers: bool = False
    ) -> Joined:
        """Return `network` with gradients that are the mean over all processes.

        Args:
            has_fixed_buffers: training does not change the buffers of `network`. Otherwise each
                forward pass first copies those of the first process (BatchNorm's running
                statistics) to the others.
        """
        if self.world_size == 1:
            return Joined(network, nullcontext)
        device_ids = None if device.type == "cpu" else [device]
        joined = DistributedDataParallel(
            network,
            device_ids,
            gradient_as_bucket_view=True,
            broadcast_buffers=not has_fixed_buffers,
        )
        return Joined(joined, joined.no_sync)

    def share_buffers(self, module: nn.Module) -> None:
        """Copy the buffers of the first process to all others."""
        if self.world_size > 1:
            for buffer in module.buffers():
                dist.broadcast(buffer, src=0)

    def share_state(self, module: nn.Module) -> None:
        """Copy the weights and buffers of the first process to all others."""
        if self.world_size == 1:
            return
        for tensor in module.state_dict().values():
            shared = tensor.contiguous()  # channels-last weights cannot be sent without a copy
            dist.broadcast(shared, src=0)
            tensor.copy_(shared)

    def run_on_all(self, compute: Callable[[], T]) -> T:
        """Call `compute` in all processes, and return this process's result once all succeed.

        If it raises FaceaeError, ShardsError or OSError in some processes, the lowest of their
        ranks raises its error, and the other processes raise SystemExit.
        """
        if self.world_size == 1:
            return compute()
        error: FaceaeError | ShardsError | OSError | None = None
        try:
            result = compute()
        except (FaceaeError, ShardsError, OSError) as caught:
            error = caught
        failed = torch.tensor(self.world_size if error is None else self.rank)
        dist.all_reduce(failed, dist.ReduceOp.MIN)
        if failed < self.world_size:
            raise SystemExit(1) if error is None or failed != self.rank else error
        return result

    def run_on_first(self, compute: Callable[[], T]) -> T | None:
        """Call `compute` in the first process only; the others wait, and return None.

        Errors end all processes, as in `run_on_all`.
        """
        return self.run_on_all(lambda: compute() if self.is_first else None)

    def broadcast_from_first(self, compute: Callable[[], T]) -> T:
        """Call `compute` in the first process, and return its result in all of them.

        The result must be picklable. Errors end all processes, as in `run_on_all`.
        """
        if self.world_size == 1:
            return compute()
        results = [self.run_on_first(compute)]
        dist.broadcast_object_list(results, src=0)
        result: Any = results[0]
        return result  # type: ignore[no-any-return]

    def error_on_first(self, error: FaceaeError) -> BaseException:
        """Return the exception to raise for an error that occurs in all processes.

        This is `error` in the first process, and SystemExit in the others.
        """
        return error if self.is_first else SystemExit(1)

    def gather_on_first(self, value: T) -> list[T]:
        """Return all processes' values by rank in the first process, and [value] in the others."""
        if self.world_size == 1:
            return [value]
        values: list[Any] | None = [None] * self.world_size if self.is_first else None
        dist.gather_object(value, values, dst=0)
        return [value] if values is None else values

    def sum(self, values: Sequence[float]) -> list[float]:
        """Return the sums over all processes, in float64."""
        if self.world_size == 1:
            return list(values)
        sums = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(sums)
        summed: list[float] = sums.tolist()
        return summed

    def check(self, stop: StopRequest) -> None:
        """Raise Stopped in all processes at the same call, after a signal has reached one of them.

        The exchange runs in the background during the next step, so that it takes effect one call
        later.
        """
        if self.world_size == 1:
            stop.check()
            return
        if self._stop_exchange is not None:
            work, number = self._stop_exchange
            work.wait()
            if number.item():
                self._stop_exchange = None
                stop.signal = signal.Signals(int(number.item()))
                raise Stopped
        number = torch.tensor(stop.signal or 0)
        work = dist.all_reduce(number, dist.ReduceOp.MAX, async_op=True)
        assert work is not None, "an asynchronous call gives its handle"
        self._stop_exchange = work, number

    def ignore_sigterm(self) -> None:
        """Ignore SIGTERM from now on, so that this process can report its error.

        A launcher terminates all processes as soon as one of them fails.
        """
        if self.world_size > 1 and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def close(self) -> None:
        """Finish a pending exchange."""
        if self._stop_exchange is not None:
            self._stop_exchange[0].wait()


def is_first_rank() -> bool:
    """Return whether this process is the first, from the launcher's environment variables."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def open_ranks(how_to_go_on: str = "") -> Iterator[Ranks]:
    """Connect the processes that a launcher such as torchrun has started, if there is one.

    Args:
        how_to_go_on: what to add to the advice to start all processes again if one has ended.

    Raises:
        FaceaeError: they cannot be reached, or one of them has ended too early.
    """
    if os.environ.get("WORLD_SIZE", "1") == "1":
        yield Ranks()
        return
    _connect()
    ranks = Ranks(dist.get_rank(), dist.get_world_size())
    try:
        yield ranks
        ranks.close()
    except RuntimeError as error:
        if not _is_lost_contact(error):
            raise
        raise FaceaeError(
            f"rank {ranks.rank} of {ranks.world_size}: another process has ended or cannot be "
            f"reached ({str(error).splitlines()[0]}); look for its own message, then start all of "
            f"them again{how_to_go_on}"
        ) from error
    # Skipped after an error, which must be reported before the launcher ends this process.
    time.sleep(_LEAVE_S)
    dist.destroy_process_group()


def _connect() -> None:
    try:
        dist.init_process_group(choose_backend(), timeout=_TIMEOUT)
    except (ValueError, dist.DistError) as error:
        raise FaceaeError(
            f"WORLD_SIZE is {os.environ['WORLD_SIZE']}, but the other processes cannot be reached "
            f"({str(error).splitlines()[0]}); start them with torchrun, or unset WORLD_SIZE"
        ) from error


def _is_lost_contact(error: RuntimeError) -> bool:
    # gloo raises a plain RuntimeError that only its text identifies.
    return isinstance(error, dist.DistError) or "gloo" in str(error)
