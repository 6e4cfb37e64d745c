"""Findings of an audit: a group of faces, or of identities, and what is said of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from pairsets.files.audit_kinds import AUDIT_KINDS, OF_PAIRS
from pairsets.pairset import PairKey, pair_key
from pairsets.storage.json_files import JsonObject, is_number, short

Suggestion = Literal["keep", "leave-out", "ask"]
SUGGESTIONS = get_args(Suggestion)
HEADER = (
    "kind",
    "group",
    "path",
    "identity",
    "other",
    "score",
    "precision",
    "reason",
    "suggestion",
)


@dataclass(frozen=True)
class Note:
    """Note on one face of a finding, or on an identity where there is no path.

    Attributes:
        path: of the face, relative to the folder of faces; empty for an identity as a whole.
        identity: whom it is said to show.
        other: path of the face, or identity, that it is held against; may be empty.
        score: of the check, 0 to 1; None where it has none.
        reason: why, in words.
        suggestion: keep it, leave it out, or ask a person.

    Raises:
        ValueError: another suggestion, or a score outside 0 to 1.
    """

    path: str
    identity: str
    other: str
    score: float | None
    reason: str
    suggestion: Suggestion

    def __post_init__(self) -> None:
        if self.suggestion not in SUGGESTIONS:
            raise ValueError(f"suggestion {self.suggestion!r}; expected {', '.join(SUGGESTIONS)}")
        if self.score is not None and not 0 <= self.score <= 1:
            raise ValueError(f"a score of {self.score}; expected 0 to 1")


@dataclass(frozen=True)
class Twosome:
    """Two faces of a finding that are one, or of one picture.

    Attributes:
        key: the two paths, as `pairsets.pairset.pair_key` has them.
        score: of the check, 0 to 1.
        reason: why, in words.
    """

    key: PairKey
    score: float
    reason: str


@dataclass(frozen=True)
class Finding:
    """Finding of one kind.

    Attributes:
        kind: a key of `AUDIT_KINDS`.
        notes: one or more.
        pairs: of kinds that are of pairs of faces, each two that were found.

    Raises:
        ValueError: an unknown kind, no note, pairs of another kind or of faces without a note.
    """

    kind: str
    notes: tuple[Note, ...]
    pairs: tuple[Twosome, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in AUDIT_KINDS:
            raise ValueError(f"kind {self.kind!r}; expected one of {', '.join(AUDIT_KINDS)}")
        if not self.notes:
            raise ValueError(f"{self.kind}: a finding of nothing")
        if bool(self.pairs) != (self.kind in OF_PAIRS):
            raise ValueError(f"{self.kind}: {len(self.pairs)} pairs of faces")
        paths = {note.path for note in self.notes}
        if not all({*pair.key} <= paths for pair in self.pairs):
            raise ValueError(f"{self.kind}: a pair of faces that the finding does not name")

    @property
    def names(self) -> list[str]:
        """The identities that it is about, each once."""
        names = [note.identity for note in self.notes]
        if self.kind in ("alias", "mislabel"):
            names += [note.other for note in self.notes if note.other]
        return list(dict.fromkeys(names))

    @property
    def left_out(self) -> list[str]:
        """Paths of the faces that are to be left out."""
        return [note.path for note in self.notes if note.suggestion == "leave-out"]

    def content(self) -> dict[str, Any]:
        """Content for JSON."""
        places = {note.path: at for at, note in enumerate(self.notes)}
        found: dict[str, Any] = {"kind": self.kind, "notes": [{**vars(n)} for n in self.notes]}
        if self.pairs:
            found["pairs"] = [
                [places[pair.key[0]], places[pair.key[1]], pair.score, pair.reason]
                for pair in self.pairs
            ]
        return found

    @classmethod
    def of_content(cls, content: JsonObject) -> Finding:
        """Read what `content` gave.

        Raises:
            whatever `content` raises of something else.
        """
        try:
            notes = tuple(map(_note, content.objects("notes")))
            if not notes:
                raise ValueError("a finding of nothing")
            pairs = content.items("pairs") if "pairs" in content else []
            return cls(content.text("kind"), notes, tuple(_twosome(one, notes) for one in pairs))
        except ValueError as error:
            if str(error).startswith(content.where):
                raise
            raise content.error(f"{content.where}: {error}") from None


def rows_of(
    findings: Sequence[Finding], precisions: Mapping[str, float | None]
) -> Iterator[list[object]]:
    """Rows of a table with the columns `HEADER`, a row a note.

    Args:
        findings: each gets a number within its kind, from 1 on.
        precisions: expected of each kind; None, or no such key, where it is not measured.
    """
    numbers: dict[str, int] = {}
    for one in findings:
        numbers[one.kind] = number = numbers.get(one.kind, 0) + 1
        precision = precisions.get(one.kind)
        for note in one.notes:
            yield [
                one.kind,
                number,
                note.path,
                note.identity,
                note.other,
                "" if note.score is None else repr(note.score),
                "" if precision is None else f"{precision:.4f}",
                note.reason,
                note.suggestion,
            ]


def _note(content: JsonObject) -> Note:
    score = content.content.get("score")
    if score is not None and not is_number(score):
        content.refuse("score", "a number from 0 to 1, or null")
    return Note(
        content.text("path", empty=True),
        content.text("identity", empty=True),
        content.text("other", empty=True),
        None if score is None else float(score),
        content.text("reason"),
        cast(Suggestion, content.text("suggestion")),
    )


def _twosome(value: object, notes: Sequence[Note]) -> Twosome:
    if isinstance(value, list) and len(value) == 4:
        first, second, score, reason = value
        places = [at for at in (first, second) if type(at) is int and 0 <= at < len(notes)]
        if len(places) == 2 and is_number(score) and isinstance(reason, str):
            return Twosome(pair_key(notes[first].path, notes[second].path), float(score), reason)
    raise ValueError(f"{short(value)}; expected two places of notes, a score and a reason")
