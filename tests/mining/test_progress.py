"""The bar shows itself after its patience, whether or not the work reports anything."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from mining.progress import bar


def run(patience, work, terminal=True):
    out = io.StringIO()
    with bar("Working", patience, Console(file=out, force_terminal=terminal, width=90)) as step:
        work(step)
    return out.getvalue()


def test_short_work_shows_nothing():
    assert run(5.0, lambda step: step(3, 3)) == ""


def test_long_work_shows_how_far_it_is():
    def work(step):
        for done in range(4):
            step(done, 4)
            time.sleep(0.1)
        step(4, 4)

    assert "4/4" in run(0.05, work)


def test_work_that_never_reports_shows_that_it_lives():
    assert "Working" in run(0.05, lambda step: time.sleep(0.4))


def test_no_terminal_no_bar():
    assert run(0.0, lambda step: time.sleep(0.1), terminal=False) == ""


def test_the_bar_goes_away_after_an_error():
    def work(step):
        time.sleep(0.2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(0.05, work)
