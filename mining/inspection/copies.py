"""Groups of faces that show one picture, and which of each group to keep.

Within one identity the best copy is kept: one that is no bad crop, of the most pixels, least
compressed (the larger file), with the first path. Any other is left out only where it is a copy of
a kept one itself: two cuts of one picture that have nothing in common both stay. Where the copies
are said to show different identities, nothing tells whose the picture is, and a person is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mining.suspects.check import Check
from pairsets import images
from pairsets.faces import Faces
from pairsets.files.audit_findings import Finding, Note, Twosome
from pairsets.pairset import PairKey, PairSet, pair_key
from pairsets.progress import Progress, Step

if TYPE_CHECKING:
    from mining.overlap.inner_copies import Copy

# Faces of a group of which every two are compared, though few of them were likely copies. Of larger
# ones so many that are kept are compared with all others: the cost rises with the faces alone.
MOST_COMPARED = 12
# Paths of a group's faces -> score and reason of each two that were found.
Pairs = dict[PairKey, tuple[float, str]]


def pairs_of(copies: Iterable[Copy], kind: str) -> Pairs:
    """Pairs of one kind, by their paths."""
    return {
        pair_key(one.path, one.other): (min(1.0, one.score), one.why)
        for one in copies
        if one.kind == kind
    }


def grouped(pairs: Iterable[PairKey]) -> list[list[str]]:
    """Paths that pairs join, also by way of others; groups and paths sorted.

    >>> grouped([("a", "b"), ("c", "d"), ("b", "e")])
    [['a', 'b', 'e'], ['c', 'd']]
    """
    above: dict[str, str] = {}

    def first(path: str) -> str:
        while above.setdefault(path, path) != path:
            above[path] = path = above[above[path]]
        return path

    for a, b in pairs:
        above[first(b)] = first(a)
    groups: dict[str, list[str]] = {}
    for path in sorted(above):
        groups.setdefault(first(path), []).append(path)
    return sorted(groups.values())


def compare_all(check: Check, pairs: Pairs, faces: Faces, progress: Progress) -> Pairs:
    """Pairs with those of every two faces of a small group that were not compared yet.

    What finds likely copies names few of them; of two faces of a group the answer here is to be the
    one that the check gives when it is asked of that pair.
    """
    left = [
        (a, b)
        for group in grouped(pairs)
        if 2 < len(group) <= MOST_COMPARED
        for at, a in enumerate(group)
        for b in group[at + 1 :]
        if (a, b) not in pairs
    ]
    if not left:
        return pairs
    with progress("Comparing the faces of each group") as step:
        return pairs | _asked_of(check, left, faces, step)


def compare_kept(
    check: Check, pairs: Pairs, faces: Faces, crops: Collection[str], progress: Progress
) -> Pairs:
    """Pairs with those of faces that a large group of one identity keeps and others of it.

    Else a copy would be kept beside its original, as the two were not among the likely ones. Each
    of the first `MOST_COMPARED` that are kept is compared with all that are no copy of one before.

    Args:
        check: that is asked.
        pairs: that were found.
        faces: whom each shows.
        crops: paths of bad crops, which are kept last.
        progress: shows how far it is.
    """
    large = [group for group in grouped(pairs) if len(group) > MOST_COMPARED]
    left = [_best_first(one, faces.root, crops) for one in large if len(_owners(one, faces)) == 1]
    if not left:
        return pairs
    with progress("Comparing the faces of large groups") as step:
        for done in range(MOST_COMPARED):
            keys = [pair_key(best, other) for best, *others in left for other in others]
            unknown = [key for key in keys if key not in pairs]
            if unknown:
                pairs = pairs | _asked_of(check, unknown, faces, _part(step, done))
            rest = (
                [other for other in others if pair_key(best, other) not in pairs]
                for best, *others in left
            )
            left = [others for others in rest if len(others) > 1]
            if not left:
                break
        step(MOST_COMPARED, MOST_COMPARED)
    return pairs


def _part(step: Step, done: int) -> Step:
    """Progress within one of `MOST_COMPARED` rounds."""
    return lambda at, of: step(done * of + at, MOST_COMPARED * of)


def _asked_of(check: Check, keys: Sequence[PairKey], faces: Faces, step: Step) -> Pairs:
    """Pairs that a check flags, of those that it is asked of."""
    two = [list(column) for column in zip(*keys, strict=True)]
    owners = faces.identities[faces.positions([*two[0], *two[1]])].reshape(2, -1)
    label = (owners[0] == owners[1]).astype(int)
    doubt = check(PairSet.of(two[0], two[1], label, identities=faces.named), step)
    return {
        keys[row]: (min(1.0, float(doubt.score[row])), doubt.reasons[row])
        for row in doubt.flagged.nonzero()[0].tolist()
    }


def _owners(group: Sequence[str], faces: Faces) -> set[str]:
    return {*faces.identities[faces.positions(group)].tolist()}


def copy_findings(
    kind: str, pairs: Pairs, faces: Faces, crops: Collection[str], *, act: bool
) -> list[Finding]:
    """Findings of one kind of pairs, a group each.

    Args:
        kind: of `pairsets.files.audit_kinds.OF_PAIRS`.
        pairs: that were found.
        faces: whom each shows.
        crops: paths of bad crops, which are kept last.
        act: say which of one identity's to leave out; else a person is asked.
    """
    by_path: dict[str, dict[str, float]] = {}
    for (a, b), (score, _) in pairs.items():
        by_path.setdefault(a, {})[b] = score
        by_path.setdefault(b, {})[a] = score
    groups = grouped(pairs)
    paths = [path for group in groups for path in group]
    rows = faces.positions(paths)
    owners = dict(zip(paths, faces.identities[rows].tolist(), strict=True))
    joined: dict[str, list[PairKey]] = {}
    leader = {path: group[0] for group in groups for path in group}
    for key in pairs:
        joined.setdefault(leader[key[0]], []).append(key)
    found = []
    for group in groups:
        one = len({owners[path] for path in group}) == 1
        notes = (
            _of_one(group, by_path, faces.root, crops)
            if act and one
            else _asked(group, by_path, owners)
        )
        twosomes = tuple(Twosome(key, *pairs[key]) for key in sorted(joined[group[0]]))
        found.append(
            Finding(
                kind,
                tuple(
                    Note(
                        path,
                        owners[path],
                        other,
                        pairs[pair_key(path, other)][0],
                        pairs[pair_key(path, other)][1],
                        said,  # type: ignore[arg-type]
                    )
                    for path, other, said in notes
                ),
                twosomes,
            )
        )
    return found


def _of_one(
    group: Sequence[str],
    by_path: Mapping[str, Mapping[str, float]],
    root: Path,
    crops: Collection[str],
) -> list[tuple[str, str, str]]:
    """Path, the one that it is held against, and suggestion of each of one identity's copies."""
    kept: dict[str, None] = {}
    found = []
    for path in _best_first(group, root, crops):
        over = [other for other in kept if other in by_path[path]]
        if over:
            found.append((path, over[0], "leave-out"))
        else:
            kept[path] = None
            found.append((path, _best(by_path[path]), "keep"))
    return found


def _asked(
    group: Sequence[str], by_path: Mapping[str, Mapping[str, float]], owners: Mapping[str, str]
) -> list[tuple[str, str, str]]:
    """Path, another identity's copy if there is one, and the suggestion to ask, of each copy."""
    found = []
    for path in group:
        near = by_path[path]
        others = {one: score for one, score in near.items() if owners[one] != owners[path]}
        found.append((path, _best(others or near), "ask"))
    return found


def _best(scores: Mapping[str, float]) -> str:
    return min(scores, key=lambda path: (-scores[path], path))


def _best_first(group: Sequence[str], root: Path, crops: Collection[str]) -> list[str]:
    """Paths of a group's faces, those first that are to be kept rather than others."""
    return sorted(group, key=lambda path: (path in crops, *_quality(root / path), path))


def _quality(file: Path) -> tuple[int, int]:
    """Pixels and bytes of a picture, negative: the best comes first. 0 where it is not readable."""
    try:
        data = images.read(file)
        width, height = images.open_header(data).size
    except Exception:  # a damaged header may raise anything
        return 0, 0
    return -width * height, -len(data)
