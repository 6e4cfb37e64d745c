"""Progress of what takes longer than some seconds: a bar on a terminal, elsewhere lines."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
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

from mining.cli.progress_lines import lines
from pairsets.progress import Step, unheard

PATIENCE = 2.0
# Of the environment: 0 shows no progress, for a scheduler that mails whatever is printed.
SETTING = "LOOKALIKES_PROGRESS"


@contextmanager
def bar(
    title: str,
    patience: float = PATIENCE,
    console: Console | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Step]:
    """Progress of a step called `title` on stderr: a bar, once `patience` seconds have passed.

    Work that never reports a step gets a bar that only moves. Where there is no terminal, in a log
    file say, lines are written now and then (`mining.cli.progress_lines`), by that clock.
    """
    console = console or Console(stderr=True)
    if os.environ.get(SETTING) == "0":
        yield unheard
    elif console.is_terminal and not console.is_dumb_terminal:
        with _bar(title, patience, console) as step:
            yield step
    else:

        def write(line: str) -> None:
            console.file.write(line)
            console.file.flush()

        with lines(title, write, clock) as told:
            yield told


@contextmanager
def _bar(title: str, patience: float, console: Console) -> Iterator[Step]:
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
    timer.start()
    try:
        yield lambda done, total: progress.update(task, completed=done, total=total)
    finally:
        timer.cancel()
        timer.join()  # else it could start the bar after it was stopped
        if progress.live.is_started:
            progress.stop()
