"""Clients that never finish, on loopback; every test waits for what must come, for no time."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, fields, replace
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from support.command_line import HANGS
from support.held_clients import has_ended
from support.reviews import Planted, planted

from pairsets.review.store.verdicts import ReviewError
from pairsets.review.web.app import create_app
from pairsets.review.web.guard import LARGEST_HEADERS, Guard
from pairsets.review.web.limits import LIMITS, Limits
from pairsets.review.web.server import server

# Longer than the tests wait.
PATIENT = Limits(**dict.fromkeys(("headers_s", "body_s", "answer_s", "idle_s"), 2 * HANGS))
SOON = 0.2
TOKEN = "a-long-token_of-letters-0123456789"
HEADERS = "POST /api/annotators HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
GET = "GET /api/set HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
BODY = json.dumps({"name": "Rei"})
UNFINISHED = {
    "nothing": "",
    "line": "GET / HT",
    "headers": HEADERS,
    "header": f"{HEADERS}X-Never: ",
    "body": f"{HEADERS}Content-Length: 1000\r\n\r\n",
    "rest of a body": f"{HEADERS}Content-Length: 1000\r\n\r\n{BODY}",
    "chunks": f"{HEADERS}Transfer-Encoding: chunked\r\n\r\n1\r\n",
    "another request": f"{GET}{GET}{HEADERS}",
}


@dataclass
class Serving:
    """A server in a thread."""

    place: tuple[str, int]
    open_connections: Callable[[], int]

    @property
    def link(self) -> str:
        return f"http://127.0.0.1:{self.place[1]}"


@contextmanager
def serving(app: Any, limits: Limits) -> Iterator[Serving]:
    """A server of `app`, until the end of the block."""
    started = Event()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        place = listening.getsockname()
        running = server(app, limits, started.set)
        thread = Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        assert started.wait(HANGS)
        try:
            yield Serving(place, lambda: len(running.server_state.connections))
        finally:
            running.should_exit = True
            thread.join(HANGS)
            assert not thread.is_alive()


class Client:
    """A connection, byte by byte."""

    def __init__(self, place: tuple[str, int], text: str = "", *, takes: int = 0) -> None:
        self.socket = socket.socket()
        if takes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, takes)
        self.socket.settimeout(HANGS)
        self.socket.connect(place)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send(text)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, text: str) -> None:
        self.socket.sendall(text.encode())

    def answer(self) -> str:
        """One answer, to its end."""
        found = b""
        while b"\r\n\r\n" not in found:
            found += self.socket.recv(1) or pytest.fail(f"ended after {found!r}")
        told = found.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        body = b""
        while len(body) < int(told or 0):
            body += self.socket.recv(int(told) - len(body)) or pytest.fail("ended in the body")
        return (found + body).decode()

    def rest(self) -> str:
        """All that comes until the server ends it."""
        found = b""
        try:
            while data := self.socket.recv(65536):
                found += data
        except ConnectionError:
            pass
        return found.decode()

    def has_ended(self) -> bool:
        """Whether the server has ended it by now; what it said before is thrown away."""
        return has_ended(self.socket)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    with planted(tmp_path_factory.mktemp("review")) as found:
        yield found


@pytest.fixture(scope="module")
def hasty(world: Planted) -> Iterator[Serving]:
    """A review that has no patience with what is unfinished, and all for the rest."""
    with serving(
        create_app(world.review, guard=Guard()), replace(PATIENT, headers_s=SOON, body_s=SOON)
    ) as found:
        yield found


@pytest.fixture(scope="module")
def patient(world: Planted) -> Iterator[Serving]:
    with serving(create_app(world.review, guard=Guard()), PATIENT) as found:
        yield found


def until(condition: Callable[[], bool]) -> None:
    """Wait until it is so."""
    end = time.monotonic() + HANGS
    while not condition():
        assert time.monotonic() < end
        time.sleep(SOON / 20)


def body_expected(place: tuple[str, int], headers: str = "", rest: int = len(BODY)) -> Client:
    """A client of whom the app expects the body by now."""
    told = f"{HEADERS}{headers}Content-Length: {rest}\r\nExpect: 100-continue\r\n\r\n"
    client = Client(place, told)
    assert client.socket.recv(1000).startswith(b"HTTP/1.1 100")
    return client


def judge(link: str, headers: dict[str, str] | None = None) -> None:
    """A person looks at the page, judges a pair, and sees the next one's picture."""
    named = {"X-Annotator": "Rei"} | (headers or {})
    with httpx2.Client(base_url=link, headers=named, timeout=HANGS) as client:
        assert "<html" in client.get("/").text
        assert client.post("/api/annotators", json={"name": "Rei"}).status_code == 200
        pair = client.get("/api/next").json()["pairs"][0]["pair"]
        body = {"key": str(uuid4()), "pair": pair, "verdict": "same"}
        work = client.post("/api/judgements", json=body)
        assert work.status_code == 200
        assert work.json()["pairs"][0]["pair"] != pair
        assert client.get(work.json()["pairs"][0]["left"]).content


def test_what_is_never_finished_ends(hasty: Serving) -> None:
    """Whether nothing more comes, or a byte now and then that would be no fault."""
    drips = {"nothing": "G", "line": "T", "headers": "X", "header": "x", "chunks": "1\r\n1\r\n"}
    with ExitStack() as stack:
        clients = [
            (name, drip, stack.enter_context(Client(hasty.place, text)))
            for name, text in UNFINISHED.items()
            for drip in ("", drips.get(name, "1"))
        ]
        end = time.monotonic() + HANGS
        going_on = clients
        while going_on and time.monotonic() < end:
            time.sleep(SOON / 20)
            for _, drip, client in going_on:
                with suppress(ConnectionError):
                    client.send(drip)
            going_on = [one for one in going_on if not one[2].has_ended()]
        assert [one[:2] for one in going_on] == []
    judge(hasty.link)


def test_an_answer_is_given_before_the_next_is_waited_for_in_vain(hasty: Serving) -> None:
    with Client(hasty.place, UNFINISHED["another request"]) as client:
        assert [client.answer()[:15] for _ in range(2)] == ["HTTP/1.1 200 OK"] * 2
        assert client.rest() == ""


def test_who_finishes_slowly_is_served(patient: Serving) -> None:
    """A byte a packet, with other clients' bytes between them."""
    asked = f"{HEADERS}Content-Length: {len(BODY)}\r\nConnection: close\r\n\r\n{BODY}"
    with Client(patient.place) as one, Client(patient.place) as other:
        for letter in asked:
            one.send(letter)
            other.send(letter)
        for client in (one, other):
            assert client.rest().endswith('{"name":"Rei"}')


def test_people_have_time() -> None:
    assert LIMITS.headers_s >= 20
    assert LIMITS.body_s >= 60
    assert LIMITS.idle_s >= 60
    assert LIMITS.answer_s >= 300
    # Six connections that a browser keeps, for a room full of people.
    assert LIMITS.connections >= 6 * 30


@pytest.mark.parametrize("name", [one.name for one in fields(Limits)])
@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
def test_refuses_limits_that_are_none(name: str, value: float) -> None:
    with pytest.raises(ReviewError, match=f"{name} .*expected a positive number"):
        replace(LIMITS, **{name: value})


def test_a_connection_that_asks_no_more_ends(world: Planted) -> None:
    limits = replace(PATIENT, idle_s=SOON)
    with (
        serving(create_app(world.review, guard=Guard()), limits) as found,
        Client(found.place, GET) as client,
    ):
        assert client.rest().startswith("HTTP/1.1 200")


def test_who_judges_is_let_in_among_a_hundred_that_never_finish(world: Planted) -> None:
    limits = replace(PATIENT, connections=100)
    app = create_app(world.review, guard=Guard())
    with serving(app, limits) as found, ExitStack() as stack:
        held = [
            stack.enter_context(Client(found.place, UNFINISHED[name]))
            for name in list(UNFINISHED)[:-1] * 15
        ]
        ended = [client for client in held if client.has_ended()]
        assert len(ended) <= 5
        judge(found.link)
        # The room for all above a hundred, and no more than that.
        assert sum(client.has_ended() for client in held) == len(held) - 100 + 1


def test_the_oldest_makes_room(world: Planted) -> None:
    limits = replace(PATIENT, connections=4)
    app = create_app(world.review, guard=Guard())
    with serving(app, limits) as found, ExitStack() as stack:
        idle = stack.enter_context(Client(found.place, GET))
        assert idle.answer().startswith("HTTP/1.1 200")
        held = [stack.enter_context(Client(found.place)) for _ in range(9)]
        for client in held[:6]:
            assert client.rest() == ""
        assert not any(client.has_ended() for client in (idle, *held[6:]))
        # Where nobody is unfinished, who is idle goes.
        for client in held[6:]:
            client.send(GET)
            assert client.answer().startswith("HTTP/1.1 200")
        newest = stack.enter_context(Client(found.place, GET))
        assert newest.answer().startswith("HTTP/1.1 200")
        assert idle.has_ended()
        assert not any(client.has_ended() for client in (newest, *held[6:]))


def test_a_room_full_of_people_lets_another_in(world: Planted) -> None:
    guard = Guard(token=TOKEN)
    cookie = f"Cookie: {guard.cookie}={TOKEN}\r\n"
    get = GET.replace("\r\n\r\n", f"\r\n{cookie}\r\n")
    app, limits = create_app(world.review, guard=guard), replace(PATIENT, connections=3)
    with serving(app, limits) as found, ExitStack() as stack:
        clients = []
        for _ in range(5):
            clients.append(stack.enter_context(Client(found.place, get)))
            assert clients[-1].answer().startswith("HTTP/1.1 200")
        assert [one.has_ended() for one in clients] == [True] * 2 + [False] * 3


@pytest.mark.parametrize("token", [TOKEN, None])
def test_who_has_the_token_goes_last(world: Planted, token: str | None) -> None:
    guard = Guard(token=token)
    limits = replace(PATIENT, connections=3)
    cookie = f"Cookie: {guard.cookie}={token}\r\n"
    with (
        serving(create_app(world.review, guard=guard), limits) as found,
        body_expected(found.place, cookie) as client,
        ExitStack() as stack,
    ):
        strangers = [stack.enter_context(Client(found.place)) for _ in range(8)]
        ends = strangers[:6] if token else [client, *strangers[:5]]
        for one in ends:
            assert one.rest() == ""
        if token:
            client.send(BODY)
            assert client.answer().startswith("HTTP/1.1 200")
            judge(found.link, {"Cookie": f"{guard.cookie}={token}"})


def answering(status: int = 200, size: int = 2) -> tuple[Any, Event, Event]:
    """An app that answers when the second event is set; the first says that it was asked."""
    asked, may = Event(), Event()

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        asked.set()
        await asyncio.to_thread(may.wait, HANGS)
        length = [(b"content-length", str(size).encode())]
        await send({"type": "http.response.start", "status": status, "headers": length})
        await send({"type": "http.response.body", "body": b"x" * size})

    return app, asked, may


def test_who_waits_for_us_is_not_shed() -> None:
    app, asked, may = answering()
    limits = replace(PATIENT, headers_s=SOON, body_s=SOON, answer_s=SOON, connections=2)
    with serving(app, limits) as found, Client(found.place, GET) as client, ExitStack() as stack:
        assert asked.wait(HANGS)
        for one in [stack.enter_context(Client(found.place)) for _ in range(6)]:
            assert one.rest() == ""
        may.set()
        assert client.answer().startswith("HTTP/1.1 200")


LARGE = 16 * 2**20  # more than the buffers of any system


@pytest.mark.parametrize("reads", [False, True])
def test_who_does_not_take_the_answer_is_ended(reads: bool) -> None:
    app, _, may = answering(size=LARGE)
    may.set()
    limits = replace(PATIENT, answer_s=SOON)
    with serving(app, limits) as found, Client(found.place, GET, takes=4096) as client:
        assert client.socket.recv(8) == b"HTTP/1.1"

        def is_gone() -> bool:
            if reads:
                client.socket.recv(1)
            return not found.open_connections()

        until(is_gone)
        assert len(client.rest()) < LARGE


def test_who_takes_it_slowly_has_it_all() -> None:
    app, _, may = answering(size=LARGE)
    may.set()
    with serving(app, PATIENT) as found, Client(found.place, GET, takes=65536) as client:
        client.send(GET)  # the next waits its turn
        taken = 0
        while taken < 2 * LARGE:
            more = client.socket.recv(2**20)
            assert more
            taken += len(more)


@pytest.fixture(scope="module")
def locked(world: Planted) -> Iterator[Serving]:
    """A review with a token, which waits long for who is still sending to hear that this is it."""
    limits = replace(PATIENT, parting_s=HANGS)
    with serving(create_app(world.review, guard=Guard(token=TOKEN)), limits) as found:
        yield found


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("Host: evil.example\r\n", 403),
        ("Host: 127.0.0.1\r\n", 403),
        ("Host: 127.0.0.1\r\nConnection: close\r\n", 403),
        ("Host: 127.0.0.1\r\nCookie: {cookie}=wrong\r\n", 403),
        (f"Host: 127.0.0.1\r\nCookie: {{cookie}}={TOKEN}\r\nContent-Length: 99999\r\n", 413),
    ],
)
def test_refused_at_the_headers(locked: Serving, headers: str, status: int) -> None:
    """The body never comes, and is not waited for; who sends it may still hear why."""
    told = headers.format(cookie=Guard(token=TOKEN).cookie)
    length = "" if "Length" in told else "Content-Length: 1000\r\n"
    asked = f"POST /api/judgements HTTP/1.1\r\n{told}{length}\r\n"
    with Client(locked.place, asked) as client:
        said = client.rest()
        assert said.startswith(f"HTTP/1.1 {status}")
        assert said.endswith("}")
        # Bytes that come to nobody would take the answer from who has not read it yet.
        for _ in range(100):
            client.send("x")


def test_who_is_still_sending_is_not_heard_for_long() -> None:
    limits = replace(PATIENT, parting_s=SOON)
    app, _, may = answering()
    may.set()
    with serving(app, limits) as found, Client(found.place, UNFINISHED["body"]) as client:
        assert client.rest().endswith("\r\n\r\nxx")
        until(lambda: not found.open_connections())


def test_a_body_that_nobody_reads_is_thrown_away_for_a_while(patient: Serving) -> None:
    asked = "GET /api/set HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999999999\r\n\r\n"
    with Client(patient.place, asked) as client:
        assert client.rest().startswith("HTTP/1.1 200")
        with pytest.raises(ConnectionError):
            client.send("x" * 2**26)


def test_what_wraps_a_body_ends_too(patient: Serving) -> None:
    """Chunks of one byte, each with much that says nothing."""
    with Client(patient.place, f"{HEADERS}Transfer-Encoding: chunked\r\n\r\n") as client:
        with pytest.raises(ConnectionError):
            client.send(f"1;x={'x' * 8192}\r\n \r\n" * (2**26 // 8192))
        assert client.rest() == ""


@pytest.mark.parametrize("at_once", [True, False])
def test_headers_end_at_the_limit(patient: Serving, at_once: bool) -> None:
    with Client(patient.place, "GET /api/set HTTP/1.1\r\nHost: 127.0.0.1\r\n") as client:
        client.send(f"X: {'x' * LARGEST_HEADERS}" + "\r\n\r\n" * at_once)
        # Which of the two finds it depends on how the bytes come.
        assert client.socket.recv(1000).startswith((b"HTTP/1.1 431", b"HTTP/1.1 400"))


def test_the_files_that_a_process_may_open_limit_the_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resource = pytest.importorskip("resource")
    app, _, _ = answering()
    for files, most in ((256, 64), (10, 32), (2000, LIMITS.connections)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, files=files: (files, files))
        assert server(app, LIMITS).config.http.limits.connections == most
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    assert server(app, LIMITS).config.http.limits == LIMITS
