"""Tuples for training out of mined negatives: each face beside one of its own and its lookalikes.

A mined negative has two faces, and each is an anchor once, the other one its negative. The
positive of an anchor is another face of its identity, of all that the folder has: an anchor that
comes again gets the next of them, in an order that the seed and the anchor alone decide.

The rows are those that sentence-transformers' `mine_hard_negatives` gives, with paths for texts:

- `triplet`: anchor, positive, negative; a row a negative of an anchor;
- `n-tuple`: anchor, positive, negative_1 to negative_n, the hardest first; a row an anchor;
- `labeled-pair`: anchor, positive, label; a row a pair, the second face of label 0 the negative.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Literal, get_args

import numpy as np

from pairsets.arrays import Floats, Mask, Rows
from pairsets.errors import SourceError
from pairsets.faces import Faces
from pairsets.files.exclusions import PathPairs
from pairsets.funnel import FunnelRow
from pairsets.pairset import PairSet, pair_key

Form = Literal["triplet", "n-tuple", "labeled-pair"]
PLURALS = {"triplet": "triplets", "n-tuple": "n-tuples", "labeled-pair": "labelled pairs"}
ANCHOR, POSITIVE, LABEL, SCORE = "anchor", "positive", "label", "score"


@dataclass(frozen=True)
class TupleOptions:
    """Options of the tuples.

    Attributes:
        form: of the rows.
        negatives: of an `n-tuple`; an anchor with fewer has no row, and of more it has the hardest.
        max_per_anchor: how many negatives an anchor has at most, the hardest; None is all.
        seed: of the order of an anchor's positives.

    Raises:
        SourceError: no such form, a number below 1, or a cap for `n-tuple`, which has its own.
    """

    form: Form = "triplet"
    negatives: int = 5
    max_per_anchor: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.form not in get_args(Form):
            raise SourceError(f"form {self.form!r}; expected one of {', '.join(get_args(Form))}")
        if self.negatives < 1 or (self.max_per_anchor is not None and self.max_per_anchor < 1):
            raise SourceError(
                f"{self.negatives} negatives a row, {self.max_per_anchor} an anchor; expected 1 or "
                "more"
            )
        if self.form == "n-tuple" and self.max_per_anchor is not None:
            raise SourceError(
                "a cap an anchor with n-tuples: an anchor has one row, of as many negatives as "
                "are asked for"
            )


@dataclass(frozen=True, eq=False)
class Tuples:
    """Rows for training.

    Attributes:
        names: of the columns, in order.
        rows: a cell a column: paths relative to the faces folder, a label, a score or None.
        faces: of how many columns the cells are paths; they come first.
        funnel: what was left out, and what was made.
    """

    names: tuple[str, ...]
    rows: Sequence[tuple[object, ...]]
    faces: int
    funnel: Sequence[FunnelRow]

    @property
    def paths(self) -> list[str]:
        """The distinct faces in them, sorted."""
        return sorted({str(cell) for row in self.rows for cell in row[: self.faces]})


@dataclass(frozen=True, eq=False)
class Negatives:
    """Mined negatives that tuples are made of.

    Attributes:
        pairs: a pair set; its other rows are counted, and left alone.
        order: `[N]` its rows, the hardest first; as they stand in the file if None.
        scores: `[N]` float64, for a column of labelled pairs; nan where a pair has none.
        left_out: pairs that are no negatives, nor a positive of an anchor, by what they are
            counted as.
    """

    pairs: PairSet
    order: Rows | None = None
    scores: Floats | None = None
    left_out: Mapping[str, PathPairs] = field(default_factory=dict)

    def kept(self, faces: Faces) -> tuple[Rows, list[FunnelRow]]:
        """Rows of the negatives that are used, the hardest first, and what was left out.

        Raises:
            SourceError: none is left.
            FacesError: a face of theirs is none of `faces`.
        """
        pairs = self.pairs
        rows = [
            FunnelRow("pairs", "invalid pairs", int((~pairs.valid).sum())),
            FunnelRow("pairs", "positives of the file, not used", int(pairs.positives.sum())),
        ]
        kept = pairs.negatives
        if not kept.any():
            raise SourceError(
                f"no valid negatives among {len(pairs):,} pairs; expected mined ones, of label 0, "
                "such as `lookalikes mine` writes"
            )
        for what, out in self.left_out.items():
            keys = _keys(out)
            listed = np.array([key in keys for key in pairs.keys], bool)
            rows.append(FunnelRow("pairs", what, int((kept & listed).sum())))
            kept = kept & ~listed
        place, groups = _places(pairs, faces), faces.groups
        sides = (
            np.array([groups[place[path]] for path in side], np.int64)
            for side in (pairs.path_a, pairs.path_b)
        )
        same = np.equal(*sides)
        what = "negatives whose faces are of one identity in the folder"
        rows.append(FunnelRow("pairs", what, int((kept & same).sum())))
        kept = kept & ~same
        if not kept.any():
            raise SourceError(f"no negative is left: {_told(rows)}")
        rows.append(FunnelRow("pairs", "negatives used", int(kept.sum()), kept=True))
        order = np.arange(len(pairs)) if self.order is None else self.order
        return order[kept[order]], rows


def tuples_of(negatives: Negatives, faces: Faces, options: TupleOptions) -> Tuples:
    """Tuples of `negatives`, with positives from `faces`.

    Args:
        negatives: the mined pairs.
        faces: all that there are, with their identities.
        options: of the tuples.

    Raises:
        SourceError: no negatives, or no row comes of them; the message says what they lacked.
        FacesError: a face of the pairs is none of `faces`.
    """
    kept, funnel = negatives.kept(faces)
    pairs = negatives.pairs
    left_out = negatives.left_out.values()
    positives = _Positives(faces, _places(pairs, faces), left_out, options.seed)
    most = options.negatives if options.form == "n-tuple" else options.max_per_anchor
    anchors: dict[str, list[int]] = {}
    beyond = 0
    for row in kept.tolist():
        for anchor in (pairs.path_a[row], pairs.path_b[row]):
            mine = anchors.setdefault(anchor, [])
            if most is None or len(mine) < most:
                mine.append(row)
            else:
                beyond += 1
    alone = [anchor for anchor in anchors if not positives.of(anchor)]
    few = [
        anchor
        for anchor, mine in anchors.items()
        if options.form == "n-tuple" and len(mine) < options.negatives
    ]
    counted = [
        ("anchors", "anchors without another face of their identity", len(alone)),
        ("anchors", f"other anchors with fewer than {options.negatives} negatives",
         len({*few} - {*alone})),
        ("anchors", "times a pair was one too many of an anchor", beyond),
    ]  # fmt: skip
    funnel += [FunnelRow(*one) for one in counted]
    # A labelled pair needs no positive beside it.
    if options.form == "labeled-pair":
        names, rows = _labelled(negatives, kept, anchors, positives)
    else:
        out = {*alone, *few}
        used = {anchor: mine for anchor, mine in anchors.items() if anchor not in out}
        names, rows = _beside(pairs, kept, used, positives, options)
    if not rows:
        raise SourceError(f"no {options.form} comes of these pairs: {_told(funnel)}")
    funnel.append(FunnelRow("tuples", PLURALS[options.form], len(rows), kept=True))
    told = {LABEL, SCORE}
    return Tuples(names, rows, sum(name not in told for name in names), funnel)


class _Positives:
    """Other faces of each anchor's identity, in the order in which it gets them."""

    def __init__(
        self, faces: Faces, place: Mapping[str, int], out: Iterable[PathPairs], seed: int
    ) -> None:
        self._faces, self._place, self._seed = faces, place, seed
        self._out = {key for pairs in out for key in _keys(pairs)}
        self._groups = faces.groups
        order = np.argsort(self._groups, kind="stable")
        ends = np.cumsum(np.bincount(self._groups))
        self._members = np.split(order, ends[:-1])
        self._paths: dict[int, list[str]] = {}
        self._known: dict[str, list[str]] = {}

    def of(self, anchor: str) -> list[str]:
        """The positives of an anchor; none where it is alone."""
        if anchor not in self._known:
            group = int(self._groups[self._place[anchor]])
            if group not in self._paths:
                rows = self._members[group].tolist()
                self._paths[group] = [self._faces.paths[row] for row in rows]
            others = [
                path
                for path in self._paths[group]
                if path != anchor and pair_key(path, anchor) not in self._out
            ]
            said = f"{self._seed}\n{anchor}".encode("utf-8", "surrogatepass")
            seed = int.from_bytes(hashlib.sha256(said).digest()[:16], "little")
            order = np.random.default_rng(seed).permutation(len(others))
            self._known[anchor] = [others[number] for number in order.tolist()]
        return self._known[anchor]


def _places(pairs: PairSet, faces: Faces) -> dict[str, int]:
    """Row among `faces` of each face of the pairs, by path."""
    paths = pairs.paths
    return dict(zip(paths, faces.positions(paths).tolist(), strict=True))


def _beside(
    pairs: PairSet,
    kept: Rows,
    anchors: dict[str, list[int]],
    positives: _Positives,
    options: TupleOptions,
) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """Triplets, hardest first; or n-tuples, in the order of each anchor's hardest."""
    if options.form == "n-tuple":
        names = [f"negative_{number}" for number in range(1, options.negatives + 1)]
        return (ANCHOR, POSITIVE, *names), [
            (anchor, positives.of(anchor)[0], *(_other(pairs, row, anchor) for row in mine))
            for anchor, mine in anchors.items()
        ]
    wanted = {(row, anchor) for anchor, mine in anchors.items() for row in mine}
    turns: dict[str, Iterator[str]] = {}
    rows: list[tuple[object, ...]] = []
    for row in kept.tolist():
        for anchor in (pairs.path_a[row], pairs.path_b[row]):
            if (row, anchor) in wanted:
                turn = turns.setdefault(anchor, cycle(positives.of(anchor)))
                rows.append((anchor, next(turn), _other(pairs, row, anchor)))
    return (ANCHOR, POSITIVE, "negative"), rows


def _labelled(
    negatives: Negatives, kept: Rows, anchors: dict[str, list[int]], positives: _Positives
) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """The negatives, hardest first, then the positives that triplets of them would have."""
    pairs, scores = negatives.pairs, negatives.scores
    used: Mask = np.zeros(len(pairs), np.bool_)
    used[[row for mine in anchors.values() for row in mine]] = True
    rows: list[tuple[object, ...]] = []
    for row in kept[used[kept]].tolist():
        score = () if scores is None else (_score(scores[row]),)
        rows.append((pairs.path_a[row], pairs.path_b[row], 0, *score))
    seen = set()
    for anchor, mine in anchors.items():
        for other in islice(positives.of(anchor), len(mine)):
            key = pair_key(anchor, other)
            if key not in seen:
                seen.add(key)
                rows.append((anchor, other, 1, *(() if scores is None else (None,))))
    return (ANCHOR, POSITIVE, LABEL, *(() if scores is None else (SCORE,))), rows


def _other(pairs: PairSet, row: int, anchor: str) -> str:
    """The face that stands in a pair with `anchor`."""
    return str(pairs.path_b[row] if pairs.path_a[row] == anchor else pairs.path_a[row])


def _score(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _keys(pairs: PathPairs) -> set[tuple[str, str]]:
    return set(map(pair_key, pairs.path_a, pairs.path_b))


def _told(rows: Sequence[FunnelRow]) -> str:
    """Counts of a funnel in words."""
    return ", ".join(f"{row.count:,} {row.what}" for row in rows if row.count)
