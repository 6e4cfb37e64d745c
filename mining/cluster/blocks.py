"""Blocks of rows that a join on a cluster is cut into."""

from __future__ import annotations

import math

# Shares for each one who can search at once, so that none waits long for the last of them.
SHARES_EACH = 24
# Rows of a block at most: what one who searches holds of the vectors is a few blocks.
LARGEST = 65_536


def block_rows(count: int, workers: float, side: int) -> int:
    """Rows of a block: enough shares for all who search, none too large for one of them.

    Args:
        count: of the vectors.
        workers: who search at once.
        side: rows of a tile, of which a block is a multiple.

    >>> block_rows(100_000, 2, 2048), block_rows(11_000_000, 512, 2048)
    (10240, 65536)
    """
    blocks = math.ceil(math.sqrt(2 * SHARES_EACH * max(1.0, workers)))
    rows = min(LARGEST, math.ceil(count / blocks))
    return max(side, math.ceil(rows / side) * side)
