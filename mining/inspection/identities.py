"""Identities that may be one, and faces that may be another's, of a whole folder.

Not every two identities are compared: each is held against its nearest others, by the mean vectors
of their faces, and against those whose names are alike or listed. So the cost grows with the number
of identities, but for one exact product of their means.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np

from indexes.memory import gather
from mining.embeddings.store import Embeddings
from mining.errors import EmbeddingError
from mining.overlap.alike_identities import NEAREST, Vectors
from mining.overlap.similar_names import similar_names
from mining.suspects.check import Check
from mining.suspects.identity.nearest_pairs import nearest_pairs
from pairsets.arrays import Floats, Rows
from pairsets.errors import PairSetError
from pairsets.faces import Faces
from pairsets.files.aliases import Aliases, plain_name
from pairsets.files.audit_findings import Finding, Note, Suggestion
from pairsets.files.cannot_links import CannotLinks
from pairsets.files.face_lists import FaceList
from pairsets.pairset import PairSet
from pairsets.progress import Step, unheard

# Faces summed at a time.
_FACES = 8192


class FaceCheck(Protocol):
    """A check of faces one by one, as `mining.suspects.mislabels.Mislabelled` is."""

    def of_faces(self, paths: Sequence[str], progress: Step = unheard) -> tuple[Floats, list[str]]:
        """Score and reason of each face, the reason empty where it is not suspected."""


def refuse_strangers(embedded: Embeddings, faces: Faces) -> int:
    """Number of faces without a vector; raises unless the vectors are of these faces.

    Raises:
        EmbeddingError: they are of others, or of some that are gone.
        PairSetError: whom a face shows is told otherwise.
    """
    rows = faces.paths.find(embedded.faces.paths.tolist())
    gone = np.flatnonzero(rows < 0)
    if gone.size:
        path = embedded.faces.paths[int(gone[0])]
        raise EmbeddingError(
            f"{embedded.folder}: {gone.size:,} of its {len(embedded):,} faces are not in "
            f"{faces.place}, {path!r} for one; embed these faces (lookalikes embed; none is "
            "embedded again that has a vector)"
        )
    names = faces.identities[rows]
    other = np.flatnonzero(names != embedded.faces.identities)
    if other.size:
        at = int(other[0])
        raise PairSetError(
            f"{embedded.folder}: {embedded.faces.paths[at]!r} shows "
            f"{embedded.faces.identities[at]!r} by it, and {names[at]!r} by {faces.place}; tell "
            "identities alike (--identity-level, --identity-pattern, --identities)"
        )
    return len(faces) - len(embedded)


def refuse_former(embedded: Embeddings, listed: FaceList) -> None:
    """Raise EmbeddingError where vectors are of what files were before."""
    if not embedded.saw_pictures:
        return
    changed = listed.changed(embedded.digests)
    if changed:
        raise EmbeddingError(
            f"{embedded.folder}: {len(changed):,} of the pictures that it has vectors of have "
            f"other bytes now, {changed[0]!r} for one; embed these faces again (lookalikes embed; "
            "those that are as they were are not embedded again)"
        )


def identities_apart(
    links: CannotLinks, faces: Faces, aliases: Aliases
) -> tuple[frozenset[tuple[str, str]], tuple[int, int]]:
    """Identities that cannot be one, and how many paths and pairs of faces do not fit.

    Returns:
        names, two each in their order; the number of paths that are no face of these, and of
        pairs of one identity.

    Raises:
        PairSetError: none of the paths is a face of these; or names are one identity's, too.
    """
    strangers = links.refuse_strangers(faces.paths, faces.place)
    owners = dict(zip(faces.paths, zip(faces.identities.tolist(), strict=True), strict=True))
    found, same = links.identities(owners)
    for a, b in sorted(found):
        if aliases.same(a, b):
            raise PairSetError(
                f"{', '.join(map(str, links.sources))}: {a!r} and {b!r} cannot be one identity by "
                "it, and are by the list of aliases; mend one of the two"
            )
    return found, (strangers, same)


def embedded_rows(models: Sequence[Embeddings], faces: Faces) -> Rows:
    """Rows of the faces that have a vector by each model, rising."""
    there = np.ones(len(faces), bool)
    for model in models:
        there &= model.faces.paths.find(faces.paths) >= 0
    return np.flatnonzero(there)


def alias_candidates(
    models: Sequence[Embeddings], faces: Faces, aliases: Aliases
) -> list[tuple[str, str]]:
    """Names of every two identities that are held against each other, each two sorted."""
    names = [*dict.fromkeys(faces.identities.tolist())]
    found = {(a, b) for a, b, _ in similar_names(names, names) if a < b}
    listed: dict[int, list[str]] = defaultdict(list)
    for name in sorted(names):
        group = aliases.groups.get(plain_name(name))
        if group is not None:
            listed[group].append(name)
    found |= {(a, b) for group in listed.values() for a in group for b in group if a < b}
    for model in models:
        ours, centres = centres_of(model)
        if len(ours) > 1:
            same = np.repeat(np.arange(len(ours)), 2).reshape(-1, 2)
            near = nearest_pairs(centres, centres, same, NEAREST)
            found |= {(min(p), max(p)) for i, j in near.tolist() for p in [(ours[i], ours[j])]}
    return sorted(found)


def alias_findings(
    check: Check,
    models: Sequence[Embeddings],
    faces: Faces,
    aliases: Aliases,
    apart: Collection[tuple[str, str]] = (),
    progress: Step = unheard,
) -> list[Finding]:
    """Every two identities that may be one, the surest first.

    Args:
        check: says it of a pair of faces of the two.
        models: by whose vectors each is held against its nearest.
        faces: of the folder.
        aliases: names known to be one identity's.
        apart: names, two each in their order, of identities that cannot be one.
        progress: of the check.
    """
    away = {*apart}
    candidates = [both for both in alias_candidates(models, faces, aliases) if both not in away]
    first: dict[str, str] = {}
    rows = embedded_rows(models, faces)
    for path, name in zip(faces.paths[rows].tolist(), faces.identities[rows].tolist(), strict=True):
        first.setdefault(name, path)
    both = [(a, b) for a, b in candidates if a in first and b in first]
    pairs = PairSet.of(
        [first[a] for a, _ in both], [first[b] for _, b in both], 0, identities=faces.named
    )
    doubt = check(pairs, progress)
    rows = np.flatnonzero(doubt.flagged)
    rows = rows[np.lexsort((rows, -doubt.score[rows]))]
    found = []
    for row in rows.tolist():
        (a, b), score = both[row], round(float(doubt.score[row]), 6)
        found.append(Finding("alias", (Note("", a, b, score, doubt.reasons[row], "ask"),)))
    return found


def face_findings(
    kind: str,
    scores: Floats,
    reasons: Sequence[str],
    faces: Faces,
    others: Sequence[str],
    *,
    act: bool,
) -> list[Finding]:
    """Findings of single faces, the surest first.

    Args:
        kind: of `pairsets.files.audit_kinds.OF_FACES`.
        scores: `[N]`, 0 to 1, of these faces.
        reasons: `N`, empty where a face is not suspected.
        faces: that were looked at.
        others: `N`, the identity that each is held against.
        act: they are to be left out; else a person is asked.
    """
    suggestion: Suggestion = "leave-out" if act else "ask"
    rows = np.flatnonzero([bool(reason) for reason in reasons])
    rows = rows[np.lexsort((rows, -scores[rows]))]
    return [
        Finding(
            kind,
            (
                Note(
                    faces.paths[row],
                    str(faces.identities[row]),
                    others[row],
                    round(float(scores[row]), 6),
                    reasons[row],
                    suggestion,
                ),
            ),
        )
        for row in rows.tolist()
    ]


def centres_of(embedded: Embeddings) -> tuple[list[str], Vectors]:
    """Names of identities, and the mean vector of each, `[C, D]` float32."""
    names = [*dict.fromkeys(embedded.faces.identities.tolist())]
    codes = embedded.faces.groups
    order = np.argsort(codes, kind="stable")
    sums = np.zeros((len(names), embedded.vectors.shape[1]))
    for start in range(0, len(order), _FACES):
        rows = order[start : start + _FACES]
        firsts = np.flatnonzero(np.diff(codes[rows], prepend=-1))
        vectors = gather(embedded.vectors, rows).astype(np.float64)
        sums[codes[rows][firsts]] += np.add.reduceat(vectors, firsts, axis=0)
    sizes = np.bincount(codes, minlength=len(names))
    return names, np.asarray((sums / np.maximum(sizes, 1)[:, None]).astype(np.float32))
