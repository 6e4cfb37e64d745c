"""Progress in lines, for a log or a pipe: what is done, how fast, and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread

# Seconds until the first line; between two lines at least, where a further tenth is done; and else,
# at first and at most: it grows with what has passed, as a twentieth of it.
FIRST, APART, EVERY, RAREST = 10.0, 5.0, 30.0, 300.0


class ProgressLines:
    """Lines on one step of the work; it is a `pairsets.progress.Step` itself.

    Args:
        title: of the step.
        write: takes a line, its end included.
        clock: seconds that pass.
    """

    def __init__(
        self,
        title: str,
        write: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.title, self._write, self._clock = title, write, clock
        self._start = clock()
        # Of the last line, its time and the tenths that were done.
        self._told: float | None = None
        self._tenths = 0
        # Where the rate is measured from: what an earlier run left is no work of this one.
        self._base: tuple[float, int] | None = None
        self._last = 0, 0
        # Work reports in its own thread, while another one looks whether it does.
        self._lock = Lock()

    def __call__(self, done: int, total: int) -> None:
        """Take note of what is done, and tell it where that is due."""
        with self._lock:
            now = self._clock()
            if self._base is None or done < self._last[0]:
                self._base, self._tenths = (now, done), 0
            self._last = done, total
            further = _tenths(done, total) > self._tenths
            if self._is_due(now, APART if further else self._pause(now)):
                self._tell(now)

    def tick(self) -> None:
        """Tell that the work goes on, where nothing was told for long."""
        with self._lock:
            now = self._clock()
            if self._is_due(now, self._pause(now)):
                self._tell(now)

    def end(self) -> None:
        """Tell how long it took, if anything was told."""
        with self._lock:
            if self._told is not None:
                done, total = self._last
                what = f"{done:,} " if done and done == total else ""
                self._say(f"{what}done in {span_text(self._clock() - self._start)}")

    def _pause(self, now: float) -> float:
        return min(RAREST, max(EVERY, (now - self._start) / 20))

    def _is_due(self, now: float, pause: float) -> bool:
        if self._told is None:
            return now - self._start >= FIRST
        return now - self._told >= pause

    def _tell(self, now: float) -> None:
        done, total = self._last
        self._told, self._tenths = now, _tenths(done, total)
        if self._base is None:
            self._say(f"at work for {span_text(now - self._start)}")
            return
        parts = [f"{done:,}/{total:,}" + (f" ({100 * done // total} %)" if total > 0 else "")]
        since, first = self._base
        if done > first and now > since:
            rate = (done - first) / (now - since)
            parts.append(rate_text(rate))
            if total >= done:
                parts.append(f"{span_text((total - done) / rate)} left")
        self._say(", ".join(parts))

    def _say(self, text: str) -> None:
        with suppress(OSError, ValueError):  # nobody listens any more
            self._write(f"lookalikes: {self.title}: {text}\n")


@contextmanager
def lines(
    title: str, write: Callable[[str], object], clock: Callable[[], float] = time.monotonic
) -> Iterator[ProgressLines]:
    """Lines on a step that is called `title`, while the context lasts.

    Args and what comes are those of `ProgressLines`. By the clock of this machine, a thread sees to
    it that work which reports nothing is told of, too. After an error nothing more is told.
    """
    told, over = ProgressLines(title, write, clock), Event()

    def watch() -> None:
        while not over.wait(FIRST):
            told.tick()

    watcher = Thread(target=watch, name="progress lines", daemon=True)
    if clock is time.monotonic:
        watcher.start()
    try:
        yield told
    finally:
        over.set()
        if watcher.ident is not None:
            watcher.join()
    told.end()


def span_text(seconds: float) -> str:
    """Seconds, minutes or hours.

    >>> span_text(90), span_text(600), span_text(86400)
    ('90.0 s', '10.0 min', '24.0 h')
    """
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:,.1f} h"


def rate_text(rate: float) -> str:
    """Rate of a second, or the time that one takes.

    >>> rate_text(12345.6), rate_text(2.34), rate_text(0.04)
    ('12,346/s', '2.34/s', 'one in 25.0 s')
    """
    if rate < 1:
        return f"one in {span_text(1 / rate)}"
    return f"{rate:,.0f}/s" if rate >= 100 else f"{rate:.3g}/s"


def _tenths(done: int, total: int) -> int:
    return 10 * done // total if total > 0 else 0
