"""Bad crops of a folder, block by block, so that an interrupted search goes on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mining.overlap.copies import state_of
from pairsets.arrays import Floats
from pairsets.faces import Faces
from pairsets.files.audit_findings import Finding, Note
from pairsets.progress import Step, unheard
from pairsets.storage.resume import Parts

# Faces that are looked at between two entries of the journal.
BLOCK = 1024


class CropCheck(Protocol):
    """A check of faces one by one, as `mining.suspects.crops.BadCrops` is."""

    @property
    def unread(self) -> Mapping[str, str]:
        """Causes by path, of the faces so far that could not be read."""

    def of_faces(self, paths: list[str], progress: Step = unheard) -> tuple[Floats, list[str]]:
        """Score and reason of each face."""


def bad_crops(
    check: CropCheck,
    faces: Faces,
    *,
    journal: Path,
    facts: object,
    progress: Step = unheard,
) -> tuple[list[Finding], dict[str, str]]:
    """Faces that are bad crops, and causes of those that cannot be read.

    Args:
        check: says it of each face.
        faces: files below their folder.
        journal: file in which blocks of faces that were looked at are noted.
        facts: tell this search from any other; see `pairsets.storage.resume.Parts`.
        progress: called with the faces done, and all.
    """
    parts = Parts(journal, facts)
    found: list[Finding] = []
    unread: dict[str, str] = {}
    for start in range(0, len(faces), BLOCK):
        rows = slice(start, min(start + BLOCK, len(faces)))
        paths = faces.paths[rows].tolist()
        state = state_of(faces.root, paths)
        block = parts.read(state)
        if block is None:
            block = _looked_at(check, paths, _after(progress, start, len(faces)))
            parts.write(block, state)
        elif block[1]:
            # What could not be read may be readable now.
            again = _looked_at(check, sorted(block[1]), unheard)
            block = [[*block[0], *again[0]], again[1]]
        names = dict(zip(paths, faces.identities[rows].tolist(), strict=True))
        found += [
            Finding("crop", (Note(path, names[path], "", score, why, "leave-out"),))
            for path, score, why in block[0]
        ]
        unread |= block[1]
        progress(rows.stop, len(faces))
    order = np.argsort([-(one.notes[0].score or 0) for one in found], kind="stable")
    return [found[at] for at in order.tolist()], unread


def _looked_at(check: CropCheck, paths: list[str], progress: Step) -> list[Any]:
    """Path, score and reason of each bad crop, and causes by path of what cannot be read."""
    scores, reasons = check.of_faces(paths, progress)
    known = check.unread
    bad = [[paths[at], float(scores[at]), reason] for at, reason in enumerate(reasons) if reason]
    return [bad, {path: known[path] for path in paths if path in known}]


def _after(progress: Step, before: int, total: int) -> Step:
    """Progress of a part, told as that of the whole."""

    def tell(done: int, _: int) -> None:
        progress(before + done, total)

    return tell
