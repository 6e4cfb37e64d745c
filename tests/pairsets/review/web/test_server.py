from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4

import httpx2
import numpy as np
import pytest
from support.command_line import HANGS
from support.held_clients import never_finishing
from support.reviews import all_pairs, planted, together, write_faces

from pairsets.pairset import PairSet
from pairsets.review.judgement.assignment import Assignment
from pairsets.review.judgement.session import Review
from pairsets.review.store.store import Store
from pairsets.review.store.verdicts import ReviewError
from pairsets.review.web.server import serve

PROGRAM = """
import sys
from pathlib import Path
from pairsets.pairset import PairSet
from pairsets.review.judgement.assignment import Assignment
from pairsets.review.judgement.session import Review
from pairsets.review.web.server import serve
from pairsets.review.store.store import Store

folder, host, port, *names = sys.argv[1:]
folder = Path(folder)
with Store.begin(folder / "review.sqlite", PairSet.read(folder / "set.csv")) as store:
    review = Review(store, Assignment(store), folder / "faces", "set.csv")
    serve(review, host=host, port=int(port), allow_hosts=names,
          announce=lambda link: print(link, flush=True))
print("stopped", flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pairs = all_pairs(faces=6, count=300)
    pairs.write(tmp_path / "set.csv")
    write_faces(tmp_path / "faces", pairs)
    return tmp_path


@contextmanager
def server(
    folder: Path, *names: str, host: str = "127.0.0.1", port: int = 0, before: str = ""
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A real server in a process of its own, after the Python lines `before`, and its link."""
    program = f"{before}\n{PROGRAM}"
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program, str(folder), host, str(port), *names],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def stands(folder: Path) -> dict[tuple[str, int], tuple[int, str]]:
    """What the database holds, each verdict with its event."""
    with sqlite3.connect(folder / "review.sqlite") as found:
        rows = found.execute(
            "SELECT a.name, v.pair, v.prediction, e.key, e.prediction, e.pair FROM verdicts v"
            " JOIN annotators a ON a.id = v.annotator LEFT JOIN events e ON e.id = v.event"
        ).fetchall()
        events = found.execute("SELECT count(*) FROM events WHERE kind = 'judge'").fetchone()[0]
        assert found.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    found.close()
    # None half there: an event for every verdict, a verdict for every event.
    assert len(rows) == events
    assert all((pair, said) == (at, event) for _, pair, said, _, event, at in rows)
    return {(name, pair): (said, key) for name, pair, said, key, *_ in rows}


def test_says_its_link_once_it_can_be_opened(folder: Path) -> None:
    with server(folder) as (_, link):
        assert link.startswith("http://127.0.0.1:")
        found = httpx2.get(f"{link}api/set").json()
        assert (found["name"], found["pairs"]) == ("set.csv", 300)


def test_answers_are_not_held_back(folder: Path) -> None:
    """Headers and body are two small packets: held back until acknowledged, they take 40 ms."""
    told = """
import asyncio, socket
from asyncio import selector_events
made = selector_events._SelectorSocketTransport.__init__
def noted(self, loop, sock, *rest, **more):
    made(self, loop, sock, *rest, **more)
    if sock.family == socket.AF_INET:
        print("at once" if sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) else "late")
selector_events._SelectorSocketTransport.__init__ = noted
"""
    with server(folder, before=told) as (process, link), httpx2.Client(base_url=link) as client:
        assert client.get("/api/set").status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=HANGS)[0] == "at once\nstopped\n"


@pytest.mark.parametrize("what", [signal.SIGINT, signal.SIGTERM])
def test_stops_at_once_and_quietly(folder: Path, what: signal.Signals) -> None:
    """Without waiting for the connections that browsers keep, which here would last an hour."""
    patient = """
from pairsets.review.web import server
server.serve.__kwdefaults__["limits"] = server.Limits(headers_s=3600, idle_s=3600, last_s=3600)
"""
    with (
        server(folder, before=patient) as (process, link),
        httpx2.Client(base_url=link) as client,
        never_finishing(link, 3),
    ):
        assert client.get("/api/set").status_code == 200
        process.send_signal(what)
        out, err = process.communicate(timeout=HANGS)
        assert err == ""
        if what == signal.SIGINT:
            assert (process.returncode, out) == (0, "stopped\n")
        else:
            assert process.returncode in (0, -signal.SIGTERM)


def test_more_clients_than_files_may_be_open_lock_nobody_out(folder: Path) -> None:
    few = "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))"
    with (
        server(folder, before=few) as (process, link),
        never_finishing(link, 260),
        httpx2.Client(base_url=link, timeout=HANGS, headers={"X-Annotator": "Rei"}) as client,
    ):
        assert client.post("/api/annotators", json={"name": "Rei"}).status_code == 200
        for pair in client.get("/api/next").json()["pairs"]:
            body = {"key": str(uuid4()), "pair": pair["pair"], "verdict": "same"}
            assert client.post("/api/judgements", json=body).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=HANGS) == ("stopped\n", "")


def test_killed_among_two_hundred_verdicts_it_keeps_what_it_acknowledged(folder: Path) -> None:
    names = ("Rei", "Bo", "José", "Mio")
    acknowledged: dict[tuple[str, int], tuple[int, str]] = {}
    sent: dict[tuple[str, int], tuple[int, str]] = {}
    lock = Lock()

    def judging(name: str, process: subprocess.Popen[str], link: str) -> Any:
        header = {"X-Annotator": name.replace("é", "%C3%A9")}

        def work() -> None:
            with httpx2.Client(base_url=link, headers=header, timeout=HANGS) as client:
                client.post("/api/annotators", json={"name": name})
                for pair in range(100):
                    key, said = str(uuid4()), pair % 2
                    body = {"key": key, "pair": pair, "verdict": ("different", "same")[said]}
                    sent[name, pair] = said, key
                    try:
                        answer = client.post("/api/judgements", json=body)
                    except httpx2.TransportError:
                        return
                    assert answer.status_code == 200
                    with lock:
                        acknowledged[name, pair] = said, key
                        if len(acknowledged) == 200:
                            process.send_signal(signal.SIGKILL)

        return work

    with server(folder) as (process, link):
        raised = together(*(judging(name, process, link) for name in names))
        assert raised == []
        assert process.wait(HANGS) == -signal.SIGKILL
    assert 200 <= len(acknowledged) < 400
    found = stands(folder)
    assert found.items() >= acknowledged.items()
    # What is there beyond is a verdict that was on its way: the right one.
    assert found.items() <= sent.items()
    with server(folder) as (_, link), httpx2.Client(base_url=link) as client:
        for (name, pair), (said, key) in sent.items():
            header = {"X-Annotator": name.replace("é", "%C3%A9")}
            body = {"key": key, "pair": pair, "verdict": ("different", "same")[said]}
            answer = client.post("/api/judgements", json=body, headers=header)
            assert answer.status_code == 200
    assert stands(folder) == sent


def test_all_interfaces_need_the_token(folder: Path) -> None:
    with server(folder, "desk.example.org", host="0.0.0.0") as (_, link):
        assert "?token=" in link
        here = f"http://127.0.0.1:{link.split(':')[2].split('/')[0]}"
        with httpx2.Client() as client:
            assert client.get(f"{here}/api/set").status_code == 403
            first = client.get(f"{here}/?{link.partition('?')[2]}")
            assert (first.status_code, first.headers["location"]) == (303, "/")
            assert client.get(f"{here}/api/set").status_code == 200
            named = client.get(f"{here}/api/set", headers={"Host": "desk.example.org"})
            assert named.status_code == 200
            assert client.get(f"{here}/api/set", headers={"Host": "evil.org"}).status_code == 403


def test_a_taken_port_is_one_clear_error(tmp_path: Path) -> None:
    with planted(tmp_path) as world, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ReviewError, match=rf"port {port}: .*already.*--port"):
            serve(world.review, port=port, announce=print)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"host": "no.such.host.invalid"}, "--host no.such.host.invalid"),
        ({"host": "a" * 300}, "no address of this machine"),
        ({"host": "192.0.2.77"}, "192.0.2.77, port 0: cannot be listened on"),
        ({"port": 70000}, "port 70000; expected"),
        ({"allow_hosts": ["*"]}, "--allow-host"),
    ],
)
def test_refuses_what_cannot_be_listened_on(
    tmp_path: Path, settings: dict[str, Any], words: str
) -> None:
    with planted(tmp_path) as world, pytest.raises(ReviewError, match=words):
        serve(world.review, **{"port": 0, "announce": print} | settings)


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn", "starlette", "pydantic"])
def test_names_the_extra_where_it_is_missing(folder: Path, missing: str) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.modules[{missing!r}] = None\n{PROGRAM}",
            *(str(folder), "127.0.0.1", "0"),
        ],
        capture_output=True,
        text=True,
        timeout=HANGS,
    )
    assert done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert last.endswith(f"needs {missing}: pip install 'lookalikes[review]'"), last


def test_the_store_needs_no_web_framework() -> None:
    code = """
    import sys
    import pairsets.review.web.server, pairsets.review.store.store
    import pairsets.review.judgement.assignment
    import pairsets.review.web.guard, pairsets.review.web.pictures
    import pairsets.review.judgement.agreement
    found = {"fastapi", "uvicorn", "starlette", "pydantic"} & {n.split(".")[0] for n in sys.modules}
    print(sorted(found))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=HANGS
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_refuses_a_review_that_does_not_fit(tmp_path: Path) -> None:
    with Store.begin(tmp_path / "a.sqlite", all_pairs(count=5)) as store:
        board = Assignment(store)
        with pytest.raises(ReviewError, match="no such folder of faces"):
            Review(store, board, tmp_path / "nothing", "set")
        with pytest.raises(ReviewError, match=r"resnet: scores of shape \(4,\) for 5 pairs"):
            Review(store, board, tmp_path, "set", {"resnet": np.zeros(4)})
        with pytest.raises(ReviewError, match="no name"):
            Review(store, board, tmp_path, "set", annotator="  ")
        other = PairSet.of(["a/1"], ["b/1"], 0)
        with (
            Store.begin(tmp_path / "b.sqlite", other) as another,
            pytest.raises(ReviewError, match="another store"),
        ):
            Review(another, board, tmp_path, "set")


def test_the_browser_is_opened_where_that_is_asked_for(folder: Path) -> None:
    """By the program that the variable names, as `webbrowser` has it."""
    seen = folder / "seen"
    browser = folder / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > "{seen}"\n')
    browser.chmod(0o755)
    program = PROGRAM.replace("port=int(port)", "port=int(port), open_browser=True")
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder), "127.0.0.1", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"BROWSER": str(browser)},
    )
    try:
        assert process.stdout is not None
        link = process.stdout.readline()
        while not (seen.exists() and seen.read_text()) and process.poll() is None:
            time.sleep(0.02)
        assert seen.read_text() == link
    finally:
        process.kill()
        process.communicate()
