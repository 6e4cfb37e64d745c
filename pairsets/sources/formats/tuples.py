"""Triplets, n-tuples and labelled pairs for training, as sentence-transformers has them.

The rows of a table (JSON lines, CSV or Parquet) hold paths, as the outputs of its
`mine_hard_negatives` hold texts:

- `triplet`: anchor, positive, negative;
- `n-tuple`: anchor, positive, negative_1 to negative_n;
- `labeled-pair`: anchor, positive, label, where the second may be a negative;
- `labeled-list`: the same with a list of faces and one of labels (only read);
- `query`, `pos`, `neg`: an anchor and lists of both, as FlagEmbedding has them (only read).

The anchor is the first column and the positive the second, whatever they are called; columns of
scores are left alone. As there, an anchor with several positives has each of its negatives beside
each of them, so that most pairs stand in several rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pairsets.errors import SourceError
from pairsets.pairset import PairSet
from pairsets.progress import Step
from pairsets.sources.formats import Pairs
from pairsets.sources.formats.collection import gather, held_by
from pairsets.sources.formats.named_columns import pairs_among
from pairsets.sources.formats.row_tables import (
    Row,
    columns,
    face_of,
    read_rows,
    unit_of,
    write_rows,
)
from pairsets.sources.text.text_lines import HOLDS_ANY, read_head

Style = Literal["triplet", "n-tuple", "labeled-pair"]

NAME = "n-tuples"
SUMMARY = (
    "JSON lines, CSV or Parquet with columns anchor, positive, negative (or negative_1, ...; or "
    "label); or query, pos, neg"
)
KEEPS = frozenset({"label"})
POSITIVES = "positive pairs neither of whose faces has enough negatives"
NEGATIVES = "negative pairs neither of whose faces has a positive and enough negatives"
_NEGATIVE = re.compile(r"negative(_\d+)?")
_EXPECTED = (
    "expected columns anchor, positive and negative, or negative_1, negative_2, ..., or label; or "
    "query, pos and neg"
)
_LISTS = ("query", "pos", "neg")
_FLAGS = {0: 0, 1: 1, "0": 0, "1": 1}
_LABELS = ("label", "labels")


def looks_like(path: Path, head: bytes) -> bool:
    """Whether the first two columns are followed by negatives, or by a label of theirs."""
    return _layout(columns(path, head)) is not None


def read(path: Path, *, progress: Step | None = None) -> Pairs:
    """Read tuples: the anchor and the positive have label 1, it and each negative 0.

    A negative may be missing where a tuple has fewer than others.

    Raises:
        SourceError: other columns, a value that is no path or label, or a pair that is both
            positive and negative; the message names the lines.
    """
    head = read_head(path)
    named = columns(path, head)
    layout = _layout(named)
    if layout is None:
        raise SourceError(f"{path}: columns {', '.join(named)[:90] or 'missing'}; {_EXPECTED}")
    anchor, positive, labelled = layout
    lists = not labelled and not any(map(_NEGATIVE.fullmatch, named))
    sides: tuple[list[str], list[str]] = ([], [])
    labels, lines = bytearray(), list[int]()
    seen: set[tuple[str, str, int]] = set()
    repeated = 0
    unit = unit_of(head)
    for line, row in read_rows(path, progress):
        where = f"{path}, {unit} {line}"
        a = face_of(row, anchor, where)
        others = _listed(row, where) if lists else None
        for b, label in others or _others(row, positive, labelled, where):
            # Most pairs of tuples come again: they are not kept to be counted later.
            if not labelled:
                if (a, b, label) in seen:
                    repeated += 1
                    continue
                seen.add((a, b, label))
            for side, face in zip(sides, (a, b), strict=True):
                side.append(face)
            labels.append(label)
            lines.append(line)
    notes = [f"{repeated} times a pair stands in a further tuple"] if repeated else []
    kinds = np.frombuffer(bytes(labels), np.int8)
    return gather(path, *sides, kinds, lines=lines, unit=unit, notes=notes)


def write(
    content: Pairs, path: Path, *, style: Style = "triplet", negatives: int | None = None
) -> Pairs:
    """Write tuples: CSV or Parquet if the name ends so, else JSON lines.

    A pair may be turned round, and stand in several tuples, so that it finds a place: a negative
    beside a positive of either of its faces, a positive with a negative of either. Those that have
    none are counted in `dropped`. In a labelled pair each has one.

    Args:
        content, path: as in `Format`.
        style: of the rows.
        negatives: of an `n-tuple`, 3 by default. An anchor with more has several rows, the last
            filled up with the first of them; one with fewer has none.

    Raises:
        SourceError: no pair finds a place, or no such style.
    """
    if style not in get_args(Style):
        raise SourceError(f"no style {style!r} of {NAME}; there are {', '.join(get_args(Style))}")
    if negatives is not None and (style != "n-tuple" or negatives < 1):
        raise SourceError(f"{negatives} negatives in a {style}; an n-tuple has 1 or more")
    held = held_by(NAME, KEEPS, content)
    if style == "labeled-pair":
        pairs = held.pairs
        labelled = zip(pairs.path_a, pairs.path_b, pairs.label.tolist(), strict=True)
        write_rows(path, ("anchor", "positive", "label"), labelled)
        return held
    each = (negatives or 3) if style == "n-tuple" else 1
    anchors, placed = _placed(held.pairs, each)
    if not anchors:
        raise SourceError(
            f"{NAME} cannot hold these pairs: no face has a positive and {each} negative"
            f"{'s' * (each > 1)} among them; {HOLDS_ANY}"
        )
    names = [f"negative_{number}" for number in range(1, each + 1)]
    names = ["negative"] if style == "triplet" else names
    write_rows(path, ("anchor", "positive", *names), _tuples(anchors, each))
    dropped = dict(held.dropped)
    for what, label in ((POSITIVES, 1), (NEGATIVES, 0)):
        count = int((~placed & (held.pairs.label == label)).sum())
        if count:
            dropped[what] = count
    return replace(held, pairs=held.pairs.take(placed), dropped=dropped)


def _layout(names: Sequence[str]) -> tuple[str, str, bool] | None:
    """The anchor, the positive, and whether rows have a label in place of negatives."""
    first, second, third = [*names, "", "", ""][:3]
    if not second or any(name == "label" or _NEGATIVE.fullmatch(name) for name in (first, second)):
        return None
    # Such are this project's own pairs, and tables of others', which have a label too.
    if {"pathA", "pathB"} <= {*names} or (
        third in _LABELS and (first, second) in pairs_among(names)
    ):
        return None
    if any(_NEGATIVE.fullmatch(name) for name in names):
        return first, second, False
    if third not in _LABELS and {*_LISTS[:2]} <= {*names}:
        return _LISTS[0], _LISTS[1], False
    return (first, second, True) if third in _LABELS else None


def _others(row: Row, positive: str, labelled: bool, where: str) -> Iterator[tuple[str, int]]:
    """The faces beside the anchor, and their labels."""
    if not labelled:
        yield face_of(row, positive, where), 1
        # Of each row, as one of JSON may have more than the first.
        for name, value in row.items():
            if _NEGATIVE.fullmatch(name) and value not in (None, ""):
                yield face_of(row, name, where), 0
        return
    given: Any = row.get("label", row.get("labels"))
    if not isinstance(row.get(positive), list):
        yield face_of(row, positive, where), _flag(given, where)
        return
    faces = _faces(row, positive, where)
    if not isinstance(given, list) or len(given) != len(faces):
        raise SourceError(
            f"{where}: {len(faces)} faces in {positive} and labels {given!r:.60}; expected a list "
            "of as many, 0 or 1 each"
        )
    for b, one in zip(faces, given, strict=True):
        yield b, _flag(one, where)


def _listed(row: Row, where: str) -> Iterator[tuple[str, int]]:
    """The faces beside a query: those of `pos`, then those of `neg`, which may be missing."""
    for name, label in ((_LISTS[1], 1), (_LISTS[2], 0)):
        if label or row.get(name) is not None:
            for face in _faces(row, name, where):
                yield face, label


def _flag(given: Any, where: str) -> int:
    label = _FLAGS.get(given) if isinstance(given, int | float | str) else None
    if label is None:
        raise SourceError(f"{where}: label is {given!r:.60}, expected 0 or 1")
    return label


def _faces(row: Row, name: str, where: str) -> list[str]:
    value = row.get(name)
    if not isinstance(value, list) or not all(isinstance(face, str) and face for face in value):
        raise SourceError(f"{where}: {name} is {value!r:.60}, expected a list of paths of faces")
    return value


# By anchor: its positives and the negatives that stand beside them, as faces.
_Anchors = dict[str, tuple[list[str], list[str]]]


def _placed(pairs: PairSet, each: int) -> tuple[_Anchors, NDArray[np.bool_]]:
    """The anchors, and which pairs stand in a tuple of `each` negatives: as many as can.

    A face can be an anchor if it has a positive and enough negatives. Every negative of such a
    face is placed at one, and every positive of one.
    """
    codes, faces = pd.factorize(np.concatenate([pairs.path_a, pairs.path_b]))
    first, second = codes[: len(pairs)].tolist(), codes[len(pairs) :].tolist()
    label = pairs.label.tolist()
    beside: tuple[list[list[int]], list[list[int]]] = (
        [[] for _ in faces],
        [[] for _ in faces],
    )
    for a, b, kind in zip(first, second, label, strict=True):
        beside[kind][a].append(b)
        beside[kind][b].append(a)
    able = [bool(same) and len(other) >= each for other, same in zip(*beside, strict=True)]
    placed = np.array([able[a] or able[b] for a, b in zip(first, second, strict=True)], bool)
    taken: dict[int, list[int]] = {}
    for a, b, kind in zip(first, second, label, strict=True):
        if not kind and (able[a] or able[b]):
            anchor, other = (a, b) if able[a] else (b, a)
            taken.setdefault(anchor, []).append(other)
    for a, b, kind in zip(first, second, label, strict=True):
        if kind and (able[a] or able[b]) and a not in taken and b not in taken:
            # Its negatives all stand at their other face: some stand here again.
            taken[a if able[a] else b] = []
    anchors = {}
    for face, mine in taken.items():
        own = {*mine}
        more = (other for other in beside[0][face] if other not in own)
        filled = [*mine, *islice(more, max(each - len(mine), 0))]
        anchors[faces[face]] = (
            [faces[other] for other in beside[1][face]],
            [faces[other] for other in filled],
        )
    return anchors, placed


def _tuples(anchors: _Anchors, each: int) -> Iterator[tuple[str, ...]]:
    """The rows: each positive of an anchor beside all its negatives, `each` at a time."""
    for anchor, (positives, negatives) in anchors.items():
        for positive in positives:
            for start in range(0, len(negatives), each):
                some = list(chain(negatives[start : start + each], negatives))[:each]
                yield anchor, positive, *some
