"""Progress bars on the terminal, for what takes longer than two seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from pairsets.progress import Step

PATIENCE = 2.0


@contextmanager
def bar(title: str, patience: float = PATIENCE, console: Console | None = None) -> Iterator[Step]:
    """A progress bar called `title` on stderr, shown once `patience` seconds have passed.

    Work that never reports a step gets a bar that only moves. It needs a terminal; elsewhere, in
    a log file say, nothing is drawn.
    """
    console = console or Console(stderr=True)
    progress = Progress(
        TextColumn("{task.description:.44}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )
    task = progress.add_task(title, total=None)
    # By a timer, since the work may not report anything for longer than that.
    timer = Timer(patience, progress.start)
    timer.daemon = True
    if console.is_terminal:
        timer.start()
    try:
        yield lambda done, total: progress.update(task, completed=done, total=total)
    finally:
        timer.cancel()
        if timer.ident is not None:
            timer.join()  # else it could start the bar after it was stopped
        if progress.live.is_started:
            progress.stop()
