"""Whatever is sent: an answer in the form that was promised, and never a byte of another file."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.reviews import IDENTITIES, Planted, all_pairs, planted, problem

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

CANARY = "the-content-of-another-file"
SETTINGS = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": list(HealthCheck),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    folder = tmp_path_factory.mktemp("fuzzed")
    with planted(folder, pairs=all_pairs(count=30, invalid=2)) as found:
        for place in (folder, folder / "faces", folder / "faces" / IDENTITIES[0]):
            (place / "secret.png").write_text(CANARY)
        rei, bo = found.person("Rei"), found.person("Bo")
        for pair in range(12):
            rei.judge(pair, "same")
            bo.judge(pair, "same" if pair % 3 else "different")
        rei.post("/api/decisions", pair=3, verdict="same")
        yield found


@pytest.fixture(scope="module")
def operations(world: Planted) -> dict[str, Any]:
    here = {"Host": "localhost"}
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", world.client.app, headers=here)
    found = [one.ok() for one in schema.get_all_operations()]
    return {f"{one.method.upper()} {one.path}": one for one in found}


NAMES = [
    "GET /api/set",
    "POST /api/annotators",
    "GET /api/next",
    "POST /api/judgements",
    "POST /api/skips",
    "POST /api/unsure",
    "POST /api/undo",
    "GET /api/pairs/{pair}",
    "GET /api/history",
    "POST /api/changes",
    "GET /api/disagreements",
    "POST /api/decisions",
    "GET /api/agreement",
    "GET /api/people",
    "GET /image/{name}",
]


def test_every_operation_is_fuzzed(operations: dict[str, Any]) -> None:
    assert sorted(operations) == sorted(NAMES)


# Nothing can be wrong with a question that has no parts, or whose one part may be any text.
NEVER_WRONG = ("GET /api/set", "GET /api/agreement", "GET /api/people", "GET /image/{name}")
CASES = [(name, "positive") for name in NAMES]
CASES += [(name, "negative") for name in NAMES if name not in NEVER_WRONG]
# Numbers of pairs that a question can be right about: any other one is refused at once.
FITTING = {
    "POST /api/judgements": range(12, 20),
    "POST /api/skips": range(20, 28),
    "POST /api/unsure": range(20, 28),
    "POST /api/changes": range(12),
    "POST /api/decisions": (0, 3, 6, 9),
    "GET /api/pairs/{pair}": range(12),
}
# What nobody is answered by drawing alone: the name of a picture.
UNANSWERED = ("GET /image/{name}",)


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_keeps_to_its_own_description(
    world: Planted, operations: dict[str, Any], name: str, mode: str
) -> None:
    operation = operations[name]
    checks = schemathesis.checks
    promised = [
        checks.not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
    ]
    seen = []

    @settings(max_examples=30, **SETTINGS)
    @given(
        case=operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)),
        pair=st.sampled_from(FITTING.get(name, (0,))),
    )
    def fuzz(case: Any, pair: int) -> None:
        headers = {"Host": "localhost"}
        # Half of the time by somebody who judges here, and of a pair that there is.
        if len(seen) % 2:
            headers["X-Annotator"] = "Rei"
            if mode == "positive" and name in FITTING:
                where = case.body if name.startswith("POST") else case.path_parameters
                where["pair"] = pair
                if len(seen) % 4 == 3 and "key" in where:
                    # Another operation may have drawn the same.
                    where["key"] = f"{NAMES.index(name):04}-{len(seen):04}"
                if len(seen) % 4 == 3 and "verdict" in where:
                    # What is right whatever was drawn, as drawing depends on what is imported:
                    # Hypothesis takes the constants of loaded modules into its pools.
                    where["verdict"] = "same"
                    for doubtful in ("reason", "seen"):
                        where.pop(doubtful, None)
        answer = case.call(base_url="http://localhost", headers=headers)
        seen.append(answer.status_code)
        case.validate_response(answer, checks=promised)
        assert CANARY not in answer.text

    fuzz()
    assert len(seen) >= 1 if name in NEVER_WRONG else len(seen) >= 20
    if mode == "positive" and name not in UNANSWERED:
        assert 200 in seen
    assert world.client.get("/api/set").status_code == 200


PARTS = (
    "..", "%2e%2e", "%252e%252e", ".", "", "%00", "\\", "..\\", "%5c..", "%2f", "..%2f", "/",
    "secret.png", "faces", "%2Fetc%2Fpasswd", "etc", "passwd", "C:", "index.html", "app.py",
    "rei%20%3Cb%3E%26amp%3B", "\u2024\u2024", "\uff0e\uff0e", "é", "\U0001f600", "a" * 5000,
    "%ff%fe", "%ed%a0%80", ";", "..;", "~root", "review.sqlite", "*", "$HOME",
)  # fmt: skip


def ask(world: Planted, target: str) -> tuple[int, bytes]:
    """Ask as the server does for a request line: no client has put the path in order before."""
    app: Any = world.client.app
    raw = target.encode("utf-8", "surrogatepass")
    sent: list[Any] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(raw.decode("latin-1")),
        "raw_path": raw,
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8765),
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    async def once() -> None:
        await app(scope, receive, send)

    world.client.portal.call(once)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


def leaks(body: bytes) -> bool:
    """Whether an answer holds a byte of a file that is not served."""
    return any(word in body for word in (CANARY.encode(), b"root:", b"SQLite format", b"import "))


@pytest.mark.parametrize("start", ["/image/", "/static/", "/image/../", "/static//", "//", "/"])
def test_no_way_leads_out_of_the_folders(world: Planted, start: str) -> None:
    ways = ["/".join(parts) for parts in itertools.product(PARTS, repeat=2)]
    for depth in range(8):
        for up in ("../", "%2e%2e/", "..%2f", "%2e%2e%2f", "..%5c", "%252e%252e%252f", "..;/"):
            for goal in ("secret.png", "etc/passwd", "app.py", "faces/secret.png"):
                ways.append(up * depth + goal)
    ways += [str(world.folder / "secret.png"), str(world.faces / "secret.png"), "\ud800", "\0"]
    pages = {"//": ("/",), "/": ("//", "/./")}.get(start, ())
    for way in ways:
        status, body = ask(world, start + way)
        assert not leaks(body), way
        # The start page itself may be asked for in other spellings; nothing else is there.
        assert status == 404 or start + way in pages, way
        assert status != 404 or set(json.loads(body)) == {"error", "code"}


@settings(max_examples=300, **SETTINGS)
@given(text=st.text(min_size=1, max_size=60), start=st.sampled_from(["/image/", "/static/", "/"]))
def test_any_text_is_no_way_out(world: Planted, text: str, start: str) -> None:
    for target in (start + text, start + quote(text.encode("utf-8", "surrogatepass"))):
        status, body = ask(world, target)
        assert status < 500
        assert not leaks(body)


def test_the_fuzz_would_find_the_file(world: Planted) -> None:
    """What it looks for is there, in a place that a careless server would give away."""
    pair = world.pairs.path_a[0]
    assert (world.faces / pair).is_file()
    assert CANARY in (world.faces / "secret.png").read_text()
    problem(world.client.get("/image/secret.png"), 404, "no_picture")
