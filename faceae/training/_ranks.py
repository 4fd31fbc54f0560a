"""The processes that train together, as torchrun starts them, and what they must agree on.

What concerns NCCL is written from torch's documentation; only gloo, on the CPU, has run.
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
"""Longest wait for another process: one that vanished without closing its connections is noticed
then. Compiling and writing a checkpoint, for which others wait, must fit into it."""

_LEAVE_S = 0.5
"""Pause before the end: torch ends gloo's threads with Python's lock held, and one that is about to
free a tensor of Python's then waits for that lock for ever."""


class Joined(NamedTuple):
    """A network that may be one of several processes'."""

    network: nn.Module
    hold_gradients: Callable[[], AbstractContextManager[None]]
    """Within it gradients are added up in this process only."""


class Ranks:
    """This process among those that train together; alone, nothing is exchanged."""

    def __init__(self, rank: int = 0, world_size: int = 1) -> None:
        self.rank = rank
        self.world_size = world_size
        self._asked_to_stop: tuple[dist.Work, torch.Tensor] | None = None

    @property
    def is_first(self) -> bool:
        """Whether this process writes the run and speaks for all."""
        return self.rank == 0

    def join(self, network: nn.Module, device: torch.device) -> Joined:
        """Return `network` so that its gradients are the mean over the processes.

        Before each step the first process's buffers (BatchNorm's running means) go to the others.
        """
        if self.world_size == 1:
            return Joined(network, nullcontext)
        device_ids = None if device.type == "cpu" else [device]
        joined = DistributedDataParallel(network, device_ids, gradient_as_bucket_view=True)
        return Joined(joined, joined.no_sync)

    def share_buffers(self, module: nn.Module) -> None:
        """Give all processes the first one's buffers."""
        if self.world_size > 1:
            for buffer in module.buffers():
                dist.broadcast(buffer, src=0)

    def share_state(self, module: nn.Module) -> None:
        """Give all processes the first one's weights and buffers."""
        if self.world_size == 1:
            return
        for tensor in module.state_dict().values():
            shared = tensor.contiguous()  # channels-last weights cannot be sent as they lie
            dist.broadcast(shared, src=0)
            tensor.copy_(shared)

    def run_on_all(self, compute: Callable[[], T]) -> T:
        """Return what `compute` returns in this process once it has succeeded in all of them.

        A user's error ends all: the first process to have one raises it, the others leave without
        a word (SystemExit).
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
        """Compute in the first process while the others wait; there it returns None."""
        return self.run_on_all(lambda: compute() if self.is_first else None)

    def broadcast_from_first(self, compute: Callable[[], T]) -> T:
        """Return in all processes what `compute` returns in the first."""
        if self.world_size == 1:
            return compute()
        results = [self.run_on_first(compute)]
        dist.broadcast_object_list(results, src=0)
        result: Any = results[0]
        return result  # type: ignore[no-any-return]

    def error_on_first(self, error: FaceaeError) -> BaseException:
        """Return what to raise where every process has come to the same error."""
        return error if self.is_first else SystemExit(1)

    def gather_on_first(self, value: T) -> list[T]:
        """Return the values of all processes in the first one, in order; elsewhere the own."""
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
        """Raise Stopped in all processes at the same call, once a signal has reached one of them.

        They learn of it at the next call: the exchange goes on behind the step in between.
        """
        if self.world_size == 1:
            stop.check()
            return
        if self._asked_to_stop is not None:
            work, number = self._asked_to_stop
            work.wait()
            if number.item():
                self._asked_to_stop = None
                stop.signal = signal.Signals(int(number.item()))
                raise Stopped
        number = torch.tensor(stop.signal or 0)
        work = dist.all_reduce(number, dist.ReduceOp.MAX, async_op=True)
        assert work is not None, "an asynchronous call gives its handle"
        self._asked_to_stop = work, number

    def outlast_launcher(self) -> None:
        """Be deaf to SIGTERM from now on, to tell what went wrong.

        A launcher that sees one process end terminates the others at once.
        """
        if self.world_size > 1 and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def close(self) -> None:
        """Finish the exchange that is under way."""
        if self._asked_to_stop is not None:
            self._asked_to_stop[0].wait()


def is_first_rank() -> bool:
    """Tell, before any work, whether this process is the one that speaks for all."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def open_ranks() -> Iterator[Ranks]:
    """Join the processes that a launcher such as torchrun has started; without one, be alone.

    Raises:
        FaceaeError: they cannot be reached, or one of them has ended too early.
    """
    if os.environ.get("WORLD_SIZE", "1") == "1":
        yield Ranks()
        return
    _join()
    ranks = Ranks(dist.get_rank(), dist.get_world_size())
    try:
        yield ranks
        ranks.close()
    except RuntimeError as error:
        if not _is_lost_contact(error):
            raise
        raise FaceaeError(
            f"rank {ranks.rank} of {ranks.world_size}: another process of this training has ended "
            f"or cannot be reached ({str(error).splitlines()[0]}); look for its own message, then "
            "start all of them again with --resume (fewer or more: also --restart-epoch)"
        ) from error
    # Not after an error, which is to be told before the launcher ends this process, too.
    time.sleep(_LEAVE_S)
    dist.destroy_process_group()


def _join() -> None:
    try:
        dist.init_process_group(choose_backend(), timeout=_TIMEOUT)
    except (ValueError, dist.DistError) as error:
        raise FaceaeError(
            f"WORLD_SIZE is {os.environ['WORLD_SIZE']}, but the other processes cannot be joined "
            f"({str(error).splitlines()[0]}); start them with torchrun, or unset WORLD_SIZE"
        ) from error


def _is_lost_contact(error: RuntimeError) -> bool:
    # gloo raises a plain RuntimeError, which only its text tells from others.
    return isinstance(error, dist.DistError) or "gloo" in str(error)
