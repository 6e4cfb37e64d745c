"""SLLFW: two lines a pair, each the path of a face; one person where the folder is the same."""

from __future__ import annotations

from pathlib import Path

from pairsets.errors import SourceError
from pairsets.faces import identity_of
from pairsets.identities.rules import Rule
from pairsets.paths import is_image
from pairsets.progress import Step
from pairsets.sources.formats import Pairs
from pairsets.sources.formats.collection import gather, held_by
from pairsets.sources.formats.fields import TWO_FACES, several
from pairsets.sources.formats.inferred_folds import read_folds, written_folds
from pairsets.sources.formats.owners import by_folders, unclear
from pairsets.sources.formats.refusals import are_listed
from pairsets.sources.text.text_lines import HOLDS_ANY, head_lines, text_lines, write_lines

NAME = "sllfw"
SUMMARY = "two lines a pair, each name/name_0001.jpg; same where the folder is the same"
KEEPS = frozenset({"label", "folds"})


def looks_like(path: Path, head: bytes) -> bool:
    """Whether every line is the path of an image in a folder, and they are no list of images."""
    lines = [line.rstrip() for line in head_lines(head)]
    return bool(lines) and all(map(_is_face, lines)) and not are_listed(lines)


def read(
    path: Path,
    *,
    progress: Step | None = None,
    folds: int | None = None,
    rule: Rule | None = None,
) -> Pairs:
    """Read pairs of two lines; the label is whether both faces lie in one folder.

    Raises:
        SourceError: a line that is not the path of a face in a folder, one without its second, or
            folders of folders, where it depends on which is the person's.
    """
    faces: list[str] = []
    lines: list[int] = []
    for number, line in text_lines(path, progress):
        face = line.rstrip()
        if "/" not in face and rule is None:
            raise SourceError(
                f"{path}, line {number}: {face[:80]!r}; expected the path of a face in its "
                "person's folder, such as Aaron_Peirsol/Aaron_Peirsol_0001.jpg"
            )
        if several(face):
            raise SourceError(f"{path}, line {number}: {face[:80]!r} names two faces; {TWO_FACES}")
        faces.append(face)
        lines.append(number)
    if len(faces) % 2:
        raise SourceError(
            f"{path}, line {lines[-1]}: a face without a second; expected two lines a pair. Is the "
            "file cut short, or a line missing?"
        )
    first, second = faces[::2], faces[1::2]
    label = by_folders(path, first, second, rule)
    parts, notes = read_folds(path, label, folds)
    return gather(path, first, second, label, folds=parts, lines=lines[::2], notes=notes)


def write(content: Pairs, path: Path) -> Pairs:
    """Write two lines a pair; folds of equal blocks keep, in the order of the file.

    Raises:
        SourceError: a label that the folders contradict, or a path without a folder, or with a
            name that one line cannot hold.
    """
    held = written_folds(held_by(NAME, KEEPS, content), NAME)
    pairs = held.pairs
    for row, label in enumerate(pairs.label.tolist()):
        one, other = pairs.names(row)
        if label != (one == other):
            raise SourceError(
                f"{NAME} cannot hold {pairs.path_a[row]!r} and {pairs.path_b[row]!r} with label "
                f"{label}: it knows the same person by the same folder; {HOLDS_ANY}"
            )
    for face in pairs.paths:
        if "/" not in face or face != face.rstrip() or several(face):
            raise SourceError(
                f"{NAME} cannot hold {face!r}, outside a folder or with a space at its end or "
                f"behind what ends as an image does; {HOLDS_ANY}"
            )
    row_of = unclear([identity_of(a) for a in pairs.path_a], [identity_of(b) for b in pairs.path_b])
    if row_of is not None:
        raise SourceError(
            f"{NAME} cannot hold {pairs.path_a[row_of]!r} and {pairs.path_b[row_of]!r}: it has no "
            f"labels, and by some folders these are of one, by others of two; trials, {HOLDS_ANY}"
        )
    rows = zip(pairs.path_a, pairs.path_b, strict=True)
    write_lines(path, (face for row in rows for face in row), NAME)
    return held


def _is_face(line: str) -> bool:
    return "/" in line and is_image(line) and not several(line)
