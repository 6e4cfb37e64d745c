"""JSON lines: an object a pair, with the names that the columns of a pair file have."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pairsets.progress import Step
from pairsets.sources.formats import KEEPABLE, Pairs
from pairsets.sources.formats.collection import held_by
from pairsets.sources.formats.records import EXPECTED, NAMES, Values, gather_records, records_of
from pairsets.sources.text.text_lines import head_lines, json_objects
from pairsets.storage.artefacts import atomic_write

NAME = "jsonl"
SUMMARY = 'an object a line: {"pathA": "a/1.jpg", "pathB": "b/2.jpg", "label": 0}'
KEEPS = KEEPABLE - {"identities"}


def looks_like(path: Path, head: bytes) -> bool:
    """Whether the first line is an object with a pathA and a pathB."""
    lines = head_lines(head)
    try:
        record = json.loads(lines[0]) if lines else None
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and {"pathA", "pathB"} <= set(record)


def read(path: Path, *, progress: Step | None = None) -> Pairs:
    """Read an object a line; other names than those of pairs are left out, and noted.

    Raises:
        SourceError: a line that is not a JSON object, or a value that is missing or of another
            kind.
    """
    others: Counter[str] = Counter()
    found = gather_records(path, _records(path, progress, others))
    total = len(found.pairs) + sum(found.dropped.values())
    notes = [
        f"{name!r} is left out, which {count} of {total} pairs have"
        for name, count in others.items()
    ]
    return Pairs(found.pairs, found.folds, (*found.notes, *notes), found.dropped)


def write(content: Pairs, path: Path) -> Pairs:
    """Write an object a line, with a fold where there are folds."""
    held = held_by(NAME, KEEPS, content)
    names = NAMES if held.folds is not None else NAMES[:-1]
    template = "{" + ", ".join(f'"{name}": %s' for name in names) + "}\n"
    # `json.dumps` of each record would take three times as long.
    quoted = json.JSONEncoder(ensure_ascii=False).encode
    with atomic_write(path) as stream:
        for a, b, *numbers in records_of(held):
            stream.write((template % (quoted(a), quoted(b), *numbers)).encode())
    return held


def _records(
    path: Path, progress: Step | None, others: Counter[str]
) -> Iterator[tuple[int, Values]]:
    for number, record in json_objects(path, progress, expected=f"an object with {EXPECTED}"):
        values = [record.get(name) for name in NAMES]
        if len(record) > len(NAMES) - values.count(None):
            others.update(name for name in record if name not in NAMES)
        yield number, values
