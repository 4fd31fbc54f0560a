"""Choose an executor by its name."""

from collections.abc import Iterator
from contextlib import contextmanager

from ._cluster import AUTO, connected
from ._executor import Executor, ExecutorName, count_cpus
from ._local import LocalExecutor
from ._ray import RayExecutor


@contextmanager
def open_executor(
    name: ExecutorName, *, workers: int | None, address: str | None, preload: str
) -> Iterator[Executor]:
    """Yield an executor that can be used until the block ends.

    Args:
        workers: processes, or tasks in flight on a Ray cluster. The default is the number of cores
            of this machine, or as many as the cluster has CPUs for.
        address: host:port of the Ray cluster's head, "auto" or "local". The default is "auto".
        preload: module that the local executor's processes need. It is loaded in the background.

    Raises:
        ShardsError: Ray is not installed, or no cluster answers at the address.
    """
    if name == "ray":
        with connected(address or AUTO):
            yield RayExecutor(max_in_flight=workers)
    else:
        executor = LocalExecutor(workers or count_cpus())
        executor.warm_up(preload)
        yield executor
