"""Audit of a folder of faces: what was found before any pair exists, and the file of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pairsets.errors import PairSetError
from pairsets.faces import Faces
from pairsets.files.audit_findings import HEADER, Finding, rows_of
from pairsets.files.audit_kinds import AUDIT_KINDS, is_of_pairs
from pairsets.files.expectations import Expectation
from pairsets.files.face_lists import FaceList
from pairsets.pairset import PairKey, pair_key
from pairsets.storage.artefacts import versions, write_json
from pairsets.storage.csv_tables import write_csv
from pairsets.storage.digests import sha256
from pairsets.storage.json_files import JsonObject, read_object
from pairsets.storage.publication import settle

SCHEMA = 2  # in 1 files are known by their sizes alone
_WHAT = "the audit.json of lookalikes audit"

Said = tuple[float | None, str]
"""Score and reason of what was found."""


@dataclass(frozen=True)
class KindAccount:
    """Account of one kind that was looked for.

    Attributes:
        findings: number of groups, identities or faces that were found.
        faces: number of faces in them; 0 where it is of identities.
        expected: how often the check expects to be right here; None where that is not measured.
        why: cause of not having looked after all, in words; empty where it was looked.
        counted: it is no guess, of which some are wrong, but a count.
    """

    findings: int
    faces: int
    expected: Expectation | None = None
    why: str = ""
    counted: bool = False

    @property
    def abstains(self) -> bool:
        """True where nothing is said, whatever there is."""
        return bool(self.why) or (self.expected is not None and self.expected.abstains)

    @property
    def speaks(self) -> bool:
        """True where pairs can be told by it; names may speak where pictures abstain."""
        return not self.why and (not self.abstains or self.findings > 0)

    @property
    def precision(self) -> float | None:
        """Share of the findings that are expected to be right; None where it is not measured."""
        share = None if self.expected is None else self.expected.precision
        return None if share is None else share.value

    def sentence(self) -> str:
        """Account of how sure the findings are, in words."""
        if self.why:
            return f"abstains: {self.why}"
        if self.expected is None:
            return "counted" if self.counted else "not measured here"
        return self.expected.sentence()

    def content(self) -> dict[str, Any]:
        """Content for JSON."""
        expected = None if self.expected is None else self.expected.content()
        return {**vars(self), "expected": expected, "abstains": self.abstains}

    @classmethod
    def of_content(cls, content: JsonObject) -> KindAccount:
        """Read what `content` gave; raises what `content` raises of something else."""
        expected = None
        if "expected" in content:
            try:
                expected = Expectation.of_content(content.content["expected"])
            except (KeyError, TypeError, ValueError):
                content.refuse("expected", "the expectation of a check")
        return cls(
            content.count("findings"),
            content.count("faces"),
            expected,
            content.text("why", empty=True),
            content.content.get("counted") is True,
        )


@dataclass(frozen=True, eq=False)
class Audit:
    """Audit of a folder of faces.

    Attributes:
        place: the folder, as it was named.
        faces: list of what was in it.
        kinds: account of each kind that was looked for, in the order of `AUDIT_KINDS`.
        findings: in that order, too.
        lacking: the other kinds, and the option that each lacks.
        parameters: it was made with.
        embeddings: model, fingerprint and digests of each folder of embeddings.
        unread: causes by path, of faces that cannot be read.
        moved: faces that were to be moved away by it.
        source: file that it was read from; None of one just made.
        digest: SHA-256 of that file.
    """

    place: str
    faces: FaceList
    kinds: Mapping[str, KindAccount]
    findings: Sequence[Finding]
    lacking: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, object] = field(default_factory=dict)
    embeddings: Sequence[Mapping[str, object]] = ()
    unread: Mapping[str, str] = field(default_factory=dict)
    moved: Collection[str] = ()
    source: Path | None = None
    digest: str = ""

    @classmethod
    def read(cls, path: str | Path) -> Audit:
        """Read what `write` wrote.

        Raises:
            PairSetError: no such file, or something else; the message says what.
        """
        path = Path(path)
        settle(path)
        if path.is_dir():
            raise PairSetError(f"{path}: a folder; expected {_WHAT}, as {path / 'audit.json'}")
        try:
            content = read_object(path, _WHAT, error=PairSetError, most=None)
            digest = sha256(path)
        except FileNotFoundError:
            raise PairSetError(
                f"{path}: no such audit; make it with: lookalikes audit FACES"
            ) from None
        if content.content.get("what") != "audit":
            raise PairSetError(f"{path}: JSON of something else; expected {_WHAT}")
        if content.count("schema", least=1) > SCHEMA:
            raise PairSetError(
                f"{path}: written by a newer lookalikes (schema {content.count('schema')}, this "
                f"one reads {SCHEMA}); update lookalikes"
            )
        kinds = content.inner("kinds")
        unknown = sorted({*kinds.content} - {*AUDIT_KINDS})
        if unknown:
            raise PairSetError(f"{path}: unknown kinds {', '.join(unknown)}; expected {_WHAT}")
        findings = [Finding.of_content(one) for one in content.objects("findings")]
        accounts = {
            kind: KindAccount.of_content(kinds.inner(kind))
            for kind in AUDIT_KINDS
            if kind in kinds.content
        }
        for kind, account in accounts.items():
            there = sum(one.kind == kind for one in findings)
            if there != account.findings:
                raise PairSetError(
                    f"{path}: {there} findings of kind {kind}, and {account.findings} by its "
                    "account; was it cut or edited? Audit the faces again"
                )
        return cls(
            content.text("place"),
            FaceList.of_content(content.inner("faces")),
            accounts,
            findings,
            _texts(content, "lacking"),
            content.inner("parameters").content,
            [one.content for one in content.objects("embeddings")],
            _texts(content, "unread"),
            frozenset(content.texts("moved")),
            path,
            digest,
        )

    def write(self, path: Path) -> Path:
        """Write as JSON, atomically; returns `path`."""
        return write_json(path, self.content())

    def write_table(self, path: Path) -> Path:
        """Write the findings as CSV, a row a face or identity, atomically; returns `path`."""
        precisions = {kind: account.precision for kind, account in self.kinds.items()}
        return write_csv(path, HEADER, rows_of(self.findings, precisions))

    def content(self) -> dict[str, object]:
        """Content for JSON, as `read` reads it."""
        return {
            "what": "audit",
            "schema": SCHEMA,
            "versions": versions("lookalikes", "numpy", "pillow", "opencv-python-headless"),
            "place": self.place,
            "parameters": {**self.parameters},
            "embeddings": [{**one} for one in self.embeddings],
            "kinds": {kind: account.content() for kind, account in self.kinds.items()},
            "lacking": {**self.lacking},
            "unread": {**self.unread},
            "moved": sorted(self.moved),
            "findings": [one.content() for one in self.findings],
            "faces": self.faces.content(),
        }

    @property
    def speaking(self) -> list[str]:
        """Kinds that pairs can be asked for, and that do not abstain."""
        return [k for k, account in self.kinds.items() if is_of_pairs(k) and account.speaks]

    @property
    def left_out(self) -> list[str]:
        """Paths of the faces that are to be left out, each once, sorted."""
        return sorted({path for one in self.findings for path in one.left_out})

    @property
    def name(self) -> Path:
        """File that it was read from, or is called by in messages."""
        return self.source or Path("audit.json")

    @cached_property
    def pairs(self) -> Mapping[str, Mapping[PairKey, Said]]:
        """By kind, what is said of two faces, or of two identities by their names."""
        found: dict[str, dict[PairKey, Said]] = {kind: {} for kind in self.kinds}
        for one in self.findings:
            for pair in one.pairs:
                found[one.kind][pair.key] = pair.score, pair.reason
            if one.kind == "alias":
                note = one.notes[0]
                found[one.kind][pair_key(note.identity, note.other)] = note.score, note.reason
        return found

    @cached_property
    def single(self) -> Mapping[str, Mapping[str, Said]]:
        """By kind, what is said of one face, by its path."""
        found: dict[str, dict[str, Said]] = {kind: {} for kind in self.kinds}
        for one in self.findings:
            for note in one.notes:
                if note.path:
                    found[one.kind].setdefault(note.path, (note.score, note.reason))
        return found

    def refuse_other(
        self, faces: Faces, *, sizes: bool = False, absent: Collection[str] = ()
    ) -> None:
        """Raise PairSetError unless it is of these faces, as they are; see `FaceList`."""
        self.faces.refuse_other(faces, self.name, sizes=sizes, absent=absent, moved=self.moved)


def _texts(content: JsonObject, key: str) -> dict[str, str]:
    """An object of texts."""
    found = content.inner(key).content
    if not all(isinstance(value, str) for value in found.values()):
        content.refuse(key, "an object of texts")
    return dict(found)
