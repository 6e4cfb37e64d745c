"""Server of a review, for this machine's browsers or the network where that is asked for."""

from __future__ import annotations

import ipaddress
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pairsets.review.judgement.session import Review
from pairsets.review.store.verdicts import ReviewError
from pairsets.review.web.guard import LARGEST_HEADERS, Guard
from pairsets.review.web.limits import LIMITS, Limits

if TYPE_CHECKING:
    import uvicorn

PORT = 8765
# Connections taken at once, before one too many is seen to be one; and those that wait meanwhile.
_AT_ONCE, _WAITING = 32, 1024
# Files that are open beside connections: libraries, the database, pictures.
_OTHER_FILES = 64


def serve(
    review: Review,
    *,
    host: str = "127.0.0.1",
    port: int = PORT,
    allow_hosts: Iterable[str] = (),
    open_browser: bool = False,
    announce: Callable[[str], None],
    limits: Limits = LIMITS,
) -> None:
    """Serve `review` until Ctrl-C.

    Args:
        review: what to serve.
        host: address to listen on. Any but this machine's own loopback makes the link hold a token.
        port: to listen on; 0 takes a free one.
        allow_hosts: further names that the page may be opened by, as behind a proxy.
        open_browser: open the link here.
        announce: is given the link, once it can be opened.
        limits: of what clients hold that do not finish.

    Raises:
        ReviewError: the web framework is not installed, or the address cannot be listened on.
    """
    try:
        import uvicorn  # noqa: F401 - that it is there

        from pairsets.review.web.app import create_app
    except ImportError as error:
        missing = (error.name or str(error)).partition(".")[0]
        if missing == "pairsets":
            raise
        raise ReviewError(
            f"reviewing in a browser needs {missing}: pip install 'lookalikes[review]'"
        ) from None
    listening = _listen(host, port)
    try:
        address, bound = listening.getsockname()[:2]
        guard = Guard.of(host, address, allow_hosts)
        link = _link(address, bound, guard)

        def started() -> None:
            announce(link)
            if open_browser:
                # Some browsers return when they are closed.
                threading.Thread(target=webbrowser.open, args=(link,), daemon=True).start()

        running = server(create_app(review, guard=guard), limits, started)
        try:
            running.run(sockets=[listening])
        except KeyboardInterrupt:
            return
    finally:
        listening.close()


def server(
    app: Callable[..., Any], limits: Limits, started: Callable[[], None] = lambda: None
) -> uvicorn.Server:
    """Server of `app` that sheds who does not finish; `started` is called once it answers."""
    import uvicorn

    from pairsets.review.web.connections import connections

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            # For asyncio `backlog` is both, those that wait and those that it takes at once.
            for listening in sockets or ():
                listening.listen(_WAITING)
            started()

    return Server(
        uvicorn.Config(
            app,
            loop="asyncio",
            http=connections(_within_files(limits)),
            h11_max_incomplete_event_size=LARGEST_HEADERS,
            backlog=_AT_ONCE,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            # What a proxy says of who asks is not looked at.
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=limits.idle_s,  # type: ignore[arg-type] # seconds, to asyncio
            timeout_graceful_shutdown=limits.last_s,  # type: ignore[arg-type] # likewise
        )
    )


def _within_files(limits: Limits) -> Limits:
    """Limits with no more connections than this process may have files open.

    A server that cannot open one more cannot take the connection for which another would make room.
    And asyncio tries as often as it was to take connections at once, reports each failure, and a
    second later goes on for each of them: which keeps a core busy.
    """
    try:
        import resource
    except ImportError:  # Windows, where there is no such limit
        return limits
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if most == resource.RLIM_INFINITY:
        return limits
    # Of those taken at once some are not closed yet when the next are taken.
    room = max(most - _OTHER_FILES - 4 * _AT_ONCE, _AT_ONCE)
    return replace(limits, connections=min(limits.connections, room))


def _listen(host: str, port: int) -> socket.socket:
    """Socket that listens on `host` and `port`."""
    if not 0 <= port <= 65535:
        raise ReviewError(f"port {port}; expected 1 to 65535, or 0 for a free one")
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError):
        raise ReviewError(f"--host {host}: no address of this machine") from None
    # With the protocol named, asyncio sends small packets at once; else an answer takes 40 ms more.
    found = socket.socket(family, kind, protocol)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(where)
        found.listen(128)
    except OSError as error:
        found.close()
        raise ReviewError(
            f"{host}, port {port}: cannot be listened on ({error.strerror or error}); is a review "
            "running there already? Name another --port, or 0 for a free one"
        ) from None
    return found


def _link(address: str, port: int, guard: Guard) -> str:
    """Link that opens the page."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    shown = _own_address(ip.version) if ip.is_unspecified else str(ip)
    place = f"[{shown}]" if ":" in shown else shown
    token = f"?token={guard.token}" if guard.token else ""
    return f"http://{place}:{port}/{token}"


def _own_address(version: int) -> str:
    """The address that the network has for this machine; nothing is sent to find it."""
    family, there = (
        (socket.AF_INET, "192.0.2.1") if version == 4 else (socket.AF_INET6, "2001:db8::1")
    )
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((there, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return socket.gethostname()
