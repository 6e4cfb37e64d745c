"""Pairs as a file lists them -> a set, which has each once; and what a format cannot hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pairsets.errors import PairSetError, SourceError
from pairsets.face_codes import FaceCodes
from pairsets.files.folds import Folds
from pairsets.pairset import PairSet
from pairsets.paths import is_text, strings, why_unsafe
from pairsets.sources.formats import Pairs
from pairsets.sources.formats.owners import owners

REPEATED = "pairs listed again"
ITSELF = "faces paired with themselves"
INVALID = "invalid pairs, which the format cannot mark"
_NO_TEXT = "is not UTF-8 text"


def gather(
    path: Path,
    path_a: Iterable[str],
    path_b: Iterable[str],
    label: ArrayLike,
    *,
    human_prediction: ArrayLike = -1,
    invalid: ArrayLike = 0,
    folds: ArrayLike | None = None,
    lines: ArrayLike | None = None,
    unit: str = "line",
    notes: Sequence[str] = (),
    identities: Mapping[str, str] | None = None,
) -> Pairs:
    """The pairs of a file, in its order; a pair that is listed again counts once.

    Args:
        path: of the file, for errors.
        path_a: `[N]` faces.
        path_b: `[N]` faces.
        label: `[N]`, 1 same, 0 different.
        human_prediction: `[N]` or one for all, as in `PairSet`.
        invalid: `[N]` or one for all, as in `PairSet`.
        folds: `[N]` whole numbers; where they are not 1 to K, they are made so, and noted.
        lines: `[N]` where each stands in the file; 1, 2, ... where it is not given.
        unit: what `lines` count.
        notes: sentences to hand on.
        identities: who each face shows, by its path, where that is not the folder. Of faces in
            no folder it is what their pairs tell: see `owners`.

    Raises:
        SourceError: no pairs, a pair that is listed with both labels, a path that leaves its
            folder, or a value that a pair set cannot have; with the line.
    """
    first, second = strings(path_a), strings(path_b)
    if not len(first):
        raise SourceError(f"{path}: no pairs in it")
    return gather_coded(
        path,
        FaceCodes.of(first, second),
        label,
        human_prediction=human_prediction,
        invalid=invalid,
        folds=folds,
        lines=lines,
        unit=unit,
        notes=notes,
        identities=identities,
    )


def gather_coded(
    path: Path,
    codes: FaceCodes,
    label: ArrayLike,
    *,
    human_prediction: ArrayLike = -1,
    invalid: ArrayLike = 0,
    folds: ArrayLike | None = None,
    lines: ArrayLike | None = None,
    unit: str = "line",
    notes: Sequence[str] = (),
    identities: Mapping[str, str] | None = None,
) -> Pairs:
    """The pairs of a file, at least one, whose faces are numbered already; else as `gather`."""
    count, distinct = len(codes), codes.faces
    labels, human, flags = (
        np.broadcast_to(np.asarray(column), (count,))
        for column in (label, human_prediction, invalid)
    )

    def place(row: int) -> str:
        return f"{unit} {row + 1 if lines is None else np.asarray(lines)[row]}"

    alone = codes.alone
    again, earlier = codes.repeated()
    other = ~alone[again]
    again, earlier = again[other], earlier[other]
    both = np.flatnonzero(labels[again] != labels[earlier])
    if both.size:
        row, before = int(again[both[0]]), int(earlier[both[0]])
        raise SourceError(
            f"{path}, {place(row)}: {distinct[codes.a[row]]!r} and {distinct[codes.b[row]]!r} have "
            f"label {labels[row]}, and {labels[before]} in {place(before)}"
        )
    kept = ~alone
    kept[again] = False
    dropped = {
        what: number
        for what, number in ((REPEATED, again.size), (ITSELF, int(alone.sum())))
        if number
    }
    if not kept.any():
        raise SourceError(f"{path}: nothing but faces paired with themselves")
    for code, name in enumerate(distinct):
        unsafe = why_unsafe(name) or (None if is_text(name) else _NO_TEXT)
        if unsafe:
            row = next(int(np.argmax(side == code)) for side in (codes.a, codes.b) if code in side)
            raise SourceError(
                f"{path}, {place(row)}: path {name!r} {unsafe}; expected one inside the "
                "faces folder"
            )
    columns = (labels, human, flags)
    try:
        if kept.all():
            pairs = PairSet.coded(codes, *columns, sound=True)
        else:
            rest = (column[kept] for column in columns)
            pairs = PairSet.coded(codes.take(kept), *rest, sound=True)
    except PairSetError as error:
        raise SourceError(f"{path}: {error}") from None
    told = list(notes)
    if identities is None and not any("/" in face for face in distinct):
        identities, how = _by_pairs(path, codes, labels, flags)
        told += how
    if identities is not None:
        pairs = pairs.with_identities({face: identities[face] for face in pairs.paths})
    parts = None if folds is None else _closed_up(np.asarray(folds), kept, told)
    return Pairs(pairs, parts, tuple(told), dropped)


def _by_pairs(
    path: Path, codes: FaceCodes, label: NDArray[Any], invalid: NDArray[Any]
) -> tuple[dict[str, str], list[str]]:
    """Who is on faces that lie in no folder, as far as valid pairs tell; and notes on it."""
    valid = invalid == 0
    known: dict[str, str] | None = None
    notes: list[str] = []
    if valid.any():
        counted = codes.take(valid)
        known, notes = owners(path, counted.path_a.tolist(), counted.path_b.tolist(), label[valid])
    return {face: f"as {face}" for face in codes.faces} | (known or {}), notes


def held_by(name: str, keeps: frozenset[str], content: Pairs) -> Pairs:
    """Part of `content` that a format can hold, with `dropped` and `notes` of the rest.

    An invalid pair does not count: a format that cannot mark it leaves it out. `dropped` and
    `notes` are those of this step alone.

    Raises:
        SourceError: no pair is left, or a path is not UTF-8 text.
    """
    pairs, parts = content.pairs, content.folds
    if not all(map(is_text, pairs.codes.faces)):
        path = next(path for path in chain(pairs.path_a, pairs.path_b) if not is_text(path))
        raise SourceError(f"{name} cannot hold the path {path!r}: it {_NO_TEXT}")
    notes: list[str] = []
    dropped: dict[str, int] = {}
    if "invalid" not in keeps and not pairs.valid.all():
        valid = pairs.valid
        dropped[INVALID] = int((~valid).sum())
        if not valid.any():
            raise SourceError(f"{name} cannot hold invalid pairs, and all {len(pairs)} are")
        pairs = pairs.take(valid)
        parts = None if parts is None else _closed_up(parts.numbers, valid, notes)
    judged = int((pairs.human_prediction >= 0).sum())
    if "human_prediction" not in keeps and judged:
        notes.append(f"{name} does not keep what a person said of {judged} pairs")
        pairs = replace(pairs, human_prediction=np.full(len(pairs), -1, np.int8))
    if "identities" not in keeps and pairs.named is not None:
        told = len({*map(pairs.identity, pairs.codes.faces)})
        notes.append(
            f"{name} does not keep who is on a picture: {told} identities, not the folders"
        )
        pairs = pairs.with_identities(None)
    if parts is not None and "folds" not in keeps:
        notes.append(f"{name} does not keep the {len(parts)} folds")
        parts = None
    return replace(content, pairs=pairs, folds=parts, notes=tuple(notes), dropped=dropped)


def _closed_up(numbers: NDArray[Any], kept: NDArray[np.bool_], notes: list[str]) -> Folds:
    """Folds of the pairs that are kept, from 1 on; `notes` gets what that changed."""
    before, after = np.unique(numbers), np.unique(numbers[kept])
    if before.size != after.size:
        notes.append(f"{before.size - after.size} of {before.size} folds lost all their pairs")
    if after[0] != 1 or after[-1] != after.size:
        notes.append(
            f"folds {after[0]} to {after[-1]} are numbered anew, in their order, from 1 to "
            f"{after.size}"
        )
    return Folds(np.searchsorted(after, numbers[kept]).astype(np.int32) + 1)
