"""Digests of files, and of the rows of pair sets."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Paths = Sequence[str] | NDArray[np.object_]
# Paths whose text is held at a time.
_ROWS = 1 << 16


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def rows_digest(path_a: Paths, path_b: Paths, label: NDArray[np.int8]) -> str:
    """SHA-256 of the rows of a pair set, in their order, whatever was said of them.

    Args:
        path_a, path_b: of each row.
        label: `[N]`.
    """
    digest = hashlib.sha256()
    between = ""
    for side in (path_a, path_b):
        for first in range(0, len(side), _ROWS):
            # A path has no NUL: the texts cannot run into each other.
            digest.update((between + "\0".join([*side[first : first + _ROWS]])).encode())
            between = "\0"
    digest.update(np.ascontiguousarray(label).tobytes())
    return digest.hexdigest()
