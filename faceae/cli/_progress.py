"""Progress bars on stderr."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

if TYPE_CHECKING:
    from faceae.data import Batch, Loader


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} img/s" if speed else "")


def show_image_progress(title: str) -> AbstractContextManager[Callable[[int, int], None]]:
    """Show a bar with images a second; yield the function that receives (done, total).

    Nothing is shown before its first call, so that an early error stands alone.
    """
    return _show_progress(title, MofNCompleteColumn(), _RateColumn())


def show_download_progress(title: str) -> AbstractContextManager[Callable[[int, int], None]]:
    """Show a bar with bytes a second, as `show_image_progress` does with images."""
    return _show_progress(title, DownloadColumn(), TransferSpeedColumn())


@contextmanager
def _show_progress(title: str, *columns: ProgressColumn) -> Iterator[Callable[[int, int], None]]:
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        *columns,
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )

    def show(done: int, total: int) -> None:
        if not progress.tasks:
            progress.start()
            progress.add_task(title, total=total)
        progress.update(progress.tasks[0].id, completed=done)

    try:
        yield show
    finally:
        if progress.tasks:
            progress.stop()


def report_batches(loader: "Loader", show: Callable[[int, int], None]) -> "Iterator[Batch]":
    """Yield the batches of an evaluation loader, and tell `show` how many images are done."""
    done = 0
    for batch in loader:
        yield batch
        done += batch.num_valid
        show(done, loader.num_samples)
