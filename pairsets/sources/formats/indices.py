"""Numbers of pictures: `I J LABEL` a line, of pictures `I.jpg` in one flat folder.

QMagFace keeps AgeDB and CFP so. The same lines may be templates of IJB's: only what the numbers
stand for tells the two apart, so that nothing in the file does. Who is on a picture is known as far
as positive pairs tell; see `owners`.
"""

from __future__ import annotations

import re
from pathlib import Path

from pairsets.errors import SourceError
from pairsets.progress import Step
from pairsets.sources.formats import Pairs, ijb
from pairsets.sources.formats.collection import gather, held_by
from pairsets.sources.formats.ijb import read_numbers
from pairsets.sources.formats.inferred_folds import read_folds, written_folds
from pairsets.sources.formats.numbered_pictures import named, unsaid
from pairsets.sources.formats.owners import owners
from pairsets.sources.text.text_lines import HOLDS_ANY, write_lines

NAME = "indices"
SUMMARY = "I J LABEL a line, of pictures I.jpg and J.jpg in one flat folder; label 1 same, 0 not"
KEEPS = frozenset({"label", "folds"})
_FACE = re.compile(r"([0-9]{1,18})(\.[^./\s]+)", re.ASCII)


def looks_like(path: Path, head: bytes) -> bool:
    """Whether every line is two numbers, and 0 or 1, in a file that is not called as IJB's are."""
    return ijb.looks_like(path, head) and not ijb.named_so(path)


def read(
    path: Path,
    *,
    progress: Step | None = None,
    folds: int | None = None,
    suffix: str | None = None,
    digits: int | None = None,
    faces: Path | None = None,
) -> Pairs:
    """Read pairs of numbers.

    Raises:
        SourceError: a line that is not two numbers and a label, or pictures that are not there.
    """
    a, b, label, lines = read_numbers(path, progress)
    wanted = [("", number) for number in dict.fromkeys([*a.tolist(), *b.tolist()])]
    name, notes = named(path, wanted, suffix=suffix, digits=digits, usual_digits=1, faces=faces)
    first, second = ([name["", number] for number in side.tolist()] for side in (a, b))
    identities, told = owners(path, first, second, label)
    parts, inferred = read_folds(path, label, folds)
    return gather(
        path,
        first,
        second,
        label,
        folds=parts,
        lines=lines,
        notes=[*notes, *told, *inferred],
        identities=identities,
    )


def write(content: Pairs, path: Path) -> Pairs:
    """Write `I J LABEL` a line; folds of equal blocks keep, in the order of the file.

    Raises:
        SourceError: a path that is not the number of a picture in no folder, one number twice, or
            several endings.
    """
    held = written_folds(held_by(NAME, KEEPS, content), NAME)
    pairs = held.pairs
    number: dict[str, int] = {}
    rests: set[str] = set()
    for face in pairs.paths:
        match = _FACE.fullmatch(face)
        if not match or str(int(match[1])) != match[1]:
            raise SourceError(
                f"{NAME} cannot hold {face!r}: it names a picture by its number alone, as 12.jpg; "
                f"trials, {HOLDS_ANY}"
            )
        number[face] = int(match[1])
        rests.add(match[2])
    if len(rests) > 1:
        raise SourceError(
            f"{NAME} cannot hold pictures with several endings, as {' and '.join(sorted(rests))}; "
            f"trials, {HOLDS_ANY}"
        )
    (rest,) = rests
    rows = zip(pairs.path_a, pairs.path_b, pairs.label.tolist(), strict=True)
    write_lines(path, (f"{number[a]} {number[b]} {label}" for a, b, label in rows), NAME)
    return Pairs(pairs, held.folds, (*held.notes, *unsaid(NAME, rest)), held.dropped)


def fit(path: Path, faces: Path) -> bool | None:
    """Whether the numbers of a file are those of the pictures in a folder; None where it is open.

    They are if each is, and they are most of those that lie there: in IJB's folder of pictures
    each number of a template is that of some picture, too, but the pictures are many more.

    Raises:
        SourceError: as `read`; no such folder.
    """
    a, b, *_ = read_numbers(path)
    wanted = {*a.tolist(), *b.tolist()}
    if not faces.is_dir():
        raise SourceError(f"{faces}: no such folder of faces")
    there = {
        int(file.stem)
        for file in faces.iterdir()
        if file.stem.isascii() and file.stem.isdigit() and len(file.stem) <= 18
    }
    if wanted <= there:
        return True if 2 * len(wanted) > len(there) else None
    return False if not wanted & there else None
