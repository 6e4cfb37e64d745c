from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from support.reviews import HERE, Planted, planted, problem

from pairsets.review.store.verdicts import ReviewError
from pairsets.review.web.guard import HEADERS, LARGEST_BODY, LARGEST_HEADERS, Guard, GuardMiddleware

TOKEN = "a-long-token_of-letters-0123456789"
EVERYWHERE = Guard(Guard.hosts | {"desk.example.org"}, any_address=True, token=TOKEN)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    with planted(tmp_path_factory.mktemp("open")) as found:
        yield found


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Planted]:
    with planted(tmp_path, guard=EVERYWHERE) as found:
        yield found


def ask(world: Planted, path: str = "/api/set", method: str = "GET", **headers: str) -> Any:
    """A request with these headers, underscores for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return world.client.request(method, path, headers=named)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8765",
        "localhost",
        "LocalHost:1",
        "localhost.:8765",
        "[::1]:8765",
        "[0:0:0:0:0:0:0:1]",
    ],
)
def test_opens_by_its_own_names(world: Planted, host: str) -> None:
    assert ask(world, Host=host).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8765",
        "127.0.0.1.evil.example",
        "localhost.evil.example:8765",
        "192.168.1.7:8765",
        "127.0.0.1@evil.example",
        "evil.example@127.0.0.1",
        "127.0.0.1/evil.example",
        "127.0.0.1:port",
        "127.0.0.1:99999999",
        "[::1",
        "::1",
        "2130706433",
        "",
        " ",
        "localhost\x85",
        "*",
    ],
)
def test_refuses_other_names(world: Planted, host: str) -> None:
    """A name elsewhere that leads here: DNS rebinding."""
    answer = world.client.get("/api/set", headers={"Host": host.encode("latin-1")})
    assert "--allow-host" in problem(answer, 403, "wrong_host")
    assert world.pairs.path_a[0] not in answer.text


def test_refuses_two_hosts_and_none(world: Planted) -> None:
    for lines in ([("Host", "127.0.0.1"), ("Host", "evil.example")], [("Host", "")]):
        problem(world.client.get("/api/set", headers=lines), 403, "wrong_host")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://127.0.0.1:9999",
        "http://localhost:8765",
        "http://127.0.0.1:8765.evil.example",
        "http://127.0.0.1:8765/",
        "file://",
        "ftp://127.0.0.1:8765",
        "",
    ],
)
def test_refuses_pages_of_other_origins(world: Planted, origin: str, method: str) -> None:
    problem(ask(world, "/api/next", method, Origin=origin), 403, "wrong_origin")


def test_its_own_page_and_programs_may_ask(world: Planted) -> None:
    body = {"name": "Rei"}
    own = {"Origin": HERE, "Sec-Fetch-Site": "same-origin"}
    assert world.client.post("/api/annotators", json=body, headers=own).status_code == 200
    assert world.client.post("/api/annotators", json=body).status_code == 200
    # Behind a tunnel the port is another one, for page and server alike.
    moved = {"Host": "localhost:9000", "Origin": "http://localhost:9000"}
    assert world.client.post("/api/annotators", json=body, headers=moved).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_sites_may_link_to_the_page_and_no_more(world: Planted, site: str) -> None:
    visit = {"Sec_Fetch_Site": site, "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert ask(world, "/", **visit).status_code == 200
    face = world.review.faces
    assert face.is_dir()
    for path, how in (
        ("/api/set", visit),
        ("/image/0", visit),
        ("/", visit | {"Sec_Fetch_Dest": "iframe"}),
        ("/", visit | {"Sec_Fetch_Mode": "no-cors"}),
        ("/static/main.js", {"Sec_Fetch_Site": site}),
    ):
        problem(ask(world, path, **how), 403, "wrong_origin")
    problem(ask(world, "/", "POST", **visit), 403, "wrong_origin")


def test_without_the_token_nothing_is_served(locked: Planted) -> None:
    for path in ("/", "/api/set", "/api/openapi.json", "/static/main.js", "/image/0", "/nothing"):
        for query in ("", "?token=", "?token=wrong", f"?token={TOKEN}x", "?token=\udcff\xe9"):
            answer = locked.client.get(path + query.replace("\udcff", "%FF"))
            assert "link" in problem(answer, 403, "no_token")
            assert "set-cookie" not in answer.headers
    problem(locked.client.post(f"/api/annotators?token={TOKEN}", json={}), 403, "no_token")
    problem(locked.client.get(f"/?token={TOKEN}&token={TOKEN}"), 403, "no_token")


def test_the_link_becomes_a_cookie(locked: Planted) -> None:
    answer = locked.client.get(f"/?token={TOKEN}&as=R%26i+%C3%A9")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?as=R%26i+%C3%A9")
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert answer.headers["cache-control"] == "no-store"
    assert locked.client.get("/api/set").status_code == 200
    locked.client.cookies.clear()
    problem(locked.client.get("/api/set"), 403, "no_token")
    for sent in (f"{EVERYWHERE.cookie}=wrong", f"other={TOKEN}", "=;;=,\x7f", EVERYWHERE.cookie):
        problem(locked.client.get("/api/set", headers={"Cookie": sent}), 403, "no_token")


@pytest.mark.parametrize(
    "other",
    [
        'prefs={"a":1}', "a b=c", "theme=dark; flag", "name=\xc3\xa9", "\xe9=1", "=", "",
        "x=a,b;;y", f"{EVERYWHERE.cookie}=of-yesterday", 'quoted="a; b',
    ],
)  # fmt: skip
def test_cookies_of_other_servers_of_this_host_do_no_harm(locked: Planted, other: str) -> None:
    """They are shared between all ports."""
    ours = f"{EVERYWHERE.cookie}={TOKEN}"
    for sent in (f"{other}; {ours}", f"{ours}; {other}", f"{other};{ours};{other}"):
        header = {"Cookie": sent.encode("latin-1")}
        assert locked.client.get("/api/set", headers=header).status_code == 200, sent
    two = [("Cookie", other.encode("latin-1")), ("Cookie", ours.encode())]
    assert locked.client.get("/api/set", headers=two).status_code == 200
    problem(
        locked.client.get("/api/set", headers={"Cookie": other.encode("latin-1")}), 403, "no_token"
    )


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/history", "/history"), ("/agreement", "/agreement"), ("/static/main.js", "/"),
        ("//evil.example/", "/"), ("/history/", "/"), ("/api/set", "/"),
    ],
)  # fmt: skip
def test_the_link_leads_to_its_page(locked: Planted, path: str, there: str) -> None:
    answer = locked.client.get(f"{HERE}{path}?token={TOKEN}")
    assert (answer.status_code, answer.headers["location"]) == (303, there)
    locked.client.cookies.clear()
    answer = locked.client.get(f"{HERE}{path}?as=Rei&token={TOKEN}")
    assert answer.headers["location"] == f"{there}?as=Rei"


def test_a_link_that_was_clicked_elsewhere_works(locked: Planted) -> None:
    """From a redirect of another site no browser sends a strict cookie on: our page leads on."""
    visit = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    answer = locked.client.get(f'/?token={TOKEN}&as="><script>&b=1', headers=visit)
    assert answer.status_code == 200
    assert TOKEN not in answer.text
    assert 'content="0; url=/?as=%22%3E%3Cscript%3E&amp;b=1"' in answer.text
    assert "HttpOnly" in answer.headers["set-cookie"]


def test_the_cookie_has_a_name_of_its_own_for_each_review() -> None:
    assert Guard(token="a").cookie != Guard(token="b").cookie
    assert "a-secret" not in Guard(token="a-secret").cookie + repr(Guard(token="a-secret"))


def test_every_answer_has_the_headers(world: Planted) -> None:
    world.person("Rei")
    work = world.client.get("/api/next", headers={"X-Annotator": "Rei"}).json()
    paths = ("/", "/api/set", "/nothing", "/image/0", "/api/next", work["pairs"][0]["left"])
    answers = [world.client.get(path) for path in paths]
    answers.append(ask(world, Host="evil.example"))
    for answer in answers:
        for name, value in HEADERS.items():
            assert answer.headers.get_list(name) == [value]
        assert len(answer.headers.get_list("cache-control")) == 1
    assert world.client.get("/api/set").headers["cache-control"] == "no-store"
    policy = HEADERS["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def test_bodies_end_at_the_limit(world: Planted) -> None:
    world.person("Rei")
    headers = {"Content-Type": "application/json"}
    name = json.dumps({"name": "Rei"})
    at_limit = name + " " * (LARGEST_BODY - len(name))
    given = []

    def endless() -> Iterator[bytes]:
        while True:
            given.append(1)
            yield b" " * 8192

    post = world.client.post
    assert post("/api/annotators", content=at_limit, headers=headers).status_code == 200
    problem(post("/api/annotators", content=at_limit + " ", headers=headers), 413, "too_large")

    def pieces() -> Iterator[bytes]:
        yield from (at_limit[:100].encode(), at_limit[100:].encode())

    assert post("/api/annotators", content=pieces(), headers=headers).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "127.0.0.1"}, 403),
        ({"host": "127.0.0.1", "cookie": f"{EVERYWHERE.cookie}=wrong"}, 403),
        ({"host": "127.0.0.1", "cookie": f"{EVERYWHERE.cookie}={TOKEN[:-1]}"}, 403),
        ({"host": "evil.example", "cookie": f"{EVERYWHERE.cookie}={TOKEN}"}, 403),
        ({"host": "127.0.0.1", "origin": "http://evil.example"}, 403),
        ({"host": "127.0.0.1", "cookie": "x" * LARGEST_HEADERS}, 431),
    ],
)
def test_who_is_not_let_in_costs_nothing(headers: dict[str, str], status: int, method: str) -> None:
    """Nothing of the body is waited for, nothing behind the guard is asked."""

    async def never(*_: Any) -> Any:
        raise AssertionError

    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    lines = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http",
        "method": method,
        "path": "/api/judgements",
        "query_string": b"token=wrong",
        "headers": [*lines, (b"content-length", b"10")],
    }
    asyncio.run(GuardMiddleware(never, EVERYWHERE)(scope, never, send))
    assert [message.get("status") for message in said] == [status, None]
    assert "state" not in scope


@pytest.mark.parametrize("length", [LARGEST_BODY + 1, "9" * 9999])
def test_a_body_that_is_told_to_be_large_is_not_waited_for(length: int | str) -> None:
    async def never(*_: Any) -> Any:
        raise AssertionError

    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    lines = [(b"host", b"127.0.0.1"), (b"content-length", str(length).encode())]
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": lines}
    asyncio.run(GuardMiddleware(never, Guard())(scope, never, send))
    assert said[0]["status"] == 413


def test_tokens_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def compare(given: bytes, token: bytes) -> bool:
        seen.append((given, token))
        return False

    monkeypatch.setattr("pairsets.review.web.guard.hmac.compare_digest", compare)
    for given in (TOKEN, "wrong", "ü"):
        assert not EVERYWHERE.opens(given)
    assert seen == [(given.encode(), TOKEN.encode()) for given in (TOKEN, "wrong", "ü")]


def test_websockets_are_closed(world: Planted) -> None:
    with pytest.raises(WebSocketDisconnect), world.client.websocket_connect("/api/set"):
        pass


def test_a_fault_of_the_server_is_an_answer_too(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()

    @app.get("/")
    def _() -> None:
        raise RuntimeError("the secret of rei")

    app.add_middleware(GuardMiddleware, guard=Guard())
    answer = TestClient(app, base_url=HERE).get("/")
    problem(answer, 500, "failed")
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "secret" in caplog.text


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "127.0.0.53"])
def test_this_machine_alone_needs_no_token(address: str) -> None:
    guard = Guard.of("localhost", address)
    assert guard.token is None
    assert guard.opens(None)
    assert guard.knows(f"[{address}]:80" if ":" in address else address)
    assert not guard.knows("192.168.1.7")


def test_the_network_needs_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "Desk.example.org")
    one, all_ = Guard.of("10.0.0.7", "10.0.0.7"), Guard.of("0.0.0.0", "0.0.0.0")
    assert one.token != all_.token
    assert min(len(one.token or ""), len(all_.token or "")) >= 32
    assert one.knows("10.0.0.7:8765")
    assert not one.knows("10.0.0.8:8765")
    assert not one.knows("desk")
    for host in ("10.0.0.7:1", "[2001:db8::7]", "desk", "desk.example.org", "desk.local:80"):
        assert all_.knows(host), host
    assert not all_.knows("evil.example")


def test_further_names_are_allowed_by_hand() -> None:
    guard = Guard.of("127.0.0.1", "127.0.0.1", ["Faces.example.org", "10.1.2.3:8080", "fd00::1"])
    for host in ("faces.example.org:80", "10.1.2.3", "[fd00::1]:8765"):
        assert guard.knows(host), host
    assert not guard.knows("example.org")
    # By that name others come, through a proxy on this machine.
    assert len(guard.token or "") >= 32
    for own in ("localhost", "127.0.0.1:8765", "::1"):
        assert Guard.of("127.0.0.1", "127.0.0.1", [own]).token is None


@pytest.mark.parametrize(
    "name", ["", "*", "*.example.org", "http://x.org", "x.org/y", "a b@c", "[::1"]
)
def test_refuses_names_that_are_none(name: str) -> None:
    with pytest.raises(ReviewError, match="--allow-host"):
        Guard.of("127.0.0.1", "127.0.0.1", [name])
