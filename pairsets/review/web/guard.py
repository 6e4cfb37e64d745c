"""Guard of a review: one check of every request, before anything else looks at it."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import logging
import secrets
import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from pairsets.review.store.verdicts import ReviewError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = dict[str, list[str]]

PAGES = ("/", "/history", "/disagreements", "/agreement", "/people")
LARGEST_HEADERS = 16 * 1024
LARGEST_BODY = 64 * 1024
# In the state of a request that its token let in: the server keeps its connection before others'.
LET_IN = "lookalikes.let_in"
# Nothing from elsewhere, and no page elsewhere may hold, read or send to ours.
POLICY = (
    "default-src 'none'; img-src 'self'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
}
_LOG = logging.getLogger(__name__)
_NO_TOKEN = (
    "this review is open to those who have its link: use the whole link that was shown when it "
    "was started, with the token in it"
)


@dataclass(frozen=True)
class Guard:
    """Rules of who may ask: names and addresses of hosts, and a token.

    Attributes:
        hosts: names and addresses, lower case, that the page may be opened by.
        any_address: every IP address is one of them, as where all interfaces are listened on.
            A page elsewhere can have its own *name* lead here, an address it cannot.
        token: what the link must hold; None where everybody on this machine may ask.
    """

    hosts: frozenset[str] = frozenset({"localhost", "127.0.0.1", "::1"})
    any_address: bool = False
    token: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, host: str, address: str, allowed: Iterable[str] = ()) -> Guard:
        """Guard of a server that listens on `address`, an IP address asked for as `host`.

        Raises:
            ReviewError: a name in `allowed` that is none.
        """
        ip = ipaddress.ip_address(address.partition("%")[0])
        hosts = {*cls.hosts, str(ip)}
        # By a further name others reach the page, through a proxy: from its own machine, too.
        further = {_name(one) for one in allowed} - hosts
        hosts |= further
        if host:
            hosts.add(_name(host))
        if ip.is_unspecified:
            own = socket.gethostname().lower()
            hosts |= {own, own.partition(".")[0], f"{own.partition('.')[0]}.local"}
        token = None if ip.is_loopback and not further else secrets.token_urlsafe(24)
        return cls(frozenset(hosts), any_address=ip.is_unspecified, token=token)

    @property
    def cookie(self) -> str:
        """Name of the cookie: one browser may visit several reviews of one machine."""
        return "lookalikes-" + hashlib.sha256((self.token or "").encode()).hexdigest()[:12]

    def knows(self, host: str) -> bool:
        """Whether the page may be opened by this `Host`, with or without a port."""
        name = _host_of(host)
        if name is None:
            return False
        if name in self.hosts:
            return True
        try:
            ip = ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.any_address or str(ip) in self.hosts

    def opens(self, given: str | None) -> bool:
        """Whether this is the token."""
        if self.token is None:
            return True
        return given is not None and hmac.compare_digest(given.encode(), self.token.encode())


class Refusal(Exception):  # noqa: N818 - an answer, which no caller sees
    """Answer that is given instead of the app's."""

    def __init__(self, status: int, error: str, code: str) -> None:
        super().__init__(error)
        self.status, self.error, self.code = status, error, code


class GuardMiddleware:
    """Refuses what `guard` does not let in, limits bodies, and gives every answer its headers.

    Who is let in is found from the headers alone: until then nothing of the body is waited for, and
    nothing behind the guard is asked.
    """

    def __init__(self, app: App, guard: Guard) -> None:
        self.app, self.guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        begun = False

        async def guarded(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message = {**message, "headers": _with_headers(scope, message.get("headers", []))}
            await send(message)

        try:
            if not await self._let_in(scope, guarded):
                return
            if self.guard.token is not None:
                scope.setdefault("state", {})[LET_IN] = True
            body = await _body(scope, receive)
            await self.app(scope, _again(body, receive), guarded)
        except Refusal as refusal:
            await _answer(guarded, refusal.status, {"error": refusal.error, "code": refusal.code})
        except Exception:
            _LOG.exception("%s %s failed", scope["method"], scope["path"])
            if begun:
                raise
            problem = {"error": "the server failed at this; its terminal says how"}
            await _answer(guarded, 500, {**problem, "code": "failed"})

    async def _let_in(self, scope: Scope, send: Send) -> bool:
        """Whether to go on; False where the answer is given."""
        _refuse_long(scope)
        headers = _headers(scope)
        host = _only(headers, "host")
        if host is None or not self.guard.knows(host):
            raise Refusal(
                403,
                "the page was opened by a name that is not this server's; use the link that was "
                "shown when it was started, or allow the name with --allow-host",
                "wrong_host",
            )
        _refuse_others(scope, headers, host)
        if self.guard.token is None:
            return True
        if any(map(self.guard.opens, _cookies(headers, self.guard.cookie))):
            return True
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        tokens = [value for name, value in query if name == "token"]
        if scope["method"] == "GET" and len(tokens) == 1 and self.guard.opens(tokens[0]):
            path = scope["path"] if scope["path"] in PAGES else "/"
            rest = urlencode([pair for pair in query if pair[0] != "token"])
            await self._welcome(send, headers, f"{path}?{rest}" if rest else path)
            return False
        raise Refusal(403, _NO_TOKEN, "no_token")

    async def _welcome(self, send: Send, headers: Headers, there: str) -> None:
        """Make the token a cookie, and take it from the address."""
        cookie = f"{self.guard.cookie}={self.guard.token}; HttpOnly; SameSite=Strict; Path=/"
        found = {"set-cookie": cookie, "cache-control": "no-store"}
        if _only(headers, "sec-fetch-site") in (None, "none", "same-origin"):
            await _respond(send, 303, b"", {**found, "location": there})
            return
        # To a link in another site's page no browser would send the cookie on from a redirect; it
        # does from a page of ours. `urlencode` leaves nothing that HTML would take for markup but
        # the ampersand.
        there = there.replace("&", "&amp;")
        page = f'<!doctype html><meta http-equiv="refresh" content="0; url={there}">'
        kind = {"content-type": "text/html; charset=utf-8"}
        await _respond(send, 200, page.encode(), {**found, **kind})


def _refuse_long(scope: Scope) -> None:
    """Refuse headers that the server took because they came at once."""
    size = len(scope["query_string"]) + len(scope["path"])
    size += sum(len(name) + len(value) for name, value in scope["headers"])
    if size > LARGEST_HEADERS:
        limit = f"{LARGEST_HEADERS // 1024} KiB"
        raise Refusal(431, f"an address and headers of more than {limit}", "too_large")


def _refuse_others(scope: Scope, headers: Headers, host: str) -> None:
    """Refuse requests that a page elsewhere makes."""
    origins = headers.get("origin", [])
    if origins and (len(origins) > 1 or not _is_own(origins[0], host)):
        raise Refusal(403, "a page of another site asked: refused", "wrong_origin")
    site = _only(headers, "sec-fetch-site")
    if site in (None, "none", "same-origin"):
        return
    # A link to the page may be clicked anywhere.
    visit = (
        scope["method"] == "GET"
        and headers.get("sec-fetch-mode") == ["navigate"]
        and headers.get("sec-fetch-dest") == ["document"]
        and not scope["path"].startswith(("/api", "/image"))
    )
    if not visit:
        raise Refusal(403, "a page of another site asked: refused", "wrong_origin")


def _is_own(origin: str, host: str) -> bool:
    """Whether an `Origin` is the page that `Host` names."""
    scheme, _, place = origin.partition("://")
    return scheme in ("http", "https") and place.lower() == host.lower()


def _host_of(host: str) -> str | None:
    """The name or address of a `Host` header, in one spelling; None if it has none."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises where it is no number
        name = parts.hostname
    except ValueError:
        return None
    if not name or parts.path or parts.query or parts.fragment or "@" in host:
        return None
    return _spelled(name)


def _spelled(name: str) -> str:
    name = name.lower().removesuffix(".")
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name


def _name(host: str) -> str:
    """Name of a host that a person gave, in one spelling."""
    bare = host if ":" in host and host.count(":") == 1 else f"[{host}]" if ":" in host else host
    name = _host_of(bare)
    if name is None or "*" in name or "/" in host:
        raise ReviewError(
            f"--allow-host {host!r}: not a name; expected one such as faces.example.org"
        )
    return name


def _headers(scope: Scope) -> Headers:
    found: Headers = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def _only(headers: Headers, name: str) -> str | None:
    """The value of a header that is there once."""
    values = headers.get(name, [])
    return values[0] if len(values) == 1 else None


def _cookies(headers: Headers, name: str) -> list[str]:
    """The values of all cookies of a name.

    By hand: cookies are shared between all ports of a host, so that others come along, and
    `http.cookies` gives up at the first one that it does not like.
    """
    parts = (part.partition("=") for part in ";".join(headers.get("cookie", [])).split(";"))
    return [value.strip() for key, _, value in parts if key.strip() == name]


async def _body(scope: Scope, receive: Receive) -> bytes:
    """Body of a request, all of it, which is small."""
    if scope["method"] in ("GET", "HEAD"):
        return b""
    told = _only(_headers(scope), "content-length")
    # Twenty digits are large whatever follows.
    _refuse_large(int(told[:20]) if told is not None and told.isdecimal() else 0)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal(400, "the body broke off", "broken_off")
        body += message.get("body", b"")
        _refuse_large(len(body))
        if not message.get("more_body", False):
            return bytes(body)


def _refuse_large(size: int) -> None:
    if size > LARGEST_BODY:
        limit = f"{LARGEST_BODY // 1024} KiB"
        raise Refusal(413, f"a body of more than {limit}; verdicts are small", "too_large")


def _again(body: bytes, receive: Receive) -> Receive:
    """Hand a body out that was read already."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _with_headers(
    scope: Scope, headers: Iterable[tuple[bytes, bytes]]
) -> list[tuple[bytes, bytes]]:
    added = dict(HEADERS)
    names = {name.lower() for name, _ in headers}
    if b"cache-control" not in names:
        added["cache-control"] = "no-store"
    return [*headers, *((name.encode(), value.encode()) for name, value in added.items())]


async def _answer(send: Send, status: int, content: object) -> None:
    await _respond(send, status, json.dumps(content).encode(), {"content-type": "application/json"})


async def _respond(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    headers = {**headers, "content-length": str(len(body))}
    lines = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
