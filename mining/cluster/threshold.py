"""Threshold that all workers raise together; it makes work faster, and never changes its answer."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from mining.cluster.extra import import_ray

# Seconds between two questions of one worker, and until an answer that never came is forgotten.
_EVERY, _FORGOTTEN = 0.5, 30.0


class _Keeper:
    """Actor that keeps the highest value; raising it twice is raising it once."""

    def __init__(self, value: float) -> None:
        self.highest = value

    def raise_to(self, value: float) -> float:
        self.highest = max(self.highest, value)
        return self.highest


class ThresholdClient:
    """A worker's view of the threshold: what it knows, told and asked now and then.

    It never waits for the actor. While that is lost, the worker goes on with what it knows.

    Args:
        actor: Ray's handle.
        value: known when this was made.
        every: seconds between two questions.
    """

    def __init__(self, actor: Any, value: float, every: float = _EVERY) -> None:
        self._actor, self._known, self._every = actor, value, every
        self._answer: Any = None
        self._asked = float("-inf")

    def __reduce__(self) -> tuple[type[ThresholdClient], tuple[Any, float, float]]:
        return ThresholdClient, (self._actor, self._known, self._every)

    def raise_to(self, value: float) -> float:
        """Tell a value that holds; the highest that is known here."""
        self._known = max(self._known, value)
        return self.value()

    def value(self) -> float:
        """The highest value that is known here, at most a moment old while the actor lives."""
        ray = import_ray()
        now = time.monotonic()
        try:
            if self._answer is not None and ray.wait([self._answer], timeout=0)[0]:
                answer, self._answer = self._answer, None
                self._known = max(self._known, float(ray.get(answer, timeout=1)))
            if now - self._asked > (self._every if self._answer is None else _FORGOTTEN):
                self._asked = now
                self._answer = self._actor.raise_to.remote(self._known)
        except ray.exceptions.RayError:
            self._answer = None
        return self._known


class Threshold:
    """The threshold as the driver holds it.

    Args:
        value: to begin with.
    """

    def __init__(self, value: float = float("-inf")) -> None:
        self._ray = import_ray()
        self._known = value
        keeper = self._ray.remote(_Keeper)
        # Its calls may be made twice: a raise is idempotent.
        self.actor = keeper.options(num_cpus=0, max_restarts=-1, max_task_retries=-1).remote(value)

    def client(self) -> ThresholdClient:
        """A view for workers, to be sent to them."""
        return ThresholdClient(self.actor, self._known)

    def rebuild(self, value: float) -> None:
        """Raise it to a value that holds; after each result, as a lost actor forgot it."""
        self._known = max(self._known, value)
        with suppress(self._ray.exceptions.RayError, ConnectionError):
            self.actor.raise_to.remote(self._known)

    def close(self) -> None:
        """Let the actor end when it has answered what it was asked."""
        with suppress(self._ray.exceptions.RayError, ConnectionError):
            self.actor.__ray_terminate__.remote()
