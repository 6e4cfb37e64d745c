"""Progress of long work, as its caller hears of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Step = Callable[[int, int], None]
# Makes a progress bar for a step of this name: called with what is done and what there is in all.
Progress = Callable[[str], AbstractContextManager[Step]]


@contextmanager
def silent(_: str) -> Iterator[Step]:
    """A `Progress` that shows nothing."""
    yield lambda done, total: None
