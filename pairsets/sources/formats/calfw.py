"""CALFW and CPLFW: two lines a pair, each `file flag`; a flag other than 0 says the same person.

Their images lie in one folder. A path here has the person's folder before it, as faces folders
must: `AJ_Cook_0001.jpg` is `AJ_Cook/AJ_Cook_0001.jpg`. The flag alone is the label; as CALFW is
published, it numbers the fold of a positive, too. Where the names say otherwise the label stays and
a note counts such pairs: what goes by identity, as intervals and fresh sampling do, follows the
names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pairsets.errors import SourceError
from pairsets.faces import identity_of
from pairsets.paths import base_name, is_image
from pairsets.progress import Step
from pairsets.sources.formats import Pairs
from pairsets.sources.formats.collection import gather, held_by
from pairsets.sources.formats.fields import TWO_FACES, several
from pairsets.sources.formats.inferred_folds import read_folds, written_folds
from pairsets.sources.text.text_lines import HOLDS_ANY, head_lines, text_lines, write_lines

NAME = "calfw"
SUMMARY = "CALFW, CPLFW: two lines a pair, each name_0001.jpg and a flag that is not 0 for the same"
KEEPS = frozenset({"label", "folds"})
_LINE = re.compile(r"(.*\S)\s+(-?[0-9]{1,9})\s*", re.ASCII)
_WHO = (
    "is it a list of who is on each picture (FILE ID a line) rather than of pairs? Such a list is "
    "what --identities takes"
)
_FILE = re.compile(r"(.+)_[0-9]+\.[^./\s]+", re.DOTALL)


def looks_like(path: Path, head: bytes) -> bool:
    """Whether every line is the name of an image and a number."""
    found = [_LINE.fullmatch(line) for line in head_lines(head)]
    return bool(found) and all(
        match and "/" not in match[1] and is_image(match[1]) and not several(match[0])
        for match in found
    )


def read(path: Path, *, progress: Step | None = None, folds: int | None = None) -> Pairs:
    """Read pairs of two lines.

    Folds that are not asked for are those of the flags, where the file is laid out as CALFW is
    published, before any are inferred.

    Raises:
        SourceError: a line of another form, a name without a number, two lines of a pair with
            two flags, a line without its second, or flags that are numbers of identities.
    """
    faces: list[str] = []
    flags: list[int] = []
    lines: list[int] = []
    for number, line in text_lines(path, progress):
        match = _LINE.fullmatch(line)
        name = match and _FILE.fullmatch(match[1])
        if match and several(line):
            raise SourceError(f"{path}, line {number}: {line[:80]!r} names two faces; {TWO_FACES}")
        if not match or not name or "/" in match[1]:
            raise SourceError(
                f"{path}, line {number}: {line[:80]!r}; expected a file's name and a flag, such as "
                "AJ_Cook_0001.jpg 1"
            )
        faces.append(f"{name[1]}/{match[1]}")
        flags.append(int(match[2]))
        lines.append(number)
        if len(flags) % 2 == 0 and bool(flags[-1]) != bool(flags[-2]):
            raise SourceError(
                f"{path}, line {number}: flag {match[2]}, and {'not ' * bool(flags[-2])}0 in line "
                f"{lines[-2]} for the same pair; is a line missing before it?"
            )
        if len(flags) % 2 == 0 and flags[-1] != flags[-2]:
            raise SourceError(
                f"{path}, line {number}: flag {match[2]}, and {flags[-2]} in line {lines[-2]} for "
                f"the same pair; {_WHO}"
            )
    if len(faces) % 2:
        raise SourceError(
            f"{path}, line {lines[-1]}: a face without a second; expected two lines a pair. Is the "
            "file cut short, or a line missing?"
        )
    first, second, flag_of = faces[::2], faces[1::2], np.array(flags[::2], np.int64)
    label = (flag_of != 0).astype(np.int8)
    parts, notes = _published(flag_of) if folds is None else (None, [])
    if parts is None:
        parts, told = read_folds(path, label, folds)
        notes = [*notes, *told]
    named = np.array(
        [identity_of(a) == identity_of(b) for a, b in zip(first, second, strict=True)], bool
    )
    if _is_list(first, second, flag_of, named):
        raise SourceError(f"{path}: the flags go with the names, or against all of them; {_WHO}")
    for wanted, flag, names in ((1, "the same person", "two"), (0, "different people", "one")):
        against = int(((label == wanted) & (named != wanted)).sum())
        if against:
            notes.append(
                f"{against} of {label.size} pairs are flagged as {flag} and named as {names}; the "
                "flag is the label"
            )
    return gather(path, first, second, label, folds=parts, lines=lines[::2], notes=notes)


def _is_list(
    path_a: Sequence[str],
    path_b: Sequence[str],
    flags: NDArray[np.int64],
    named: NDArray[np.bool_],
) -> bool:
    """Whether the flags seem to be numbers of identities, a line a picture, and no pairs at all.

    Either each name has a flag of its own and no pair is of two names, or not one of several pairs
    that are flagged as the same is of one name, as where a name is but a picture's.
    """
    positive = flags != 0
    if int(positive.sum()) > 1 and not named[positive].any():
        return True
    if not named.all():
        return False
    both = {(identity_of(face), int(flag)) for face, flag in zip(path_a, flags, strict=True)}
    return 1 < len(both) == len({name for name, _ in both}) == len({flag for _, flag in both})


def _published(flags: NDArray[np.int64]) -> tuple[NDArray[np.int32] | None, list[str]]:
    """The folds of a file laid out as CALFW is published, or why there are none.

    There, n positives are flagged 1, n flagged 2, ... n flagged K; then come the negatives of all
    folds, flagged 0: fold k is the positives flagged k and the k-th part of the negatives.
    """
    if not flags.size:
        return None, []
    positives = int(np.count_nonzero(flags))
    negatives = flags.size - positives
    count = int(flags.max())
    if count < 2 or not flags[:positives].all() or (np.diff(flags[:positives]) < 0).any():
        return None, []
    if int(flags.min()) < 0 or not np.isin(np.arange(1, count + 1), flags).all():
        return None, []
    sizes = np.bincount(flags[:positives], minlength=count + 1)[1:]
    if (sizes != sizes[0]).any() or not negatives or negatives % count:
        return None, [
            f"the flags 1 to {count} are taken for no folds: they would be of {sizes.min()} to "
            f"{sizes.max()} positives each, and a {count}th of {negatives} negatives"
        ]
    parts = np.concatenate([flags[:positives], np.arange(negatives) * count // negatives + 1])
    return parts.astype(np.int32), [
        f"{count} folds by the flags: fold k is the {sizes[0]} positives flagged k and the k-th "
        f"{negatives // count} of the {negatives} negatives"
    ]


def write(content: Pairs, path: Path) -> Pairs:
    """Write two lines a pair; folds of equal blocks keep, in the order of the file.

    Raises:
        SourceError: a path that the name of its file does not give back, as `rei/3131051.jpg`.
    """
    held = written_folds(held_by(NAME, KEEPS, content), NAME)
    pairs = held.pairs
    for face in pairs.paths:
        match = _FILE.fullmatch(base_name(face))
        if not match or f"{match[1]}/{base_name(face)}" != face or several(base_name(face)):
            raise SourceError(
                f"{NAME} cannot hold {face!r}: it names a face by its file alone, as AJ_Cook/"
                f"AJ_Cook_0001.jpg; sllfw, {HOLDS_ANY}"
            )
    named = np.array(list(map(identity_of, pairs.path_a))) == list(map(identity_of, pairs.path_b))
    if _is_list(pairs.path_a.tolist(), pairs.path_b.tolist(), pairs.label.astype(np.int64), named):
        raise SourceError(
            f"{NAME} cannot hold these pairs: their labels go with the names, or against all of "
            f"them, so that it would be taken for a list of identities; trials, {HOLDS_ANY}"
        )
    rows = zip(pairs.path_a, pairs.path_b, pairs.label.tolist(), strict=True)
    lines = (f"{base_name(face)} {label}" for a, b, label in rows for face in (a, b))
    write_lines(path, lines, NAME)
    return held
