"""The file beside a database that is in use, `-wal`: whether the commits in it are all still there.

SQLite reads it up to the first page whose checksum is wrong, and takes the rest for a change that
was cut short. Where a disk spoilt a page in the middle, that would be verdicts that were
acknowledged, gone without a word. A change cut short is the last one, so that behind it no two
commits can stand.

The form is SQLite's own: https://www.sqlite.org/fileformat2.html#walformat
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

_HEADER, _FRAME = 32, 24
# Pages read at a time.
_FRAMES = 256
_MAGIC = (0x377F0682, 0x377F0683)
Words = NDArray[np.uint32]


def lost_commits(wal: Path) -> int:
    """Number of commits that SQLite would pass over for a damaged page; 0 where none is.

    A change cut short, by a kill or a full disk, is no damage. Where somebody writes meanwhile,
    what is read is of two moments, and the answer means nothing.
    """
    try:
        with wal.open("rb") as stream:
            header = stream.read(_HEADER)
            return _lost(header, stream) if len(header) == _HEADER else 0
    except FileNotFoundError:
        return 0


def _lost(start: bytes, stream: BinaryIO) -> int:
    header = np.frombuffer(start, ">u4").astype(np.uint32)
    magic, size = int(header[0]), int(header[2])
    if magic not in _MAGIC or not 512 <= size <= 65536 or size & (size - 1):
        # The header is on the disk before anything that follows.
        return int(bool(stream.read(1)))
    order = ">u4" if magic & 1 else "<u4"
    sums = _checksums(np.frombuffer(start[:24], order).astype(np.uint32)[None, :])[0]
    known, whole, behind = np.array_equal(sums, header[6:8]), True, 0
    step = _power((8 + size) // 8)
    # What is less than a page is the end of a change that was cut short.
    while (count := len(block := stream.read(_FRAMES * (_FRAME + size))) // (_FRAME + size)) > 0:
        rows = np.frombuffer(block, np.uint8, count * (_FRAME + size)).reshape(-1, _FRAME + size)
        heads = np.ascontiguousarray(rows[:, :_FRAME]).view(">u4").astype(np.uint32)
        # Pages of an earlier round bear other numbers; where the header is damaged, nobody knows.
        own = (heads[:, 2:4] == header[4:6]).all(axis=1) | (not known)
        good = 0
        if known and whole:
            summed = np.concatenate([rows[:, :8], rows[:, _FRAME:]], axis=1).view(order)
            parts = _checksums(summed.astype(np.uint32))
            while whole and good < count:
                sums = (step * sums[None, :]).sum(axis=1, dtype=np.uint32) + parts[good]
                whole = bool(own[good]) and np.array_equal(sums, heads[good, 4:6])
                good += whole
        behind += int((own & (heads[:, 1] != 0))[good:].sum())
    # One may be the end of a change that was cut short.
    return behind if behind > int(known) else 0


def _checksums(words: Words) -> Words:
    """SQLite's checksums `[N, 2]` of rows of words `[N, 2K]`, each begun with noughts.

    With every two words: s0 += x0 + s1, then s1 += x1 + s0; modulo 2**32.
    """
    factors = np.empty((words.shape[1] // 2, 2, 2), np.uint32)
    factor = np.array([[1, 0], [1, 1]], np.uint32)
    for at in reversed(range(len(factors))):
        factors[at] = factor
        factor = _next(factor)
    pairs = words.reshape(len(words), -1, 2)
    found = np.empty((len(words), 2), np.uint32)
    for row, one in enumerate(pairs):
        found[row] = (factors * one[:, None, :]).sum(axis=(0, 2), dtype=np.uint32)
    return found


def _next(matrix: Words) -> Words:
    """`matrix` after one more pair of words."""
    first = matrix[0] + matrix[1]
    return np.stack([first, first + matrix[1]])


def _power(count: int) -> Words:
    """Effect of `count` pairs of words on the sums before them."""
    matrix = np.eye(2, dtype=np.uint32)
    for _ in range(count):
        matrix = _next(matrix)
    return matrix
