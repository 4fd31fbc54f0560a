"""What a verb prints on stderr while it works: log lines, and a line every half minute.

Libraries log at DEBUG the stage that they begin, such as "calibrating int8". `-v` prints these
lines. Otherwise a stage is printed only if it lasts, and no bar shows it. Imports of large packages
last, too, on a slow machine; they are no stages, and are found where a line is due.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import click

_KEY = "faceae.watch"
_LOGGERS = ("faceae", "faceae_shards", "faceae_export")
_INTERVAL_S = 30.0
"""Longest silence. Work that ends sooner prints no line."""


class Watch:
    """Prints the log lines of one command, and what it does when it is silent for long.

    A context manager; its end restores the loggers.
    """

    def __init__(self, level: int, translate: Callable[[str], str] = str) -> None:
        """Prepare, without any effect.

        Args:
            level: lowest level of log lines to print. Above WARNING there are no lines but errors.
            translate: puts options in the place of parameters in a log line.
        """
        self.level = level
        self.is_terminal = sys.stderr.isatty()
        self.has_bar = False
        """Whether a progress bar is shown."""
        self.on_stage: Callable[[str], None] = lambda stage: None
        """Receives each stage that begins, from any thread."""
        self._describe: Callable[[], str] = lambda: "working"
        self._start = self._last = time.monotonic()
        self._printer = _Printer(self.tell, translate, level)
        self._collector = _Collector(self._begin)
        self._before: dict[str, tuple[int, bool]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing but errors and results is printed."""
        return self.level > logging.WARNING

    def __enter__(self) -> Self:
        for name in _LOGGERS:
            logger = logging.getLogger(name)
            logger.addHandler(self._printer)
            logger.addHandler(self._collector)
            self._before[name] = logger.level, logger.propagate
            logger.setLevel(logging.DEBUG)
            # A library may give the root logger a handler, which would print every stage.
            logger.propagate = False
        if not self.is_quiet:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop_heartbeat()
        for name, (level, propagate) in self._before.items():
            logger = logging.getLogger(name)
            logger.setLevel(level)
            logger.propagate = propagate
            logger.removeHandler(self._printer)
            logger.removeHandler(self._collector)

    def note(self, describe: Callable[[], str]) -> None:
        """Note what the command does now. `describe` is called only if a line is due."""
        self._describe = describe

    def note_count(self, stage: str, done: int, total: int) -> None:
        """Note how much of a stage is done."""
        share = f" ({done / total:.0%})" if total else ""
        self.note(lambda: f"{stage}: {done:,} of {total:,}{share}")

    def tell(self, text: str) -> None:
        """Print a line on stderr, unless the command is quiet."""
        self._last = time.monotonic()
        if not self.is_quiet:
            click.echo(text, err=True)

    def stop_heartbeat(self) -> None:
        """Print no more lines about stages that last."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def silence(self) -> None:
        """Print nothing but errors from now on."""
        self.stop_heartbeat()
        self.level = logging.ERROR
        self._printer.setLevel(logging.ERROR)

    def _begin(self, stage: str) -> None:
        self._describe = lambda: stage
        self.on_stage(stage)

    def _beat(self) -> None:
        while not self._ended.wait(self._last + _INTERVAL_S - time.monotonic()):
            now = time.monotonic()
            if now - self._last < _INTERVAL_S:
                continue
            self._last = now
            if not (self.is_terminal and self.has_bar):
                minutes, seconds = divmod(int(now - self._start), 60)
                stage = describe_import() or self._describe()
                self.tell(f"{stage}, {minutes}:{seconds:02} since the start")


class _Printer(logging.Handler):
    def __init__(
        self, tell: Callable[[str], None], translate: Callable[[str], str], level: int
    ) -> None:
        super().__init__(level)
        self._tell, self._translate = tell, translate

    def emit(self, record: logging.LogRecord) -> None:
        text = self._translate(self.format(record))
        # `tell` is silent where errors are still to be printed.
        click.echo(text, err=True) if record.levelno >= logging.ERROR else self._tell(text)


class _Collector(logging.Handler):
    def __init__(self, begin: Callable[[str], None]) -> None:
        super().__init__(logging.DEBUG)
        self._begin = begin

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.DEBUG:
            self._begin(record.getMessage())


def describe_import() -> str | None:
    """Say which package the main thread imports; None where it imports none of others."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    package: str | None = None
    while frame is not None:
        code = frame.f_code
        if code.co_name == "_find_and_load" and "importlib" in code.co_filename:
            name = str(frame.f_locals.get("name", "")).partition(".")[0]
            # The last one found is the outermost: torch, and not what torch imports.
            package = package if name.startswith("faceae") else name
        frame = frame.f_back
    return f"loading {package}" if package else None


@contextmanager
def watching(
    context: click.Context, level: int, translate: Callable[[str], str]
) -> Iterator[Watch]:
    """Watch a command until the block ends. `find_watch` finds the watch meanwhile."""
    with Watch(level, translate) as watch:
        context.meta[_KEY] = watch
        yield watch


def find_watch() -> Watch:
    """Return the watch of the command that runs in this thread; outside of one, an idle watch."""
    context = click.get_current_context(silent=True)
    watch: Watch | None = context.meta.get(_KEY) if context else None
    return watch or Watch(logging.WARNING)
