"""Digests of files, and of the rows of pair sets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def rows_digest(path_a: Iterable[str], path_b: Iterable[str], label: NDArray[np.int8]) -> str:
    """SHA-256 of the rows of a pair set, in their order, whatever was said of them.

    Args:
        path_a, path_b: of each row.
        label: `[N]`.
    """
    # A path has no NUL: the texts cannot run into each other.
    text = "\0".join([*path_a, *path_b])
    return hashlib.sha256(text.encode() + np.ascontiguousarray(label).tobytes()).hexdigest()
