"""Fill a `Best` from all tiles by numpy alone: small jobs are done before torch has started."""

from __future__ import annotations

from collections.abc import Callable

from indexes.base import Rows
from indexes.join.best import Best
from indexes.join.bounds import norms
from indexes.join.checkpoint import Ledger
from indexes.join.spaces import Space, space_of
from indexes.join.tiles import BLOCK, Plain

Report = Callable[[int], None]


def search_plain(best: Best, order: Rows, tile: int | None, report: Report, ledger: Ledger) -> None:
    """Fill `best` by numpy, tile by tile."""
    fresh = ledger.order is None
    if ledger.order is None:
        ledger.order, ledger.side = order, tile or BLOCK
    plain = Plain(best, ledger.order, norms(best.vectors))
    space = space_of(ledger.order, best.rules.split)
    if fresh:
        _seed_plain(plain, space)
    tiles = space.tiles(ledger.side)
    waiting, done = ledger.plan(ledger.order, ledger.side, tiles)
    report(done)
    with ledger.kept():
        for number in waiting.tolist():
            part = tiles[number]
            ledger.commit(number, plain.search(part))
            # First, as it may refuse what was searched: that is not to be kept.
            report(part.pairs)
            ledger.keep()


def _seed_plain(plain: Plain, space: Space) -> None:
    """Raise the threshold by a small block, lest a large one be held whole."""
    best = plain.best
    corner = space.corner(4 * best.n)
    if corner is None:
        return
    trial = Best(best.vectors, best.n, best.rules)
    seeding = Plain(trial, plain.order, plain.lengths)
    for found in seeding.search(corner):
        trial.take(found)
    if trial.is_full():
        best.raise_to(trial.threshold)
