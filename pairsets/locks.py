"""A file or folder that one process holds alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def lock(handle: int) -> bool:
    """Take an open file for this process alone until it is closed; whether no other has it.

    Windows has no flock: there two runs on one file are not kept apart.
    """
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def exclusive(folder: Path, busy: Exception) -> Iterator[None]:
    """Hold `folder`, which is made, alone; raises `busy` where another process has it."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.name == "nt":  # where a folder cannot be opened
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        if not lock(handle):
            raise busy
        yield
    finally:
        os.close(handle)
