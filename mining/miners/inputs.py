"""What cannot be mined or evaluated, told before the work and not after it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from pairsets.errors import FacesError, PairSetError
from pairsets.evaluation.clusters import By
from pairsets.faces import Faces, differing
from pairsets.files.exclusions import PathPairs
from pairsets.identities.folders import fitting
from pairsets.identities.rules import REMEDIES, nearly_all_single
from pairsets.pairset import PairSet
from pairsets.path_prefixes import cause

# Share of pairs whose label may contradict who is shown: mistakes, not another meaning of paths.
CONTRADICTING = 0.05
# The same of the pairs of one label: there may be many more of the other, which hide them.
CONTRADICTING_OF_ONE = 0.25


def refuse_single(faces: Faces, source: Path) -> None:
    """Raise FacesError where nearly every identity has one picture, and nobody said that it may.

    Then most likely something else than the identity was taken for it.
    """
    found = None if faces.said is not None else nearly_all_single(faces.characters.tolist())
    if found is not None:
        raise FacesError(
            f"{source}: {found[1]:,} of {found[0]:,} characters have a single picture; is a folder "
            f"really one identity? Else there are {REMEDIES}. If it is: --identity-level 1 (of "
            "embeddings, give it to lookalikes embed once more: no face is embedded again)"
        )


def contradictions(
    pairs: PairSet,
    clusters: By,
    source: str,
    *,
    lost: str = "intervals by character",
    remedy: str = "take images for what pairs share: --clusters image",
) -> list[str]:
    """A sentence on pairs whose label contradicts who is shown, where there are few of them.

    Args:
        pairs: of any labels.
        clusters: nothing is told where it is not "character".
        source: what the pairs are called.
        lost: what would mean nothing where there are many.
        remedy: what is to be done then, if not to say who is shown.

    Raises:
        PairSetError: there are many: who is shown is told wrongly.
    """
    against = pairs.contradicting
    wrong = np.flatnonzero(against)
    if clusters != "character" or not wrong.size:
        return []
    row, valid = int(wrong[0]), int(pairs.valid.sum())
    names = pairs.names(row)
    shows = f"two of {names[0]!r}" if names[0] == names[1] else " and ".join(map(repr, names))
    told = (
        f"{source}: {wrong.size:,} of {valid:,} pairs contradict who is shown by "
        f"{'their folders' if pairs.identities is None else 'the identities told'}, the first "
        f"with label {int(pairs.label[row])} and of {shows} ({pairs.path_a[row]}, "
        f"{pairs.path_b[row]})"
    )
    limits = [
        (pairs.valid, CONTRADICTING),
        (pairs.positives, CONTRADICTING_OF_ONE),
        (pairs.negatives, CONTRADICTING_OF_ONE),
    ]
    if any((against & rows).sum() > max(1, share * rows.sum()) for rows, share in limits):
        raise PairSetError(
            f"{told}: {lost} would mean nothing. Say who is shown with --identity-pattern, "
            f"--identity-level or --identities, or {remedy}"
        )
    return [f"{told}; are they mislabelled?"]


def of_faces(pairs: PairSet, faces: Faces, source: str) -> PairSet:
    """The pairs with the identities of the faces that they are made of.

    Raises:
        FacesError: a path is none of the faces.
        PairSetError: the identities beside the pair file are others.
    """
    paths = pairs.paths
    theirs = faces.characters[faces.positions(paths)].tolist()
    if pairs.identities is not None:
        for path, name in zip(paths, theirs, strict=True):
            if pairs.identity(path) != name:
                raise PairSetError(
                    f"{source}: {path!r} is {pairs.identity(path)!r} by the identities of the pair "
                    f"file, and {name!r} by those of the faces; tell both alike (--identity-level, "
                    "--identity-pattern, --identities)"
                )
    return pairs.with_identities(differing(dict(zip(paths, theirs, strict=True))))


def refuse_one_character(faces: Faces, ignored: Iterable[str], source: Path) -> None:
    """Raise FacesError unless there are pairs of different characters to mine."""
    kept = faces.without(ignored)
    count = len(set(faces.characters[kept]))
    if count < 2:
        after = "" if kept.all() else " after the ignore list"
        hint = fitting(faces.paths.tolist()) if faces.said is None else ""
        raise FacesError(
            f"{source}: {count} character{'s' * (count != 1)}{after}; "
            f"pairs of different characters need two{hint and '.'}{hint}"
        )


def refuse_misfit(excluded: Sequence[PathPairs], files: Sequence[str | Path], faces: Faces) -> None:
    """Raise PairSetError where a file excludes nothing, for its paths have folders in front."""
    known = frozenset(faces.paths)
    for pairs, file in zip(excluded, files, strict=True):
        paths = [*pairs.path_a, *pairs.path_b]
        if paths and known.isdisjoint(paths):
            why = cause(paths[0], known.__contains__)
            if why:
                raise PairSetError(f"{file}: none of its pairs is of these faces{why}")


def refuse_unfit(test: PairSet, source: str, joined: int = 1) -> None:
    """Raise PairSetError unless the pairs of `test` labelled `joined` can stand beside mined ones.

    Mined negatives are joined by positives (1), hard positives by negatives (0).
    """
    same = np.asarray(test.identity_a == test.identity_b, bool)
    rows = test.valid & (test.label == joined)
    wrong = np.flatnonzero(rows & (same != bool(joined)))
    if wrong.size:
        row = int(wrong[0])
        if test.identities is None:
            lie = ("the folder of one character", "folders of different characters")[joined]
            told = f"the two lie in {lie}; the miner goes by the folders"
        else:
            told = f"the two are {' and '.join(map(repr, test.names(row)))}"
        raise PairSetError(
            f"{source}: pair {row + 1} ({test.path_a[row]}, {test.path_b[row]}) has label "
            f"{joined}, but {told}"
        )
