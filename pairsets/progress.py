"""Progress of long work, as its caller hears of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Step = Callable[[int, int], None]
# Makes a progress bar for a step of this name: called with what is done and what there is in all.
Progress = Callable[[str], AbstractContextManager[Step]]


def unheard(done: int, total: int) -> None:
    """A `Step` that nobody listens to."""


@contextmanager
def silent(_: str) -> Iterator[Step]:
    """A `Progress` that shows nothing."""
    yield unheard
