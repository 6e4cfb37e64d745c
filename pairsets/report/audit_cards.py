"""Cards of the page of an audit: which faces stand beside each other, and what is said of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pairsets.faces import Faces
from pairsets.files.audit_findings import Finding, Note
from pairsets.files.audit_kinds import AUDIT_KINDS, OF_PAIRS
from pairsets.files.audits import Audit
from pairsets.paths import base_name

# Findings of each kind that the page shows, and faces side by side; the rest is counted.
SHOWN, GROUP, BESIDE = 48, 6, 3


@dataclass(frozen=True)
class CardFace:
    """Face of a card.

    Attributes:
        path: relative to the folder of faces.
        name: of the file, without its folders.
        suggestion: keep, leave-out or ask; empty of one that only stands beside.
    """

    path: str
    name: str
    suggestion: str = ""


@dataclass(frozen=True)
class Lane:
    """Faces of a card that stand under one heading.

    Attributes:
        title: heading, such as an identity's name; may be empty.
        faces: some of them.
        more: how many others there are.
    """

    title: str
    faces: tuple[CardFace, ...]
    more: int = 0


@dataclass(frozen=True)
class Card:
    """Card of one finding.

    Attributes:
        kind: of `AUDIT_KINDS`.
        number: of the finding within its kind, from 1 on, as in `audit.csv`.
        names: the identities that it is about.
        lanes: faces side by side.
        reason: why, in words; may be empty where each face has its own.
        score: of the surest note, or None.
    """

    kind: str
    number: int
    names: tuple[str, ...]
    lanes: tuple[Lane, ...]
    reason: str
    score: float | None

    @property
    def sought(self) -> str:
        """Text that a search looks in: names and paths, in small letters."""
        paths = [face.path for lane in self.lanes for face in lane.faces]
        return "\n".join([*self.names, *paths]).lower()

    @property
    def title(self) -> str:
        """Names of the card; of many the first ones."""
        few = ", ".join(self.names[:3])
        return few if len(self.names) <= 3 else f"{few} and {len(self.names) - 3} more"


def cards_of(audit: Audit, faces: Faces) -> dict[str, list[Card]]:
    """Cards of each kind that something was found of, the first `SHOWN` findings of it."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(faces.identities.tolist()):
        rows[name].append(row)
    found: dict[str, list[Card]] = {kind: [] for kind in AUDIT_KINDS}
    numbers = dict.fromkeys(AUDIT_KINDS, 0)
    for one in audit.findings:
        numbers[one.kind] += 1
        if numbers[one.kind] <= SHOWN:
            found[one.kind].append(_card(one, numbers[one.kind], faces, rows))
    return {kind: cards for kind, cards in found.items() if cards}


def _card(one: Finding, number: int, faces: Faces, rows: Mapping[str, Sequence[int]]) -> Card:
    scores = [note.score for note in one.notes if note.score is not None]
    score = max(scores, default=None)
    first = one.notes[0]
    if one.kind in OF_PAIRS:
        # Whose each is stands above where it is one identity's.
        several = len(one.names) > 1
        shown = tuple(_face(note, named=several) for note in one.notes[:GROUP])
        lanes = [Lane("", shown, len(one.notes) - len(shown))]
        reasons = list(dict.fromkeys(note.reason for note in one.notes))
        reason = "; ".join(reasons[:2]) + ("; and others" if len(reasons) > 2 else "")
    elif first.path:
        lanes = [Lane("" if one.kind == "crop" else "in doubt", (_face(first),))]
        if one.kind != "crop":
            beside = [("others of", first.identity), ("near", first.other)]
            lanes += [
                _members(f"{what} {name}", name, faces, rows, BESIDE, first.path)
                for what, name in beside
                if len([row for row in rows.get(name, ()) if faces.paths[row] != first.path])
            ]
        reason = first.reason.removeprefix(f"{first.path}: ")
    else:
        lanes = [_members(name, name, faces, rows, GROUP) for name in one.names]
        reason = first.reason
        for a, b in ((first.identity, first.other), (first.other, first.identity)):
            reason = reason.removeprefix(f"{a} and {b}: ")
    return Card(one.kind, number, tuple(one.names), tuple(lanes), reason, score)


def _face(note: Note, *, named: bool = False) -> CardFace:
    front = f"{note.identity}/" if named else ""
    return CardFace(note.path, f"{front}{base_name(note.path)}", note.suggestion)


def _members(
    title: str,
    name: str,
    faces: Faces,
    rows: Mapping[str, Sequence[int]],
    most: int,
    without: str = "",
) -> Lane:
    """Some of an identity's faces, spread evenly over them."""
    paths = [faces.paths[row] for row in rows.get(name, ())]
    paths = [path for path in paths if path != without]
    chosen = paths
    if len(paths) > most:
        chosen = [paths[at] for at in (np.arange(most) * len(paths) // most).tolist()]
    shown = tuple(CardFace(path, base_name(path)) for path in chosen)
    return Lane(title, shown, len(paths) - len(shown))
