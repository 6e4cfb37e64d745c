"""IJB-B and IJB-C: `template1 template2 label` a line, separated by spaces, without a header.

The files name no subjects, but positives tell which templates are of one. A template is read as the
face `subject_000123/12065`, 123 being the smallest of all templates that positives join to it, so
that `identity_of` says who is who as far as the file does. A negative pair of two templates that
positives join contradicts them; its label stays, for the protocol counts it, and a note says so.

NIST's own lists have no label, `ENROLL,VERIF` a line, but its lists of templates name the subjects:
with those, a label says whether the two are one, and 123 is the subject itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pairsets.errors import SourceError
from pairsets.face_codes import Codes, FaceCodes, blocks
from pairsets.pairset import PairSet
from pairsets.paths import strings
from pairsets.progress import Step
from pairsets.sources.formats import Pairs
from pairsets.sources.formats.collection import gather_coded, held_by
from pairsets.sources.formats.owners import joined
from pairsets.sources.formats.refusals import MATCHES, header_of, why_refused
from pairsets.sources.templates import Templates, numbered, template_path
from pairsets.sources.text.text_lines import head_lines, opened, read_head, text_lines, write_lines

NAME = "ijb"
SUMMARY = "template1 template2 label a line, all numbers; label 1 same subject, 0 not"
KEEPS = frozenset({"label", "order"})
LACKING = "pairs of a template without pictures"
_LINE = re.compile(r"[ \t\r]*(\d{1,18})[ \t\r]+(\d{1,18})[ \t\r]+([01])[ \t\r]*", re.ASCII)
_EXPECTED = "expected TEMPLATE1 TEMPLATE2 LABEL, as in 1 11065 1"
_MATCH = re.compile(r"[ \t\r]*(\d{1,18})[ \t\r]*,[ \t\r]*(\d{1,18})[ \t\r]*", re.ASCII)
# Possessive, so that nothing is kept to go back to.
_ALL_MATCHES = re.compile(
    rb"(?:[ \t\r]*+(?:\d{1,18}[ \t\r]*+,[ \t\r]*+\d{1,18}[ \t\r]*+)?(?:\n|\Z))*+"
)
_EXPECTED_MATCH = "expected ENROLL,VERIF, as in 1,11065, in every line"
BLOCK = 1 << 22
_TOO_MUCH = 10**18
_KINDS = (np.int8, np.int32, np.int64)

Numbers = NDArray[np.integer]


def looks_like(path: Path, head: bytes) -> bool:
    """Whether every line is two numbers, and 0 or 1: so are those of `indices`, too."""
    lines = head_lines(head)
    return bool(lines) and all(_LINE.fullmatch(line) for line in lines)


def named_so(path: Path) -> bool:
    """Whether a file is called as those of IJB are, as ijbc_template_pair_label.txt is."""
    return any(word in path.name.lower() for word in ("ijb", "template"))


def are_matches(head: bytes) -> bool:
    """Whether every line is two templates and no label, as NIST lists its pairs."""
    lines = head_lines(head)
    if lines and header_of(lines) >= MATCHES:
        lines = lines[1:]
    return bool(lines) and all(_MATCH.fullmatch(line) for line in lines)


def read(
    path: Path,
    *,
    progress: Step | None = None,
    templates: str | Path | Sequence[str | Path] | None = None,
) -> Pairs:
    """Read pairs of templates.

    Args:
        path, progress: as in `Format`.
        templates: the files that list the pictures of each template; pairs of a template that they
            lack are dropped. Where they name subjects, as NIST's do, these are the identities.
            See `pairsets.sources.templates`.

    Raises:
        SourceError: a line that is not two templates and a label, or a pair with both labels; no
            labels, and no files that name subjects.
    """
    files = [templates] if isinstance(templates, str | Path) else [*(templates or ())]
    told = Templates.read_all(files) if files else None
    owners = None if told is None else told.owners
    matches = are_matches(read_head(path))
    if matches and owners is None:
        raise SourceError(why_refused(path, read_head(path)) or f"{path}: no labels")
    a, b, label, lines = read_numbers(path, progress, labelled=not matches)
    # Of all lines, so that a subject is called the same whatever is left out.
    numbers, names, owner, first, second = _subjects(a, b, label, owners)
    del a, b
    if matches:
        label = (owner[first] == owner[second]).astype(np.int8)
    kept = None
    if told is not None:
        listed = np.isin(numbers, told.numbers)
        kept = listed[first] & listed[second]
        if not kept.any():
            raise SourceError(
                f"{path}: no pair of templates that {', '.join(map(str, files))} lists; are they "
                "of one benchmark?"
            )
        if kept.all():
            kept = None
    lost = 0 if kept is None else int((~kept).sum())
    if kept is not None:
        first, second, label = first[kept], second[kept], label[kept]
        lines = (np.arange(1, kept.size + 1) if lines is None else lines)[kept]
    same = owner[first] == owner[second]
    against = same & (first != second) & (label == 0)
    notes = []
    if owners is not None and not matches:
        against |= ~same & (label == 1)
        if against.any():
            notes.append(
                f"{int(against.sum())} pairs have a label that says the opposite of the subjects; "
                "the labels stay as they are"
            )
    elif against.any():
        notes.append(
            f"{int(against.sum())} pairs are labelled as of different subjects, though positives "
            "join their templates; the labels stay as they are"
        )
    del against, same
    codes = FaceCodes.used(names, first, second)
    found = gather_coded(path, codes, label, lines=lines, notes=notes)
    dropped = dict(found.dropped)
    if lost:
        dropped[LACKING] = lost
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
    number = np.array([faces[face] for face in pairs.codes.faces], np.int64)
    a, b = number[pairs.codes.a], number[pairs.codes.b]
    _, names, _, first, second = _subjects(a, b, pairs.label)
    back = PairSet.coded(FaceCodes.used(names, first, second), pairs.label)
    write_lines(path, _lines(a, b, pairs.label), NAME)
    notes = list(held.notes)
    renamed = sum(face != name for face, name in zip(pairs.paths, back.paths, strict=True))
    if renamed:
        notes.append(
            f"{NAME} names no subjects: {renamed} templates will be read as of others, after the "
            "smallest template that positives join them to"
        )
    return Pairs(back, None, tuple(notes), held.dropped)


def _lines(a: Numbers, b: Numbers, label: NDArray[np.int8]) -> Iterator[str]:
    for rows in blocks(len(a)):
        columns = (column[rows].tolist() for column in (a, b, label))
        yield from (f"{one} {other} {told}" for one, other, told in zip(*columns, strict=True))


def names_of_templates(path: Path, owners: Mapping[int, int] | None = None) -> dict[int, str]:
    """Names of a file's templates as faces, by number.

    Args:
        path: of the file; without labels, as NIST has it, only where there are `owners`.
        owners: subject by template; what is not among them is a subject of its own.

    Raises:
        SourceError: as `read`.
    """
    if owners is None:
        numbers, names, *_ = _subjects(*read_numbers(path)[:3])
        return dict(zip(numbers.tolist(), names.tolist(), strict=True))
    a, b, *_ = read_numbers(path, labelled=not are_matches(read_head(path)))
    listed = np.union1d(a, b).tolist()
    return {number: template_path(owners.get(number, number), number) for number in listed}


def read_numbers(
    path: Path, progress: Step | None = None, block: int = BLOCK, *, labelled: bool = True
) -> tuple[Numbers, Numbers, Numbers, Numbers | None]:
    """The two templates and the label of each line, `[N]` each; by `block` bytes.

    Last comes the number of each line, `[N]`, where that is not 1, 2, ... Where lines are not
    `labelled`, as NIST's, the labels are 0.

    Raises:
        SourceError: no such file, no lines, or a line of another form.
    """
    head = read_head(path)
    headed = not labelled and header_of(head_lines(head)) >= MATCHES
    columns: tuple[list[Numbers], ...] = ([], [], [])
    plain, done, size = not headed, 0, path.stat().st_size
    with opened(path) as stream:
        if headed:
            done = len(stream.readline())
        while part := b"".join(stream.readlines(block)):
            clean = part.removeprefix(b"\xef\xbb\xbf") if not done else part
            found = _parsed(clean) if labelled else _parsed_matches(clean)
            if found is None:
                _blame(path, labelled=labelled)
            else:
                plain = plain and len(found) == part.count(b"\n") + (not part.endswith(b"\n"))
                for column, numbers in zip(columns, found.T, strict=True):
                    column.append(_narrow(numbers))
            done += len(part)
            if progress:
                progress(done, size)
    if not any(map(len, columns[0])):
        _blame(path, labelled=labelled)
    a, b, label = (_joined(column) for column in columns)
    # Blank lines are rare: only where there are some is the file read again to find them.
    if plain:
        return a, b, label, None
    lines = np.fromiter((line for line, _ in text_lines(path)), np.int64)
    return a, b, label, lines[1:] if headed else lines


def _narrow(numbers: NDArray[np.int64]) -> Numbers:
    """Numbers from 0 on in as few bytes as hold them, as a column of its own."""
    most = int(numbers.max(initial=0))
    kind = next(one for one in _KINDS if most <= np.iinfo(one).max)
    return numbers.astype(kind)


def _joined(parts: list[Numbers]) -> Numbers:
    """Parts of a column one after the other, which are no more after that."""
    found = np.concatenate(parts)
    parts.clear()
    return found


def _parsed(block: bytes, cells: int = 3) -> Numbers | None:
    """The numbers in whole lines, `[N, cells]`; None if one is not as it should be."""
    if block.translate(None, b"0123456789 \t\r\n"):
        return None
    if not block:  # of a file that is but a byte-order mark
        return np.empty((0, cells), np.int64)
    text = np.frombuffer(block, np.uint8)
    digit = text >= ord("0")
    begun = np.cumsum(digit & ~np.r_[False, digit[:-1]], dtype=np.int32)
    ends = begun[np.r_[np.flatnonzero(text == ord("\n")), text.size - 1]]
    if not np.isin(np.diff(ends, prepend=0), (0, cells)).all():
        return None
    if not ends[-1]:
        return np.empty((0, cells), np.int64)
    clean = BytesIO(block.replace(b"\r", b" "))
    try:
        rows = pd.read_csv(clean, sep=r"\s+", header=None, dtype=np.int64).to_numpy()
    except (ValueError, OverflowError):  # a number too large for 64 bits
        return None
    labels = rows[:, 2:].max(initial=0)
    return rows if rows.max() < _TOO_MUCH and labels <= 1 else None


def _parsed_matches(block: bytes) -> Numbers | None:
    """The numbers in whole lines of `ENROLL,VERIF`, and a label of 0, `[N, 3]`; or None."""
    if not _ALL_MATCHES.fullmatch(block):
        return None
    found = _parsed(block.replace(b",", b" "), 2)
    return None if found is None else np.pad(found, ((0, 0), (0, 1)))


def _subjects(
    a: Numbers,
    b: Numbers,
    label: NDArray[np.integer],
    owners: Mapping[int, int] | None = None,
) -> tuple[Numbers, NDArray[np.object_], Numbers, Codes, Codes]:
    """The templates `[T]`, rising, their names as faces, whom each belongs to; both ends of pairs.

    Owners and ends are rows of the templates; where `owners` says who they are, owners are
    subjects, and -1 for a template that it lacks.
    """
    numbers = np.union1d(pd.unique(a), pd.unique(b)).astype(np.int64)
    first, second = _places(numbers, a), _places(numbers, b)
    if owners is not None:
        told = numbers.tolist()
        subject = np.array([owners.get(number, -1) for number in told], np.int64)
        paths = strings(template_path(owners.get(number, number), number) for number in told)
        return numbers, paths, subject, first, second
    same = label == 1
    owner = joined(first[same], second[same], numbers.size)
    names = strings(map(template_path, numbers[owner].tolist(), numbers.tolist()))
    return numbers, names, owner, first, second


def _places(numbers: Numbers, values: Numbers) -> Codes:
    """Places of values among rising numbers that hold them all."""
    found = np.empty(len(values), np.int32)
    for rows in blocks(len(values)):
        found[rows] = np.searchsorted(numbers, values[rows])
    return found


def _blame(path: Path, *, labelled: bool) -> None:
    """Raise SourceError for the first line that is not as it should be."""
    form, expected = (_LINE, _EXPECTED) if labelled else (_MATCH, _EXPECTED_MATCH)
    for line, text in text_lines(path):
        if not form.fullmatch(text) and (labelled or line > 1 or not header_of([text]) >= MATCHES):
            why = why_refused(path, text.encode() + b"\n") if labelled else None
            raise SourceError(why or f"{path}, line {line}: {text[:80]!r}; {expected}")
    raise SourceError(f"{path}: no pairs in it; {expected}")
