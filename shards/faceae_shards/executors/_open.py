"""Choose an executor by its name."""

from collections.abc import Iterator
from contextlib import contextmanager

from ._cluster import AUTO, connected
from ._executor import Executor, ExecutorName, count_cpus
from ._local import LocalExecutor
from ._ray import RayExecutor


@contextmanager
def open_executor(
    name: ExecutorName,
    *,
    workers: int | None,
    address: str | None,
    preload: str,
    cpus_per_task: int = 1,
    use_gpus: bool = False,
) -> Iterator[Executor]:
    """Yield an executor that can be used until the block ends.

    Args:
        workers: processes, or tasks in flight on a Ray cluster. The default is the number of cores
            of this machine, or as many as the cluster has CPUs for.
        address: host:port of the Ray cluster's head, "auto" or "local". The default is "auto".
        preload: module that the local executor's processes need. It is loaded in the background.
        cpus_per_task: CPUs of the Ray cluster that each task has.
        use_gpus: whether each task has a GPU of the Ray cluster, if it has any.

    Raises:
        ShardsError: Ray is not installed, or no cluster answers at the address.
    """
    if name == "ray":
        with connected(address or AUTO):
            yield RayExecutor(max_in_flight=workers, cpus_per_task=cpus_per_task, use_gpus=use_gpus)
    else:
        executor = LocalExecutor(workers or count_cpus())
        executor.warm_up(preload)
        yield executor
