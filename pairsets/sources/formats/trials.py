"""Trials: two paths and a label a line, as PyTorch projects keep LFW and VoxCeleb its trials.

The label stands behind the paths (`PATH PATH LABEL`) or before them (`LABEL PATH PATH`); without
one, a pair is of the same person where the folder is the same. Fields are set off by blanks, tabs
or commas.
"""

from __future__ import annotations

import re
from pathlib import Path

from pairsets.errors import SourceError
from pairsets.identities.rules import Rule
from pairsets.paths import is_image
from pairsets.progress import Step
from pairsets.sources.formats import Pairs
from pairsets.sources.formats.collection import gather, held_by
from pairsets.sources.formats.fields import (
    EXPECTED_LABEL,
    Layout,
    fields,
    labels,
    layout_of,
    several,
)
from pairsets.sources.formats.inferred_folds import read_folds, written_folds
from pairsets.sources.formats.owners import by_folders, owners
from pairsets.sources.text.text_lines import (
    HOLDS_ANY,
    head_lines,
    read_head,
    text_lines,
    write_lines,
)

NAME = "trials"
SUMMARY = "two paths a line and a label behind or before them: a/1.jpg b/2.jpg 0; or no label"
KEEPS = frozenset({"label", "folds"})
_COUNTED = re.compile(r"-?[0-9]+(?:\.[0-9]+)?\s+\S")
_FORMS: dict[Layout, str] = {
    "behind": "PATH PATH LABEL",
    "before": "LABEL PATH PATH",
    "none": "PATH PATH",
}


def looks_like(path: Path, head: bytes) -> bool:
    """Whether every line is two paths of images, with a label or without."""
    return layout_of(head_lines(head)) is not None


def read(
    path: Path,
    *,
    progress: Step | None = None,
    folds: int | None = None,
    rule: Rule | None = None,
) -> Pairs:
    """Read pairs of one line.

    Raises:
        SourceError: a line of another form than the first, a label that is none, or no labels and
            no folders that would tell them.
    """
    start = head_lines(read_head(path))[:1]
    layout = layout_of(start)
    first: list[str] = []
    second: list[str] = []
    known: dict[str, str] = {}
    said: list[str] = []
    lines: list[int] = []
    for number, line in text_lines(path, progress):
        found = fields(line)
        if layout is None or found is None or found.layout != layout:
            raise SourceError(f"{path}, line {number}: {_problem(line, layout)}")
        # One string for each face, however often it comes.
        first.append(known.setdefault(found.a, found.a))
        second.append(known.setdefault(found.b, found.b))
        said.append(found.before or found.behind)
        lines.append(number)
    if not lines:
        raise SourceError(f"{path}: no pairs in it; expected {_expected(layout)}")
    notes: list[str] = []
    if layout == "none":
        if all(map(_COUNTED.match, first)):
            raise SourceError(
                f"{path}, line {lines[0]}: {first[0][:80]!r} begins with a number, as every line "
                f"does; if that is a label, expected {EXPECTED_LABEL}; if not, set the paths off "
                "by a tab and give each line a label"
            )
        label = by_folders(path, first, second, rule)
        how = "folder is the same" if rule is None else f"identity is, by {rule.said}"
        notes.append(f"no labels in it: a pair is of the same where the {how}")
        identities = None
    else:
        label = labels(path, said, lines)
        identities, notes = owners(path, first, second, label)
    parts, told = read_folds(path, label, folds)
    return gather(
        path,
        first,
        second,
        label,
        folds=parts,
        lines=lines,
        notes=[*notes, *told],
        identities=identities,
    )


def write(content: Pairs, path: Path) -> Pairs:
    """Write `PATH PATH LABEL` a line; folds of equal blocks keep, in the order of the file.

    Blanks set the fields off, tabs where a path holds a blank.

    Raises:
        SourceError: a path that does not end as an image does, or holds a tab, or the ending of an
            image and a blank behind it.
    """
    held = written_folds(held_by(NAME, KEEPS, content), NAME)
    pairs = held.pairs
    blank = False
    for face in pairs.paths:
        if not is_image(face) or "\t" in face or face != face.strip() or several(face):
            raise SourceError(
                f"{NAME} cannot hold {face!r}: it knows a path by how images end, and sets two off "
                f"by a blank or a tab; {HOLDS_ANY}"
            )
        blank = blank or any(sign.isspace() for sign in face)
    sign = "\t" if blank else " "
    rows = zip(pairs.path_a, pairs.path_b, pairs.label.tolist(), strict=True)
    write_lines(path, (f"{a}{sign}{b}{sign}{label}" for a, b, label in rows), NAME)
    return held


def _expected(layout: Layout | None) -> str:
    return _FORMS[layout] if layout else " or ".join(_FORMS.values())


def _problem(line: str, layout: Layout | None) -> str:
    what = f"{line[:80]!r}; expected {_expected(layout)}"
    if layout is not None:
        return f"{what}, as in line 1"
    return f"{what}, such as a/1.jpg b/2.jpg 0, in which paths end as images do"
