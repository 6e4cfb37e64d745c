"""Connections that end: who never finishes a request, or never takes an answer, is shed.

Of this uvicorn does two things itself, and is told so in `serve`: it closes a connection on which
nothing was asked for a while after an answer, and refuses headers that do not end. It has no limit
of time on a request that has begun, nor on an answer that nobody takes; and its limit of
connections (`limit_concurrency`) answers 503 to whoever comes last, who is the one that judges.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import Any, ClassVar, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from pairsets.review.web.guard import LET_IN
from pairsets.review.web.limits import LIMITS, Limits

# Bytes of one body as they come, with what wraps its chunks, and of what is thrown away at parting.
LARGEST_RAW_BODY = 2**20


class Phase(Enum):
    """Phase of a connection: whom or what it waits for."""

    HEADERS = auto()  # the client's next headers, or their rest
    BODY = auto()  # the rest of the client's body
    ANSWER = auto()  # us
    TAKING = auto()  # the client to take what is sent
    IDLE = auto()  # the client's next request, of which nothing is there
    PARTING = auto()  # the client to hear that this is the end
    GONE = auto()


class Connection(H11Protocol):
    """A connection to one client, which ends when the client does not finish in time.

    Attributes:
        limits: for all connections of a server.
        phase: what is waited for.
        since: when the phase began, on the event loop's clock.
    """

    limits: ClassVar[Limits] = LIMITS

    phase = Phase.HEADERS
    since = 0.0
    _end: asyncio.TimerHandle | None = None
    # Bytes of the next request are there.
    _begun = True
    # Bytes of an answer wait for the client to take them.
    _untaken = False
    _raw_body = 0
    _known = False

    @property
    def known(self) -> bool:
        """Whether a request on it was let in by its token."""
        if self.scope is not None and cast("dict[str, Any]", self.scope)["state"].get(LET_IN):
            self._known = True
        return self._known

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take another client; where that is one too many, a connection is shed."""
        # With no room for bytes that wait, `pause_writing` tells of the first and
        # `resume_writing` of the last.
        transport.set_write_buffer_limits(0)
        super().connection_made(_Transport(transport, self))
        self._enter(Phase.HEADERS)
        if len(self.connections) > self.limits.connections:
            self._shed_one()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the client is gone, or was sent away."""
        self._enter(Phase.GONE)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take the client's next bytes."""
        if self.phase in (Phase.BODY, Phase.PARTING):
            self._raw_body += len(data)
            if self._raw_body > LARGEST_RAW_BODY:
                self.end()
                return
        if self.phase is Phase.PARTING:
            return
        self._begun = True
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Note that an answer is given, if not yet taken."""
        _ = self.known  # the scope will be the next request's
        if self.conn.their_state is h11.SEND_BODY:
            # Answered without its body, which nobody will read.
            self.part()
            return
        super().on_response_complete()
        self._begun = bool(self.conn.trailing_data[0])
        self._look()

    def pause_writing(self) -> None:
        """Note that bytes wait for the client to take them."""
        super().pause_writing()
        self._untaken = True
        self._look()

    def resume_writing(self) -> None:
        """Note that the client took all."""
        super().resume_writing()
        self._untaken = False
        self._look()

    def shutdown(self) -> None:
        """End the connection, as the server stops."""
        if self.phase is Phase.PARTING:
            self.end()
        else:
            super().shutdown()

    def part(self) -> None:
        """Close the connection; where the client is still sending, once it could hear why."""
        transport = cast("_Transport", self.transport)
        if self.phase is Phase.PARTING:
            return
        sending = self.conn.their_state in (h11.SEND_BODY, h11.ERROR)
        if self.phase is Phase.GONE or not sending:
            transport.close_now()
            return
        self._enter(Phase.PARTING)
        self._raw_body = 0
        transport.write_eof()
        self.flow.resume_reading()

    def end(self) -> None:
        """Close the connection at once; what was not taken is thrown away."""
        self._enter(Phase.GONE)
        self.transport.abort()

    def _shed_one(self) -> None:
        """End another connection: of the older half, the one that has been unfinished for longest.

        Where all of those are idle, the one that is so for longest. The newer half stays, so that
        nobody is ended by the next who comes while the headers are on their way; who waits for us
        stays; and who has the token does while somebody else is there. Without any such, this one
        goes.
        """
        others = cast("set[Connection]", self.connections) - {self}
        open_ = [one for one in others if one.phase is not Phase.GONE]
        if len(open_) < self.limits.connections:
            return
        found = [one for one in open_ if one.phase is not Phase.ANSWER]
        found = [one for one in found if not one.known] or found or [self]
        found.sort(key=lambda one: one.since)
        older = found[: (len(found) + 1) // 2]
        min(older, key=lambda one: one.phase is Phase.IDLE).end()

    def _look(self) -> None:
        """Find the phase that the connection is in now."""
        if self.phase in (Phase.PARTING, Phase.GONE):
            return
        theirs = self.conn.their_state
        if self._untaken:
            phase = Phase.TAKING
        elif theirs is h11.SEND_BODY:
            phase = Phase.BODY
        elif theirs is h11.IDLE:
            phase = Phase.HEADERS if self._begun else Phase.IDLE
        else:
            phase = Phase.ANSWER
        if phase is not self.phase:
            self._raw_body = 0
            self._enter(phase)

    def _enter(self, phase: Phase) -> None:
        """Begin a phase, and its limit of time."""
        self.phase, self.since = phase, self.loop.time()
        if self._end is not None:
            self._end.cancel()
        limits = self.limits
        # Uvicorn ends what is idle.
        seconds = {
            Phase.HEADERS: limits.headers_s,
            Phase.BODY: limits.body_s,
            Phase.TAKING: limits.answer_s,
            Phase.PARTING: limits.parting_s,
        }.get(phase)
        self._end = None if seconds is None else self.loop.call_later(seconds, self.end)


class _Transport(asyncio.Transport):
    """The connection's bytes, whose closing is the connection's affair."""

    def __init__(self, inner: asyncio.Transport, connection: Connection) -> None:
        super().__init__()
        self._inner, self._connection = inner, connection

    def close(self) -> None:
        self._connection.part()

    def is_closing(self) -> bool:
        return self._connection.phase is Phase.PARTING or self._inner.is_closing()

    def close_now(self) -> None:
        self._inner.close()

    def abort(self) -> None:
        self._inner.abort()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._inner.write(data)

    def write_eof(self) -> None:
        self._inner.write_eof()

    def pause_reading(self) -> None:
        self._inner.pause_reading()

    def resume_reading(self) -> None:
        self._inner.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._inner.get_extra_info(name, default)


def connections(limits: Limits) -> type[Connection]:
    """The protocol of a server's connections, with its limits."""
    return type("LimitedConnection", (Connection,), {"limits": limits})
