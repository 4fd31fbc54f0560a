"""Progress bars on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} img/s" if speed else "")


@contextmanager
def show_image_progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar with images a second; yield the function that receives (done, total).

    Nothing is shown before its first call, so that an early error stands alone.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeRemainingColumn(),
    )
    progress = Progress(*columns, console=Console(stderr=True))

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
