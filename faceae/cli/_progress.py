"""Progress bars on stderr: on a terminal, and at the end of a stage elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from ._watching import find_watch


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} img/s" if speed else "")


@contextmanager
def show_image_progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar with images per second; yield a function that receives (done, total).

    Nothing is shown before its first call, so that an early error is the only output.
    """
    with show_stage_progress() as show:
        yield lambda done, total: show(title, done, total)


@contextmanager
def show_download_progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar with bytes per second, as `show_image_progress` does with images."""
    with _show_progress(DownloadColumn(), TransferSpeedColumn()) as show:
        yield lambda done, total: show(title, done, total)


def show_stage_progress() -> AbstractContextManager[Callable[[str, int, int], None]]:
    """Show a bar with images per second for each stage.

    Yields a function that receives (stage, done, total).
    """
    return _show_progress(MofNCompleteColumn(), _RateColumn())


@contextmanager
def _show_progress(*columns: ProgressColumn) -> Iterator[Callable[[str, int, int], None]]:
    watch = find_watch()
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        *columns,
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=watch.is_quiet,
    )
    tasks: dict[str, TaskID] = {}

    def show(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            progress.start()
            watch.has_bar = True
            tasks[stage] = progress.add_task(stage, total=total)
        progress.update(tasks[stage], completed=done)
        watch.note_count(stage, done, total)

    try:
        yield show
    finally:
        if tasks:
            progress.stop()
            watch.has_bar = False
