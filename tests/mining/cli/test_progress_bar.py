"""The bar shows itself after its patience, reported to or not; where no terminal is, lines do."""

from __future__ import annotations

import io
import time
from itertools import count

import pytest
from rich.console import Console

from mining.cli.progress_bar import bar


@pytest.fixture(autouse=True)
def shown(monkeypatch):
    """Progress as users have it; other tests have none."""
    monkeypatch.delenv("LOOKALIKES_PROGRESS")
    monkeypatch.setenv("TERM", "xterm")


def run(patience, work, terminal=True):
    out = io.StringIO()
    with bar("Working", patience, Console(file=out, force_terminal=terminal, width=90)) as step:
        work(step, out)
    return out.getvalue()


def until_shown(out):
    """Work until the bar is there, which a busy machine may be slow to draw."""
    for turn in count():
        if out.getvalue():
            return
        assert turn < 60_000
        time.sleep(0.01)


def test_short_work_shows_nothing():
    assert run(5000.0, lambda step, out: step(3, 3)) == ""


def test_long_work_shows_how_far_it_is():
    def work(step, out):
        for done in range(4):
            step(done, 4)
        until_shown(out)
        step(4, 4)

    assert "4/4" in run(0.05, work)


def test_work_that_never_reports_shows_that_it_lives():
    assert "Working" in run(0.05, lambda step, out: until_shown(out))


def test_no_terminal_no_bar_but_lines():
    passed = iter([0.0, 11.0, 20.0])
    out = io.StringIO()
    console = Console(file=out, force_terminal=False, width=90)
    with bar("Working", 0.0, console, clock=lambda: next(passed)) as step:
        step(1, 4)
    assert out.getvalue() == (
        "lookalikes: Working: 1/4 (25 %)\nlookalikes: Working: done in 20.0 s\n"
    )


def test_a_terminal_that_moves_no_cursor_has_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    assert run(0.0, lambda step, out: step(1, 4)) == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_can_be_switched_off(monkeypatch, terminal):
    monkeypatch.setenv("LOOKALIKES_PROGRESS", "0")
    assert run(0.0, lambda step, out: step(1, 4), terminal) == ""


def test_the_bar_goes_away_after_an_error():
    def work(step, out):
        until_shown(out)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(0.05, work)
