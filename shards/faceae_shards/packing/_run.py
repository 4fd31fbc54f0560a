"""Run the tasks of a pack, and publish each shard before its record is written."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from ..dataset import publish_shard
from ..executors import Executor, Tick
from ..storage import Storage
from ._progress import Progress, ShardRecord
from ._worker import PackedShard, TooManyRefused

_MAX_UNPUBLISHED = 4
"""Finished shards that may wait for the disk. With more of them the workers wait, too."""

Publish = Callable[[str, ShardRecord], None]
"""Receives the name and the record of a shard that is done."""

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Packer(Protocol[T_contra]):
    """Writes one shard for each task. Executors pickle it before its first task."""

    def write(self, task: T_contra, folder: Path, tick: Tick) -> PackedShard:
        """Write one shard and its index as parts below `folder`."""

    def close(self) -> None:
        """Release what `write` opened."""


def run_packer(
    executor: Executor,
    packer: Packer[T],
    tasks: Iterable[T],
    progress: Progress,
    *,
    accept: Callable[[PackedShard, Publish], None],
    on_ticks: Callable[[int], None],
    needs: Iterable[Path] = (),
) -> None:
    """Run all tasks, each of which writes a shard.

    Local workers write into one scratch folder, from which this process publishes the shards while
    the workers write the next ones. A task on another machine publishes its shard itself.

    Args:
        accept: receives each result, and the function that publishes it.
        on_ticks, needs: see `Executor`.

    Raises:
        ShardsError: as `Executor.run` does.
    """
    if executor.is_remote:
        worker = _PublishingWorker(packer, progress.storage)
        executor.run(
            worker,
            tasks,
            on_result=lambda packed: accept(packed, progress.write),
            on_ticks=on_ticks,
            lock=progress.lock_path,
            needs=needs,
        )
        return
    with progress.storage.scratch() as scratch, _publish_meanwhile(progress, scratch) as publish:
        executor.run(
            _WritingWorker(packer, scratch),
            tasks,
            on_result=lambda packed: accept(packed, publish),
            on_ticks=on_ticks,
            lock=progress.lock_path,
        )


@dataclass
class _WritingWorker(Generic[T]):
    """Leaves the parts of its shards in a folder that the caller sees."""

    packer: Packer[T]
    folder: Path

    def run(self, task: T, tick: Tick) -> PackedShard:
        return self.packer.write(task, self.folder, tick)

    def close(self) -> None:
        self.packer.close()


@dataclass
class _PublishingWorker(Generic[T]):
    """Publishes its shards itself. Two runs of one task, even at once, leave the same files."""

    packer: Packer[T]
    storage: Storage

    def run(self, task: T, tick: Tick) -> PackedShard:
        with self.storage.scratch() as folder:
            packed = self.packer.write(task, folder, tick)
            if packed.is_whole and packed.record.shard is not None:
                publish_shard(self.storage, folder, packed.record.shard)
        return packed

    def close(self) -> None:
        self.packer.close()


@contextmanager
def _publish_meanwhile(progress: Progress, scratch: Path) -> Iterator[Publish]:
    """Yield a function that publishes a shard, then writes its record, in the background.

    A disk takes its time to sync a shard, and a server to receive it, in which a core decodes
    hundreds of images. Where the pack ends early, waiting shards are not published, except after
    `TooManyRefused`: their refusals are part of the list then.
    """
    pending: deque[Future[None]] = deque()
    with ThreadPoolExecutor(1) as thread:

        def publish(name: str, record: ShardRecord) -> None:
            pending.append(thread.submit(_publish, progress, scratch, name, record))
            while pending and (pending[0].done() or len(pending) > _MAX_UNPUBLISHED):
                pending.popleft().result()

        try:
            yield publish
            for future in pending:
                future.result()
        except TooManyRefused:
            raise
        except BaseException:
            thread.shutdown(wait=False, cancel_futures=True)
            raise


def _publish(progress: Progress, scratch: Path, name: str, record: ShardRecord) -> None:
    if record.shard is not None:
        publish_shard(progress.storage, scratch, record.shard)
    progress.write(name, record)
