"""Tasks on a cluster: each item once, whatever is lost meanwhile, and no further ahead than needed.

Ray itself is told never to try again (`max_retries=0`): it tries a task that ran out of memory for
ever, unless the cluster was started with other settings. Here each loss is seen, counted, and made
good up to a limit.
"""

from __future__ import annotations

import pickle
import re
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from indexes.base import IndexesError
from mining.cluster.extra import import_ray
from mining.cluster.versions import first_line, refuse_here, versions_here
from mining.errors import ClusterError, MiningError
from pairsets.errors import PairsetsError

if TYPE_CHECKING:
    from mining.cluster.session import Node

# How often an item is begun before it is given up: lost in any way, and for want of memory.
ATTEMPTS, MEMORY_ATTEMPTS = 8, 3
# Seconds until a node that is large enough must be there, or back: machines of a cloud take minutes
# to start.
PATIENCE = 600.0
# Seconds: between looks at the nodes; for an item's result to arrive once it is there; before an
# item is begun again (doubled each time, up to the second).
_LOOK, _ARRIVAL, _PAUSES = 2.0, 300.0, (0.2, 5.0)
# What work raises by intention, for the user to mend.
_OURS = (MiningError, PairsetsError, IndexesError)
A = TypeVar("A")
R = TypeVar("R")


def untold(text: str) -> None:
    """A `tell` that nobody listens to."""


def nothing() -> None:
    """A `recheck` that finds no fault."""


@dataclass(frozen=True)
class Need:
    """Share of a node that an item's work takes.

    Attributes:
        cpus: cores.
        gpus: devices.
    """

    cpus: float
    gpus: float

    def slots(self, node: Node) -> int:
        """Number of items that can run on a node at once."""
        wants = ((self.cpus, node.cpus), (self.gpus, node.gpus))
        return int(min((has // want for want, has in wants if want), default=max(1, node.cpus)))

    def too_much(self, node: Node) -> bool:
        """Whether a node does such work, but is too small for an item of it."""
        does = (not self.cpus or node.cpus) and (not self.gpus or node.gpus)
        return bool(does) and not self.slots(node)

    def __str__(self) -> str:
        parts = [f"{self.cpus:g} CPUs"] if self.cpus else []
        parts += [f"{self.gpus:g} GPUs"] if self.gpus else []
        return ", ".join(parts)


@dataclass(frozen=True)
class _Answer:
    """Outcome of an item's work, as it comes from a node."""

    value: Any
    error: Exception | None = None
    trace: str = ""


@dataclass
class _Item(Generic[A]):
    """Item on its way, and how often it was begun and lost."""

    number: int
    item: A
    begun: int = 0
    memory: int = 0
    not_before: float = 0.0


def _run(
    work: tuple[Callable[..., Any], Mapping[str, str]], item: object, *values: object
) -> _Answer:
    """Work on an item, on a node; an error is an answer, so that it arrives as it was raised.

    The work comes with the versions that the driver has: a node that joined since is not asked
    before.
    """
    try:
        refuse_here(work[1])
        return _Answer(work[0](item, *values))
    except Exception as error:
        trace = traceback.format_exc()
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            error = ClusterError(f"{type(error).__name__}: {error}")
        return _Answer(None, error.with_traceback(None), trace)


class Share(Generic[A, R]):
    """Work shared among nodes; see `Cluster.share`.

    Args:
        work: see there; and `ahead`, `called`.
        fixed: references of what is there called so.
        need: of one item.
        nodes: that are alive, each time it is called.
        losses: is counted in.
        tell: is told what the user should know meanwhile.
        grows: whether nodes may still come.
        recheck: raises ClusterError for a node that should do no work: asked when some work failed
            as it does where a node that came later lacks the code, or has another.
    """

    def __init__(
        self,
        work: Callable[..., R],
        *,
        fixed: Sequence[Any],
        need: Need,
        ahead: int,
        nodes: Callable[[], Sequence[Node]],
        losses: Counter[str],
        tell: Callable[[str], None] = untold,
        grows: bool = True,
        called: Callable[[int, A], str] | None = None,
        recheck: Callable[[], None] = nothing,
    ) -> None:
        self._ray = import_ray()
        self._errors = self._ray.exceptions
        self._need, self._ahead, self._nodes, self._losses = need, ahead, nodes, losses
        self._tell, self._grows = tell, grows
        self._called = called or (lambda number, _: f"item {number}")
        self._recheck = recheck
        self._fixed = [self._ray.put((work, versions_here())), *fixed]
        self._task = self._ray.remote(
            num_cpus=need.cpus,
            num_gpus=need.gpus or None,
            max_retries=0,
            # Ray ends a process after one task with a GPU; what it loaded is wanted again. But
            # where a node has several, the next task may be on another one, which a process that
            # has begun on one never sees.
            max_calls=int(need.gpus > 0 and (grows or any(node.gpus > 1 for node in nodes()))),
        )(_run).options(name=getattr(work, "__name__", "work"))
        self._flying: dict[Any, _Item[A]] = {}
        self._again: deque[_Item[A]] = deque()
        self._slots, self._looked, self._homeless = 0, float("-inf"), float("inf")

    def results(self, items: Iterable[A]) -> Generator[tuple[int, R], None, None]:
        """Numbers and results as they are done; see `Cluster.share`."""
        self._look(first=True)
        source = (_Item(number, item) for number, item in enumerate(items))
        try:
            while True:
                self._hand_out(source)
                if not self._flying and not self._again:
                    return
                for ref in self._ready():
                    item = self._flying.pop(ref)
                    answer = self._answer(ref, item)
                    del ref
                    if answer is not None:
                        yield item.number, cast(R, answer.value)
        except ConnectionError as error:
            # As a client of a cluster from outside says it, in many lines.
            raise ClusterError(
                f"the connection to the cluster was lost ({first_line(error)}); what is finished "
                "is kept, and the same command goes on from it"
            ) from None
        finally:
            # What was handed out is not taken back: with Ray 2.60 a cancelled task that ends at the
            # same moment may end this process. It is little, nobody waits for it any more, and Ray
            # ends it with the connection.
            self._flying.clear()
            self._again.clear()

    def _hand_out(self, source: Iterator[_Item[A]]) -> None:
        """Begin as many items as may be under way; those that were lost first."""
        self._look()
        now = time.monotonic()
        for _ in range(len(self._again)):
            item = self._again.popleft()
            if item.not_before > now:
                self._again.append(item)
            else:
                self._begin(item)
        # Where no node is large enough yet, something must be asked for: a cluster that grows by
        # itself grows for what waits.
        while len(self._flying) + len(self._again) < self._ahead * max(1, self._slots):
            fresh = next(source, None)
            if fresh is None:
                return
            self._begin(fresh)

    def _begin(self, item: _Item[A]) -> None:
        item.begun += 1
        work, *fixed = self._fixed
        self._flying[self._task.remote(work, item.item, *fixed)] = item

    def _ready(self) -> list[Any]:
        """References whose results are there, after a wait that ends soon."""
        refs = list(self._flying)
        if not refs:
            time.sleep(_PAUSES[0])
            return []
        pause = _PAUSES[0] if self._again else _LOOK
        ready, rest = self._ray.wait(refs, num_returns=1, timeout=pause)
        if ready and rest:
            ready += self._ray.wait(rest, num_returns=len(rest), timeout=0)[0]
        return list(ready)

    def _look(self, *, first: bool = False) -> None:
        """Count how many items can run at once, now and then; wait for nodes that are away.

        Raises:
            ClusterError: no node is large enough: all were too small from the beginning, or there
                was none for long.
        """
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return
        self._looked = now
        nodes = self._nodes()
        slots = sum(self._need.slots(node) for node in nodes)
        if slots:
            self._slots, self._homeless = slots, float("inf")
            return
        there = "; ".join(f"{node.name}: {_size(node)}" for node in nodes) or "no node"
        lacking = f"no node of the cluster has {self._need} for one task; there is {there}"
        if first and (not self._grows or any(self._need.too_much(node) for node in nodes)):
            raise ClusterError(lacking)
        if self._homeless == float("inf"):
            self._homeless = now
            self._tell(f"{lacking}; waiting for one, up to {PATIENCE / 60:.0f} minutes")
        if now - self._homeless > PATIENCE:
            raise ClusterError(f"{lacking}, and none came within {PATIENCE / 60:.0f} minutes")

    def _answer(self, ref: Any, item: _Item[A]) -> _Answer | None:
        """The answer that has arrived; None where the item must be done again.

        Raises:
            ClusterError: it must not be done again.
        """
        try:
            answer: _Answer = self._ray.get(ref, timeout=_ARRIVAL)
        except self._errors.RayError as error:
            self._lost(item, error)
            return None
        if isinstance(answer.error, MemoryError):
            self._lost(item, answer.error)
            return None
        if answer.error is not None:
            if not isinstance(answer.error, _OURS):
                self._recheck()
            answer.error.add_note(f"On a node of the cluster:\n{answer.trace}")
            raise answer.error from None
        return answer

    def _lost(self, item: _Item[A], error: Exception) -> None:
        """Count a loss, and let the item be begun again.

        Raises:
            ClusterError: it would be lost again: too little memory or disk, or too many losses.
        """
        cause = getattr(error, "cause", None)
        if isinstance(error, self._errors.RayTaskError) and isinstance(cause, Exception):
            error = cause
        what = self._called(item.number, item.item)
        full = (self._errors.ObjectStoreFullError, self._errors.OutOfDiskError)
        if isinstance(error, full):
            raise ClusterError(
                f"{what}: its result did not fit into the shared memory of a node, nor on the disk "
                "that Ray spills to; start Ray there with a larger --object-store-memory, or make "
                "room on that disk"
            )
        if isinstance(error, MemoryError | self._errors.OutOfMemoryError):
            item.memory += 1
            if item.memory >= MEMORY_ATTEMPTS:
                raise ClusterError(
                    f"{what}: ran out of memory {item.memory} times{_place(error)}; give the nodes "
                    "more memory, or start Ray there with fewer --num-cpus, so that less runs at "
                    "once"
                )
        elif not isinstance(error, self._errors.RayError):
            self._recheck()
            raise ClusterError(f"{what}: {type(error).__name__}: {first_line(error)}")
        if isinstance(error, self._errors.RaySystemError):
            # As where a node cannot load what it was sent.
            self._recheck()
        self._losses[type(error).__name__] += 1
        if item.begun >= ATTEMPTS:
            raise ClusterError(
                f"{what}: was lost {item.begun} times, the last time by {type(error).__name__}: "
                f"{first_line(error)}; does it end its process, or do nodes come and go?"
            )
        first, longest = _PAUSES
        item.not_before = time.monotonic() + min(longest, first * 2.0 ** (item.begun - 1))
        self._again.append(item)


def _size(node: Node) -> str:
    return str(Need(node.cpus, node.gpus)) or "nothing"


def _place(error: Exception) -> str:
    """The node that Ray names in the text of an error."""
    found = re.search(r"IP: ([0-9A-Fa-f:.]+)", str(error))
    return f", the last time on the node {found[1]}" if found else ""
