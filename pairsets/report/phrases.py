"""Numbers and names as the page prints them."""

from __future__ import annotations

import re
from math import isfinite
from typing import TypeGuard

from markupsafe import Markup

from pairsets.evaluation.intervals import Interval
from pairsets.tables.leaderboard import percent

MINUS = "\u2212"
# Letters that a line of a phone, or the first column of a table, holds.
LONGEST_PART = 32


def share(value: float | None) -> str:
    """Text of a share in percent; of one that is not known, "N/A".

    >>> share(0.139), share(float("nan"))
    ('13.9', 'N/A')
    """
    return percent(value if value is not None and isfinite(value) else None)


def decimal_bounds(interval: Interval | None, digits: int) -> str:
    """Text of an interval of plain numbers.

    >>> decimal_bounds(Interval(-0.5, 0.25), 2)
    '[−0.50, 0.25]'
    """
    if not is_known(interval):
        return ""
    return f"[{interval.low:.{digits}f}, {interval.high:.{digits}f}]".replace("-", MINUS)


def is_known(interval: Interval | None) -> TypeGuard[Interval]:
    """Whether both ends are there."""
    return interval is not None and isfinite(interval.low) and isfinite(interval.high)


def points(difference: float) -> str:
    """Text of a difference of shares in percentage points, with its sign.

    >>> points(-0.024), points(0.31), points(1e-18)
    ('−2.40', '+31.0', '0.00')
    """
    size = abs(difference)
    if size < 5e-7:
        return "0.00"
    return f"{MINUS if difference < 0 else '+'}{percent(size)}"


def p_value(p: float) -> str:
    """
    >>> p_value(0.00004), p_value(0.0312), p_value(1.0)
    ('< 0.001', '0.031', '1')
    """
    if p < 0.001:
        return "< 0.001"
    return f"{p:.3f}" if p < 0.9995 else "1"


def score(value: float) -> str:
    """Text of a score or a threshold, which may be infinite."""
    from pairsets.figures import format_score

    return format_score(value).replace("inf", "\u221e").replace("-", MINUS)


def breakable(name: str) -> Markup:
    """Name with places to break a line after `_`, `/` and `-`."""
    return Markup("<wbr>").join(re.split(r"(?<=[_/-])(?=.)", name))


def unbroken(name: str) -> Markup:
    """Name that breaks between its parts (`family:`, `organisation/`), and not within one.

    A part longer than a cell of a phone is wide breaks where it must.

    >>> unbroken("timm:tf_lite0")
    Markup('<span class="part">timm:</span><span class="part">tf_lite0</span>')
    """
    part = Markup('<span class="part{}">{}</span>')
    parts = re.split(r"(?<=[:/@])(?=.)", name)
    return Markup("").join(
        part.format(" long" if len(one) > LONGEST_PART else "", one) for one in parts
    )


def listed(names: list[str], most: int = 4) -> str:
    """Names joined in a sentence; of many the first ones and how many more.

    >>> listed(["A"]), listed(["A", "B", "C"]), listed(["A", "B", "C", "D"], most=2)
    ('A', 'A, B and C', 'A, B and 2 more')
    """
    if len(names) > most:
        names = [*names[:most], f"{len(names) - most} more"]
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
