"""IJB-B and IJB-C: `template1 template2 label` a line, separated by spaces, without a header.

The files name no subjects, but positives tell which templates are of one. A template is read as the
face `subject_000123/12065`, 123 being the smallest of all templates that positives join to it, so
that `identity_of` says who is who as far as the file does. A negative pair of two templates that
positives join contradicts them; its label stays, for the protocol counts it, and a note says so.
"""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pairsets.errors import SourceError
from pairsets.pairset import PairSet
from pairsets.paths import strings
from pairsets.progress import Step
from pairsets.sources.formats import Pairs
from pairsets.sources.formats.collection import gather, held_by
from pairsets.sources.formats.owners import joined
from pairsets.sources.formats.refusals import why_refused
from pairsets.sources.templates import Templates, numbered, template_path
from pairsets.sources.text.text_lines import head_lines, opened, read_head, text_lines, write_lines

NAME = "ijb"
SUMMARY = "template1 template2 label a line, all numbers; label 1 same subject, 0 not"
KEEPS = frozenset({"label", "order"})
LACKING = "pairs of a template without pictures"
_LINE = re.compile(r"[ \t\r]*(\d{1,18})[ \t\r]+(\d{1,18})[ \t\r]+([01])[ \t\r]*", re.ASCII)
_EXPECTED = "expected TEMPLATE1 TEMPLATE2 LABEL, as in 1 11065 1"
BLOCK = 1 << 22
_TOO_MUCH = 10**18

Numbers = NDArray[np.int64]


def looks_like(path: Path, head: bytes) -> bool:
    """Whether every line is two numbers, and 0 or 1: so are those of `indices`, too."""
    lines = head_lines(head)
    return bool(lines) and all(_LINE.fullmatch(line) for line in lines)


def named_so(path: Path) -> bool:
    """Whether a file is called as those of IJB are, as ijbc_template_pair_label.txt is."""
    return any(word in path.name.lower() for word in ("ijb", "template"))


def read(path: Path, *, progress: Step | None = None, templates: str | Path | None = None) -> Pairs:
    """Read pairs of templates.

    Args:
        path, progress: as in `Format`.
        templates: the file that lists the pictures of each template; pairs of a template that it
            lacks are dropped. See `pairsets.sources.templates`.

    Raises:
        SourceError: a line that is not two templates and a label, or a pair with both labels.
    """
    a, b, label, lines = read_numbers(path, progress)
    known = None if templates is None else Templates.read(templates).numbers
    kept = np.ones(a.size, bool) if known is None else np.isin(a, known) & np.isin(b, known)
    if not kept.any():
        raise SourceError(
            f"{path}: no pair of templates that {templates} lists; are the two of one benchmark?"
        )
    # Of all lines, so that a subject is called the same whatever is left out.
    _, names, owner, first, second = _subjects(a, b, label)
    against = int(((owner[first] == owner[second]) & (first != second) & (label == 0) & kept).sum())
    notes = []
    if against:
        notes.append(
            f"{against} pairs are labelled as of different subjects, though positives join their "
            "templates; the labels stay as they are"
        )
    del a, b
    found = gather(
        path, names[first[kept]], names[second[kept]], label[kept], lines=lines[kept], notes=notes
    )
    dropped = dict(found.dropped)
    if not kept.all():
        dropped[LACKING] = int((~kept).sum())
    return Pairs(found.pairs, None, found.notes, dropped)


def write(content: Pairs, path: Path) -> Pairs:
    """Write `template1 template2 label` a line; subjects are not written, but follow from these.

    Raises:
        SourceError: a face whose name is not the number of a template, or one number for two.
    """
    held = held_by(NAME, KEEPS, content)
    pairs = held.pairs
    try:
        faces = {face: number for number, face in numbered(pairs.paths).items()}
    except SourceError as error:
        raise SourceError(f"{NAME} cannot hold these pairs: {error}") from None
    sides = pairs.path_a, pairs.path_b
    a, b = (np.array([faces[face] for face in side], np.int64) for side in sides)
    _, names, _, first, second = _subjects(a, b, pairs.label)
    back = PairSet.of(names[first], names[second], pairs.label)
    rows = zip(a.tolist(), b.tolist(), pairs.label.tolist(), strict=True)
    write_lines(path, (f"{one} {other} {label}" for one, other, label in rows), NAME)
    notes = list(held.notes)
    renamed = sum(face != name for face, name in zip(pairs.paths, back.paths, strict=True))
    if renamed:
        notes.append(
            f"{NAME} names no subjects: {renamed} templates will be read as of others, after the "
            "smallest template that positives join them to"
        )
    return Pairs(back, None, tuple(notes), held.dropped)


def names_of_templates(path: Path) -> dict[int, str]:
    """Names of a file's templates as faces, by number.

    Raises:
        SourceError: as `read`.
    """
    numbers, names, *_ = _subjects(*read_numbers(path)[:3])
    return dict(zip(numbers.tolist(), names.tolist(), strict=True))


def read_numbers(
    path: Path, progress: Step | None = None, block: int = BLOCK
) -> tuple[Numbers, ...]:
    """The two templates, the label and the number of each line, `[N]` each; by `block` bytes.

    Raises:
        SourceError: no such file, no lines, or a line of another form.
    """
    read_head(path)
    blocks: list[Numbers] = []
    plain, done, size = True, 0, path.stat().st_size
    with opened(path) as stream:
        while part := b"".join(stream.readlines(block)):
            found = _parsed(part.removeprefix(b"\xef\xbb\xbf") if not done else part)
            if found is None:
                _blame(path)
            else:
                plain = plain and len(found) == part.count(b"\n") + (not part.endswith(b"\n"))
                blocks.append(found)
            done += len(part)
            if progress:
                progress(done, size)
    rows = np.concatenate([np.empty((0, 3), np.int64), *blocks])
    if not len(rows):
        _blame(path)
    # Blank lines are rare: only where there are some is the file read again to find them.
    lines = np.arange(1, len(rows) + 1)
    if not plain:
        lines = np.fromiter((line for line, _ in text_lines(path)), np.int64)
    return rows[:, 0], rows[:, 1], rows[:, 2], lines


def _parsed(block: bytes) -> Numbers | None:
    """The numbers in whole lines, `[N, 3]`; None if one is not as it should be."""
    if block.translate(None, b"0123456789 \t\r\n"):
        return None
    if not block:  # of a file that is but a byte-order mark
        return np.empty((0, 3), np.int64)
    text = np.frombuffer(block, np.uint8)
    digit = text >= ord("0")
    begun = np.cumsum(digit & ~np.r_[False, digit[:-1]], dtype=np.int32)
    ends = begun[np.r_[np.flatnonzero(text == ord("\n")), text.size - 1]]
    if not np.isin(np.diff(ends, prepend=0), (0, 3)).all():
        return None
    if not ends[-1]:
        return np.empty((0, 3), np.int64)
    clean = BytesIO(block.replace(b"\r", b" "))
    try:
        rows = pd.read_csv(clean, sep=r"\s+", header=None, dtype=np.int64).to_numpy()
    except (ValueError, OverflowError):  # a number too large for 64 bits
        return None
    return rows if rows.max() < _TOO_MUCH and rows[:, 2].max() <= 1 else None


def _subjects(
    a: Numbers, b: Numbers, label: NDArray[np.integer]
) -> tuple[Numbers, NDArray[np.object_], Numbers, Numbers, Numbers]:
    """The templates `[T]`, rising, their names as faces, whom each belongs to; both ends of pairs.

    Owners and ends are rows of the templates.
    """
    numbers, codes = np.unique(np.concatenate([a, b]), return_inverse=True)
    first, second = codes[: a.size], codes[a.size :]
    owner = joined(first[label == 1], second[label == 1], numbers.size)
    names = strings(map(template_path, numbers[owner].tolist(), numbers.tolist()))
    return numbers, names, owner, first, second


def _blame(path: Path) -> None:
    """Raise SourceError for the first line that is not as it should be."""
    for line, text in text_lines(path):
        if not _LINE.fullmatch(text):
            why = why_refused(path, text.encode() + b"\n")
            raise SourceError(why or f"{path}, line {line}: {text[:80]!r}; {_EXPECTED}")
    raise SourceError(f"{path}: no pairs in it; {_EXPECTED}")
