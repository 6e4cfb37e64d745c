"""Identities of which no pair of two pictures can be made, once what is doubted is put aside."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence

from pairsets.faces import Faces
from pairsets.files.audit_findings import Finding, Note

# Pictures that a pair of one identity takes.
LEAST = 2
# Words for what a picture may be put aside for; more than one of them has an s.
_WORDS = {
    "duplicate": "a copy",
    "mislabel": "may be another's",
    "crop": "a bad crop",
    "outlier": "like no other",
    "unread": "not readable",
}


def scarce_identities(
    faces: Faces, findings: Sequence[Finding], unread: Collection[str]
) -> list[Finding]:
    """Identities with fewer than `LEAST` usable pictures, by name.

    Not usable is a picture that cannot be read, that is to be left out, or of which a person is
    asked whether it is this identity's, or a face like others at all.
    """
    doubted: dict[str, str] = dict.fromkeys(unread, "unread")
    for path, kind in _doubted(findings):
        doubted.setdefault(path, kind)
    usable: Counter[str] = Counter()
    aside: dict[str, Counter[str]] = defaultdict(Counter)
    for path, name in zip(faces.paths, faces.identities.tolist(), strict=True):
        cause = doubted.get(path)
        usable[name] += cause is None
        if cause is not None:
            aside[name][cause] += 1
    return [
        Finding("few", (Note("", name, "", None, _reason(count, aside[name]), "ask"),))
        for name, count in sorted(usable.items())
        if count < LEAST
    ]


def _doubted(findings: Iterable[Finding]) -> Iterable[tuple[str, str]]:
    """Paths that are not to be counted, and the kind of what is said of each."""
    for one in findings:
        for note in one.notes:
            asked = note.suggestion == "ask" and one.kind in ("duplicate", "mislabel", "outlier")
            if note.path and (asked or note.suggestion == "leave-out"):
                yield note.path, one.kind


def _reason(usable: int, aside: Counter[str]) -> str:
    """Words on how many pictures are left, and what became of the others."""
    left = f"{usable or 'no'} usable picture{'' if usable == 1 else 's'}"
    if not aside:
        return left
    told = ", ".join(f"{count} {_WORDS.get(kind, kind)}" for kind, count in sorted(aside.items()))
    return f"{left} of {usable + aside.total()} ({told})"
