"""Who each face of a list shows, where the list says no more than which pairs are of one.

Paths may tell it: the folder, a folder above, or a name before a number. They do so where that
agrees with the labels; where nothing does, who is who is known as far as positive pairs tie faces
together, as with IJB's templates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pairsets.errors import SourceError
from pairsets.faces import identity_of
from pairsets.identities.rules import Rule, some
from pairsets.paths import base_name, strings

_NUMBERED = re.compile(r"(.+)_[0-9]+\.[^./]+", re.DOTALL)
_DEEPEST = 8
# Beginnings and ends of notes on how it is known who is on a picture.
_UNTOLD = "the paths do not say who is on a picture: "
_AGREES = " is taken for the identity, as that agrees with all "
Named = Callable[[str], str]


def owners(
    path: Path, path_a: Sequence[str], path_b: Sequence[str], label: ArrayLike
) -> tuple[dict[str, str] | None, list[str]]:
    """Identity by path, None where it is the folder everywhere; and notes on how it is known.

    Args:
        path: of the file, for errors.
        path_a: `[N]` faces, at least one.
        path_b: `[N]` faces.
        label: `[N]`, 1 same, 0 different; it stays as it is.

    Raises:
        SourceError: every label says the opposite of the folders.
    """
    positive = np.asarray(label) == 1
    codes, distinct = pd.factorize(strings([*path_a, *path_b]), sort=True)
    faces: list[str] = list(distinct)
    a, b = codes[: len(positive)], codes[len(positive) :]

    def same(named: Named) -> NDArray[np.bool_]:
        names, _ = pd.factorize(strings(map(named, faces)))
        return np.asarray(names[a] == names[b])

    in_folders = all("/" in face for face in faces)
    if in_folders:
        by_folder = same(identity_of)
        wrong = by_folder != positive
        if not wrong.any():
            return None, []
        if wrong.all() and positive.any() and not positive.all():
            raise SourceError(
                f"{path}: each of its {positive.size} labels says the opposite of the folders: is "
                "0 the same and 1 different there? Expected 1 for the same: turn the labels round"
            )
    for what, named in _readings(faces):
        # A reading that knows but one identity agrees with anything that lacks negatives.
        if (same(named) == positive).all() and not positive.all():
            found = {face: named(face) for face in faces}
            return found, [
                f"{what}{_AGREES}{positive.size} labels: {len(set(found.values()))} identities"
            ]
    if in_folders and _mostly(wrong, positive):
        return None, _against(wrong, positive)
    owner = joined(a[positive], b[positive], len(faces))
    against = int(((owner[a] == owner[b]) & ~positive & (a != b)).sum())
    told = [
        f"{_UNTOLD}who is who is known as far as positive pairs tell, which tie {len(faces)} faces "
        f"to {np.unique(owner).size} identities. Two pictures of one that no positive joins count "
        "as two, so that intervals may be too narrow"
    ]
    if against:
        told.append(
            f"{against} pairs are labelled as different, though positives join their faces; the "
            "labels stay as they are"
        )
    return {face: f"as {faces[least]}" for face, least in zip(faces, owner, strict=True)}, told


def is_guess(note: str) -> bool:
    """Whether a note says how it is known who is on a picture, which is void where a user says it.

    >>> is_guess("the folder is taken for the identity, as that agrees with all 9 labels: 3")
    True
    """
    return note.startswith(_UNTOLD) or _AGREES in note


def by_folders(
    path: Path, path_a: Sequence[str], path_b: Sequence[str], rule: Rule | None = None
) -> NDArray[np.int8]:
    """The label of each pair, `[N]`, of a list that has none: whether both lie in one folder.

    Args:
        path: of the list, for errors.
        path_a: `[N]` faces.
        path_b: `[N]` faces.
        rule: who each face shows, where that is not the folder.

    Raises:
        SourceError: faces in no folder, or in folders of folders, where it depends on which of
            them is the identity's; without a rule alone.
        FacesError: the rule does not fit the paths.
    """
    if rule is not None:
        faces = list(dict.fromkeys([*path_a, *path_b]))
        who = dict(zip(faces, rule.name(faces).identities, strict=True))
        nobody = [face for face in faces if who[face] is None]
        if nobody:
            raise SourceError(f"{path}: {rule.said} does not say who {some(nobody)} showing")
        return np.array([who[a] == who[b] for a, b in zip(path_a, path_b, strict=True)], np.int8)
    stray = next((face for face in [*path_a, *path_b] if "/" not in face), None)
    if stray is not None:
        raise SourceError(
            f"{path}: no labels, and {stray[:80]!r} lies in no folder that would tell them; "
            "expected PATH PATH LABEL a line, or paths such as Aaron_Peirsol/1.jpg; "
            "or say with --identity-pattern or --identities who is on them"
        )
    folders_a, folders_b = ([identity_of(face) for face in side] for side in (path_a, path_b))
    label = np.fromiter(
        (one == other for one, other in zip(folders_a, folders_b, strict=True)), np.int8
    )
    row = unclear(folders_a, folders_b)
    if row is not None:
        raise SourceError(
            f"{path}: no labels, and whether {path_a[row]!r} and {path_b[row]!r} are of one "
            "depends on which folder is the identity's: say with --identity-level N or "
            "--identity-pattern, or give each pair a label"
        )
    return label


def unclear(folders_a: Sequence[str], folders_b: Sequence[str]) -> int | None:
    """The first pair of folders that are two by their whole path, and one by a part of it.

    >>> unclear(["rei/video1", "asuka/video1"], ["rei/video2", "rei/video1"])
    0
    >>> unclear(["lfw/A", "lfw/A"], ["lfw/A", "lfw/B"])
    """
    parts = [
        (one.split("/"), other.split("/")) for one, other in zip(folders_a, folders_b, strict=True)
    ]
    if not any(len(one) > 1 or len(other) > 1 for one, other in parts):
        return None
    shared = _shared([part for both in parts for part in both])
    for row, (one, other) in enumerate(parts):
        inner = one[shared:], other[shared:]
        if one == other or not (inner[0] and inner[1]):
            continue
        if inner[0][0] == inner[1][0] or inner[0][-1] == inner[1][-1]:
            return row
    return None


def joined(a: ArrayLike, b: ArrayLike, count: int) -> NDArray[np.int64]:
    """The smallest number that each of 0 to `count` - 1 is joined to, `[count]`.

    Args:
        a: `[N]`, joined to `b`, and so to all that those are joined to.
        b: `[N]`.
        count: how many numbers there are.

    >>> joined([4, 1], [1, 3], 5).tolist()
    [0, 1, 2, 1, 1]
    """
    one, other = np.asarray(a, np.int64), np.asarray(b, np.int64)
    least = np.arange(count)
    while one.size:
        # Each tree of joined numbers hangs itself below a smaller one; then all hang at the top.
        np.minimum.at(least, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(above := least[least], least):
            least = above
        one, other = least[one], least[other]
        apart = one != other
        one, other = one[apart], other[apart]
    return least


def _shared(parts: Sequence[list[str]]) -> int:
    """Number of folders that all have in front, as `lfw` in lfw/A and lfw/B."""
    least, most = min(parts), max(parts)
    depth = 0
    while depth < min(len(least), len(most)) and least[depth] == most[depth]:
        depth += 1
    return depth


def _readings(faces: Sequence[str]) -> Iterator[tuple[str, Named]]:
    """Ways to tell an identity of a path, other than by its own folder."""
    depth = min(min(face.count("/") for face in faces), _DEEPEST)
    for level in range(1, depth + 1):
        yield (
            f"the path down to folder {level}",
            lambda face, level=level: "/".join(face.split("/")[:-1][:level]),  # type: ignore[misc]
        )
    if all(_NUMBERED.fullmatch(base_name(face)) for face in faces):
        yield "what stands before the number in a file's name", _before_number


def _before_number(face: str) -> str:
    match = _NUMBERED.fullmatch(base_name(face))
    return match[1] if match else face


def _mostly(wrong: NDArray[np.bool_], positive: NDArray[np.bool_]) -> bool:
    """Whether the folders agree with most of the positives, and with most of the negatives."""
    return all(
        not kind.any() or int(wrong[kind].sum()) * 2 < int(kind.sum())
        for kind in (positive, ~positive)
    )


def _against(wrong: NDArray[np.bool_], positive: NDArray[np.bool_]) -> list[str]:
    counts = (
        (int((wrong & positive).sum()), "the same and lie in two folders"),
        (int((wrong & ~positive).sum()), "different and lie in one folder"),
    )
    return [
        f"{count} of {wrong.size} pairs are labelled as {what}; the label stands"
        for count, what in counts
        if count
    ]
