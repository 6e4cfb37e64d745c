"""Limits of a review's clients: how long each may take, and how many may be there."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from pairsets.review.store.verdicts import ReviewError


@dataclass(frozen=True)
class Limits:
    """Limits on what clients that never finish may hold, and for how long.

    Seconds count from the beginning of what is limited to its end: who sends a byte now and then
    gains no time by it. All are far above what people need, with a telephone on a bad line, too.

    Attributes:
        headers_s: seconds for the first line and the headers of a request; a connection on which
            nothing was asked yet has as long.
        body_s: seconds for the body of a request.
        answer_s: seconds for taking an answer that is ready.
        idle_s: seconds between an answer and the next request of the same connection. Who looks
            at a pair for minutes finds the connection still open.
        connections: that are open at one time. One more, and one that has been unfinished, or
            idle, for long makes room for it.
        parting_s: seconds that a client has to hear the answer before a connection is closed on
            which it is still sending: what arrives at a closed one makes its system throw away
            the answer that it had.
        last_s: seconds that what is on its way at Ctrl-C may still take to arrive.

    Raises:
        ReviewError: a limit that is no positive, finite number.
    """

    headers_s: float = 20
    body_s: float = 60
    answer_s: float = 300
    idle_s: float = 120
    connections: int = 256
    parting_s: float = 2
    last_s: float = 2

    def __post_init__(self) -> None:
        for one in fields(self):
            limit = getattr(self, one.name)
            if not (limit > 0 and math.isfinite(limit)):
                raise ReviewError(f"{one.name} {limit}; expected a positive number")


LIMITS = Limits()
