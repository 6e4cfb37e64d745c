"""The bar shows itself after its patience, whether or not the work reports anything."""

from __future__ import annotations

import io
import time
from itertools import count

import pytest
from rich.console import Console

from mining.cli.progress_bar import bar


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


def test_no_terminal_no_bar():
    assert run(0.0, lambda step, out: time.sleep(0.1), terminal=False) == ""


def test_the_bar_goes_away_after_an_error():
    def work(step, out):
        until_shown(out)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(0.05, work)
