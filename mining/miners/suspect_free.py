"""Mining on without suspects: what is dropped is replaced by the next best pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mining.errors import RulesError
from mining.ranking.mined_pairs import Mined
from mining.suspects.check import Check
from pairsets.files.exclusions import Exclusions, PathPairs
from pairsets.files.suspect_kinds import KINDS
from pairsets.files.suspects import Doubt, Suspects, joined
from pairsets.funnel import FunnelRow
from pairsets.pairset import PairKey, PairSet
from pairsets.paths import strings
from pairsets.progress import Progress, silent
from pairsets.storage.resume import Parts

Mine = Callable[[Sequence[PathPairs]], Mined]


def columns_of(pairs: PairSet) -> dict[str, object]:
    """Pairs as JSON keeps them for `pairs_of`."""
    columns = {"pathA": pairs.path_a, "pathB": pairs.path_b, "label": pairs.label}
    named = None if pairs.named is None else dict(pairs.named)
    return {**{name: column.tolist() for name, column in columns.items()}, "identities": named}


def pairs_of(kept: Mapping[str, Any]) -> PairSet:
    """Pairs that were kept as `columns_of` has them."""
    return PairSet.of(kept["pathA"], kept["pathB"], kept["label"], identities=kept["identities"])


def mine_on(
    mine: Mine,
    checks: Sequence[Check],
    *,
    exclude: Iterable[PathPairs] = (),
    memory: Parts | None = None,
    progress: Progress = silent,
) -> Mined:
    """Mine, look at the pairs, drop the suspects and mine again, until none is among them.

    The pairs are those that `mine` finds where the suspects do not exist: with occurrence caps, a
    suspect does not use up its images either. Each pair is looked at once. Where several
    references mine, what each is judged on is freed of suspects too.

    Args:
        mine: mines as many pairs as are wanted, without the pairs it is given.
        checks: what to look at, each of another kind.
        exclude: pairs not to be taken in any case.
        memory: where the suspects are kept until all is done, so that the same work goes on.
        progress: shows how far the checks are.

    Raises:
        RulesError: no check, or every pair is a suspect; and what `mine` raises.
    """
    if not checks:
        raise RulesError("no kind of suspect to drop; expected one or more")
    exclude, seen = list(exclude), _Seen(checks, progress)
    remembered = memory.read() if memory is not None else None
    if remembered is not None:
        # What a check says of a pair hangs on that pair alone: it is a suspect again.
        seen.look(pairs_of(remembered))
    while True:
        try:
            mined = mine([*exclude, *seen.exclusions()])
        except RulesError as error:
            if not seen.count:
                raise
            raise RulesError(
                f"{error}\n{seen.count:,} pairs were dropped as suspects ({', '.join(seen.kinds)})"
            ) from None
        new = seen.unseen(mined)
        if new is None or not seen.look(new):
            break
        if memory is not None:
            memory.write(columns_of(seen.suspects()))
    if memory is not None:
        memory.clear()
    return replace(mined, looked=seen.account(mined))


class _Seen:
    """The pairs that were looked at, and what the checks say of them."""

    def __init__(self, checks: Sequence[Check], progress: Progress) -> None:
        order = list(KINDS)
        self._checks = sorted(checks, key=lambda check: order.index(check.kind))
        self._progress = progress
        self._lots: list[PairSet] = []
        self._doubts: dict[str, list[Doubt]] = {kind: [] for kind in self.kinds}
        self._places: dict[PairKey, int] = {}
        self._dropped: dict[str, list[tuple[str, str]]] = {kind: [] for kind in self.kinds}

    @property
    def kinds(self) -> list[str]:
        """Kinds of suspects that are looked for."""
        return [check.kind for check in self._checks]

    @property
    def count(self) -> int:
        """Number of suspects."""
        return sum(map(len, self._dropped.values()))

    def look(self, pairs: PairSet) -> bool:
        """Look at pairs that were not looked at yet: whether there are suspects among them."""
        self._lots.append(pairs)
        self._places |= {key: len(self._places) + at for at, key in enumerate(pairs.keys)}
        # A pair with several doubts counts under the first.
        left = np.ones(len(pairs), bool)
        for check in self._checks:
            with self._progress(f"Looking for suspects: {KINDS[check.kind]}") as step:
                doubt = check(pairs, step)
            self._doubts[check.kind].append(doubt)
            rows = np.flatnonzero(doubt.flagged & left)
            left[rows] = False
            self._dropped[check.kind] += zip(pairs.path_a[rows], pairs.path_b[rows], strict=True)
        return not left.all()

    def exclusions(self) -> list[Exclusions]:
        """The suspects, by what they are counted as."""
        return [
            Exclusions(
                strings(a for a, _ in found),
                strings(b for _, b in found),
                f"suspect ({KINDS[kind]})",
            )
            for kind, found in self._dropped.items()
            if found
        ]

    def unseen(self, mined: Mined) -> PairSet | None:
        """The mined pairs that were not looked at yet, each once; None if there are none."""
        sets = [mined.pairs, *(others.pairs for others in mined.without.values())]
        new: dict[PairKey, tuple[str, str]] = {}
        for pairs in sets:
            for key, a, b in zip(pairs.keys, pairs.path_a, pairs.path_b, strict=True):
                if key not in self._places:
                    new.setdefault(key, (a, b))
        if not new:
            return None
        first, second = zip(*new.values(), strict=True)
        return PairSet.of(first, second, mined.label, identities=mined.faces.named)

    def suspects(self) -> PairSet:
        """The suspects, in the order in which they were found."""
        return self._pairs(np.flatnonzero(self._flagged()))

    def account(self, mined: Mined) -> Suspects:
        """The pairs taken by rank, then the suspects in the order in which they were found."""
        taken = np.array([self._places[key] for key in mined.pairs.keys], np.int64)
        rows = np.concatenate([taken, np.flatnonzero(self._flagged())])
        said = [joined(found).take(rows) for found in self._doubts.values()]
        return Suspects.of(self._pairs(rows), said, np.arange(rows.size) >= taken.size)

    def _flagged(self) -> NDArray[np.bool_]:
        flags = [joined(found).flagged for found in self._doubts.values()]
        return np.asarray(np.any(flags, axis=0))

    def _pairs(self, rows: NDArray[np.int64]) -> PairSet:
        path_a, path_b, label = (
            np.concatenate([getattr(lot, name) for lot in self._lots])[rows]
            for name in ("path_a", "path_b", "label")
        )
        return PairSet.of(path_a, path_b, label, identities=self._lots[0].identities)


def dropped_rows(found: Suspects) -> list[FunnelRow]:
    """Funnel rows of mining on until no suspect is left; each suspect under its first kind."""
    dropped = np.flatnonzero(found.dropped).tolist()
    first = [found.kinds(row)[0] for row in dropped]
    said = ", ".join(f"{KINDS[kind]} {first.count(kind):,}" for kind in found.flags)
    what = f"suspects that other pairs replaced ({said})"
    return [FunnelRow("suspects", what, len(dropped), kept=True)]


def not_looked_at(pairs: PairSet, label: int, path: Path) -> list[str]:
    """A sentence on the pairs that join the mined ones, of which none was looked at."""
    count = int((pairs.label != label).sum())
    if not count:
        return []
    kind = ("negatives", "positives")[1 - label]
    return [
        f"Only mined pairs were looked at: the {count:,} {kind} may hold suspects, too. "
        f"`lookalikes suspects {path}` looks at all."
    ]
