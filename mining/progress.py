"""Progress bars on the terminal, for what takes longer than two seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from mining.run import Step

PATIENCE = 2.0


@contextmanager
def bar(title: str, patience: float = PATIENCE) -> Iterator[Step]:
    """A progress bar called `title` on stderr, shown once `patience` seconds have passed.

    It needs a terminal; elsewhere, in a log file say, nothing is drawn.
    """
    console = Console(stderr=True)
    begun = time.monotonic()
    shown: Progress | None = None
    task: TaskID | None = None

    def step(done: int, total: int) -> None:
        nonlocal shown, task
        if shown is None or task is None:
            if time.monotonic() - begun < patience or not console.is_terminal:
                return
            shown = Progress(
                TextColumn("{task.description:.44}"),
                BarColumn(bar_width=20),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=console,
            )
            shown.start()
            task = shown.add_task(title, total=total)
        shown.update(task, completed=done, total=total)

    try:
        yield step
    finally:
        if shown is not None:
            shown.stop()
