"""What was found in each block of pictures, so that an interrupted search goes on.

A file of lines of JSON: an entry is that of files of these names, sizes and times, and of one
search; entries of others are not read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pairsets.storage.artefacts import write_text
from pairsets.storage.json_files import JsonError, JsonObject, is_number, parse_json


@dataclass(frozen=True)
class Entry:
    """What was found in one block.

    Attributes:
        found: rows: two faces, how alike they are, and why.
        unread: files that cannot be read, and why.
    """

    found: Sequence[Sequence[Any]]
    unread: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Notes:
    """The entries of one search.

    Attributes:
        path: of their file; None where they are not kept.
        key: tells the search from any other.
        entries: by the state of the files of a block.
    """

    path: Path | None
    key: str
    entries: dict[str, Entry]

    @classmethod
    def open(cls, path: Path | None, facts: object) -> Notes:
        """The entries that are there of a search that hangs on `facts`, which JSON can hold."""
        key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
        notes = cls(path, key, {})
        try:
            lines = path.read_text("utf-8").split("\n") if path is not None else []
        except (OSError, UnicodeDecodeError):
            lines = []
        kept = []
        for line in lines:
            try:
                what = "a block of pictures"
                content = JsonObject.of(parse_json(line, str(path), what), str(path), what)
                if content.text("key") == key:
                    notes.entries[content.text("state")] = _entry(content)
                    kept.append(line)
            except JsonError:
                # Cut off in the midst of writing.
                continue
        if path is not None and lines:
            # A line that was cut off would spoil the next one.
            write_text(path, "".join(f"{line}\n" for line in kept))
        return notes

    def find(self, state: str) -> Entry | None:
        """The entry of a block; None where it was not looked at."""
        return self.entries.get(state)

    def add(self, state: str, found: Sequence[Sequence[Any]], unread: Mapping[str, str]) -> Entry:
        """Keep what was found in a block, now and for the next call."""
        entry = self.entries[state] = Entry(found, unread)
        if self.path is not None:
            content = {"key": self.key, "state": state, "found": found, "unread": dict(unread)}
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(content) + "\n")
        return entry


def _entry(content: JsonObject) -> Entry:
    """What a line says of a block; JsonError where it is none."""
    found, unread = content.items("found"), content.inner("unread").content
    for row in found:
        sound = isinstance(row, list) and len(row) == 4 and is_number(row[2])
        if not sound or not all(isinstance(row[at], str) for at in (0, 1, 3)):
            content.refuse("found", "rows of two faces, how alike they are, and why")
    if not all(isinstance(cause, str) for cause in unread.values()):
        content.refuse("unread", "the cause of each file")
    return Entry(found, unread)
