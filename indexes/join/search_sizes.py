"""Sizes of a search: rows of its tiles, and room for its copies."""

from __future__ import annotations

from collections.abc import Sequence

from indexes.base import IndexesError, Rows
from indexes.join.best import Best
from indexes.join.checkpoint import Ledger
from indexes.join.job import Crew
from indexes.join.options import SearchOptions
from indexes.join.tiles import BLOCK
from indexes.memory import MIB, Room

_SIDE = 2048
# Bytes of all threads' tiles: up to six a pair.
_BUFFERS = 2**29
# Bytes that a search needs for each row beside copies: norms, orders, groups, and what sorts them.
_A_ROW = 120
# Bytes that a pair takes while it may still be among the best, in all places it is held.
_A_PAIR = 160


def tile_side(
    count: int, threads: int, devices: Sequence[str], crew: Crew | None, memory: int | None
) -> int:
    """Rows of a tile: large ones waste less, small ones leave more for all threads to share."""
    if devices:
        from indexes.join.cuda import side

        return min(side(devices), max(BLOCK, -(-count // (4 * len(devices)))))
    if crew is not None and crew.device is not None:
        from indexes.join.cuda import SIDE

        return min(SIDE, max(BLOCK, -(-count // 4)))
    most = _BUFFERS if memory is None else min(_BUFFERS, memory // 8)
    return _SIDE if count >= 8 * _SIDE and threads * 6 * _SIDE**2 <= most else BLOCK


def room_for(
    best: Best, order: Rows, how: SearchOptions, memory: int | None, area: int, ledger: Ledger
) -> Room:
    """Room for copies below the memory allowed, beside tiles of `area` products in all.

    Raises:
        IndexesError: not even two tiles' rows fit beside what the search holds.
    """
    folder = None if ledger.path is None else ledger.path.parent
    reserved = 6 * area + len(order) * _A_ROW + _A_PAIR * min(best.n, best.spare)
    room, width = Room(memory, folder, reserved), best.vectors.shape[1]
    # The rows of two tiles, in both precisions; others that search have their own memory.
    least = 0 if how.crew is not None else 2 * int(area**0.5) * width * 6
    if memory is not None and room.free is not None and not room.fits(least):
        raise IndexesError(
            f"{memory // MIB:,} MiB of memory: a search of {len(order):,} vectors of {width} needs "
            f"{_up_to(memory - room.free + least):,} MiB, with what this process holds already; "
            "allow that, or use fewer threads (OMP_NUM_THREADS=1)"
        )
    return room


def _up_to(size: int) -> int:
    """MiB that hold so many bytes."""
    return -(-size // MIB)
