"""Vectors as `.fvecs` has them: each is its number of dimensions, int32, and as many float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairsets.errors import SourceError
from pairsets.sources.vectors.contents import Contents, Entry

# Of more a file is something else.
_MOST = 1 << 20


def read_fvecs(path: Path) -> Contents:
    """The vectors of a file, mapped into memory.

    Raises:
        SourceError: vectors of several lengths, a file that was cut short, or another kind.
    """
    size = path.stat().st_size
    if size < 8:
        raise SourceError(f"{path}: {size} bytes, which hold no vector")
    with path.open("rb") as stream:
        first = int(np.frombuffer(stream.read(4), "<i4")[0])
    if not 0 < first <= _MOST:
        raise SourceError(
            f"{path}: its first vector would have {first:,} dimensions; expected .fvecs, int32 D "
            "and D float32 for each vector, little-endian"
        )
    whole, rest = divmod(size, 4 * (first + 1))
    words: NDArray[Any] = np.memmap(path, "<i4", mode="r", shape=(whole, first + 1))
    other = np.flatnonzero(words[:, 0] != first)
    if other.size:
        row = int(other[0])
        raise SourceError(
            f"{path}: row {row} (counted from 0) has {int(words[row, 0]):,} dimensions, row 0 has "
            f"{first:,}; expected as many in each"
        )
    if rest:
        raise SourceError(
            f"{path}: {rest:,} bytes behind row {whole - 1} (counted from 0), where a vector of "
            f"{first:,} dimensions has {4 * (first + 1):,}; was it cut short?"
        )
    shape = (whole, first)
    return Contents(path, {"": Entry(shape, "float32", lambda: words.view("<f4")[:, 1:])})
