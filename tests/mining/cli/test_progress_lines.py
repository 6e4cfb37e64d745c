"""Lines of progress by a clock that the tests turn: when one is written, and what it says."""

from __future__ import annotations

import io
import itertools
import time

import pytest

from mining.cli.progress_lines import EVERY, RAREST, ProgressLines, lines


class Clock:
    """Clock that stands still until it is put on."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Log:
    """Lines on a step, with their clock."""

    def __init__(self, title="Embedding"):
        self.clock, self.said = Clock(), []
        self.lines = ProgressLines(title, self.said.append, self.clock)

    def after(self, seconds, done=None, total=None):
        """What is said by a report, or by a look of the watcher, so many seconds later."""
        self.clock.now += seconds
        before = len(self.said)
        if done is None:
            self.lines.tick()
        else:
            self.lines(done, total)
        new = [one.removeprefix("lookalikes: Embedding: ") for one in self.said[before:]]
        assert all(one.endswith("\n") for one in new)
        return [one.rstrip("\n") for one in new]


def test_short_work_says_nothing():
    log = Log()
    assert [log.after(3, done, 3) for done in (1, 2, 3)] == [[], [], []]
    log.lines.end()
    assert log.said == []


def test_a_line_says_what_is_done_how_fast_and_how_long_it_takes():
    log = Log()
    assert log.after(0, 0, 1000) == []
    assert log.after(10, 100, 1000) == ["100/1,000 (10 %), 10/s, 90.0 s left"]
    log.clock.now += 90
    log.lines(1000, 1000)
    log.lines.end()
    assert log.said[-2:] == [
        "lookalikes: Embedding: 1,000/1,000 (100 %), 10/s, 0.0 s left\n",
        "lookalikes: Embedding: 1,000 done in 100.0 s\n",
    ]


def test_a_further_tenth_is_a_line_and_no_line_is_too_near_the_last():
    log = Log()
    log.after(0, 0, 100)
    assert len(log.after(10, 10, 100)) == 1
    assert log.after(4, 20, 100) == []
    assert len(log.after(1, 21, 100)) == 1
    assert log.after(29, 29, 100) == []
    assert len(log.after(1, 29, 100)) == 1


def test_a_long_work_is_told_of_more_rarely():
    log = Log()
    log.after(0, 0, 10**9)
    times, second = [], 0
    for second in range(1, 12 * 3600):
        if log.after(1, second, 10**9):
            times.append(second)
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (EVERY, RAREST)
    assert len(times) < 200


def test_what_an_earlier_run_left_makes_nothing_quicker():
    log = Log()
    log.after(2, 500, 1000)
    assert log.after(10, 510, 1000) == ["510/1,000 (51 %), 1/s, 8.2 min left"]


def test_slow_work_tells_how_long_one_takes():
    log = Log()
    log.after(0, 0, 10)
    assert log.after(60, 2, 10) == ["2/10 (20 %), one in 30.0 s, 4.0 min left"]


def test_a_count_that_begins_anew_has_a_rate_of_its_own():
    log = Log()
    log.after(0, 0, 10)
    log.after(20, 10, 10)
    assert log.after(40, 0, 10) == ["0/10 (0 %)"]
    assert log.after(30, 3, 10) == ["3/10 (30 %), one in 10.0 s, 70.0 s left"]


@pytest.mark.parametrize(
    ("done", "total", "said"), [(5, 0, "5/0"), (12, 10, "12/10 (120 %)"), (0, 10, "0/10 (0 %)")]
)
def test_counts_that_do_not_add_up_are_told_as_they_are(done, total, said):
    log = Log()
    assert log.after(11, done, total) == [said]


def test_work_that_reports_nothing_is_told_of_too():
    log = Log()
    assert log.after(9) == []
    assert log.after(1) == ["at work for 10.0 s"]
    assert log.after(29) == []
    assert log.after(1) == ["at work for 40.0 s"]
    log.lines.end()
    assert log.said[-1] == "lookalikes: Embedding: done in 40.0 s\n"


def test_somebody_looks_after_work_that_reports_nothing(monkeypatch):
    monkeypatch.setattr("mining.cli.progress_lines.FIRST", 0.01)
    said = []
    with lines("Embedding", said.append):
        for _ in range(60_000):
            if said:
                break
            time.sleep(0.01)
    assert said[0].startswith("lookalikes: Embedding: at work for ")
    assert said[-1].startswith("lookalikes: Embedding: done in ")


def test_after_an_error_nothing_is_said():
    clock, said = Clock(), []

    def work():
        with lines("Embedding", said.append, clock) as step:
            clock.now += 11
            step(1, 2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert said == ["lookalikes: Embedding: 1/2 (50 %)\n"]


def test_a_closed_stream_does_not_end_the_work():
    clock, stream = Clock(), io.StringIO()
    stream.close()
    with lines("Embedding", stream.write, clock) as step:
        clock.now += 11
        step(1, 2)
