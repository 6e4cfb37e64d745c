"""Work of an audit: each kind looked for in its turn, and what is told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexes import IndexesError
from indexes.store import faiss
from mining.embeddings.store import Embeddings
from mining.errors import SuspectError
from mining.inspection.actions import Actions
from mining.inspection.identities import (
    alias_findings,
    embedded_rows,
    face_findings,
    identities_apart,
    refuse_former,
    refuse_strangers,
)
from mining.inspection.scarcity import scarce_identities
from mining.suspects.check import expectations
from mining.suspects.evidence import Evidence, digests_of
from pairsets.faces import Faces
from pairsets.files.aliases import Aliases
from pairsets.files.audit_findings import Finding
from pairsets.files.audit_kinds import AUDIT_KINDS, OF_PAIRS
from pairsets.files.cannot_links import CannotLinks
from pairsets.files.expectations import Expectation
from pairsets.files.face_lists import FaceList
from pairsets.progress import Progress
from pairsets.storage.artefacts import versions

if TYPE_CHECKING:
    from mining.suspects.identity.identities import Identities

# Kinds that are seen in vectors alone.
BY_VECTORS = ("mislabel", "outlier")
_EXTRA = "pip install 'lookalikes[suspects]'"


@dataclass(eq=False)
class AuditWork:
    """An audit under way.

    Attributes:
        listed: the faces and their digests.
        faces, evidence, wanted, actions, out, progress: see `audit`.
        whole: nobody chose the kinds; what is lacking for others is told.
        found: findings by kind, of those that were looked for so far.
        expected: expectations of checks that measure themselves.
        why: by kind, why it was not looked for after all.
        unread: causes by path.
        warnings: sentences for the user.
        aliases: names known to be one identity's.
        apart: names, two each, of identities that cannot be one.
        misfits: strangers among faces that cannot be one identity's, and those that are one's.
    """

    listed: FaceList
    faces: Faces
    evidence: Evidence
    wanted: list[str]
    actions: Actions
    out: Path
    progress: Progress
    whole: bool = True
    found: dict[str, list[Finding]] = field(default_factory=dict)
    expected: dict[str, Expectation] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    aliases: Aliases = field(default_factory=Aliases)
    apart: frozenset[tuple[str, str]] = frozenset()
    misfits: tuple[int, int] = (0, 0)

    def look(self) -> None:
        """Look for all kinds, the quickest to be refused first."""
        self.warnings += self.faces.notes
        self._refuse_misfit()
        self._abstain()
        self._read_lists()
        with_names = [kind for kind in ("alias", "mislabel", "crop") if self._is_open(kind)]
        checks = {check.kind: check for check in self._checked(with_names)}
        if self._is_open("crop"):
            self._look_for_crops(checks["crop"])
        self._look_for_copies()
        if self._is_open("alias"):
            self._look_for_aliases(checks["alias"])
        if self._is_open("mislabel"):
            self._look_for_mislabels(checks["mislabel"])
        if self._is_open("outlier"):
            self._look_for_outliers()
        for one in self.evidence.references:
            one.refuse_changed()
        if "few" in self.wanted:
            said = [finding for found in self.found.values() for finding in found]
            self.found["few"] = scarce_identities(self.faces, said, self.unread)
        if self.unread:
            path, cause = next(iter(sorted(self.unread.items())))
            self.warnings.append(
                f"{len(self.unread):,} images cannot be read: {path} {cause}"
                + (", and others, which audit.json lists" if len(self.unread) > 1 else "")
            )

    @property
    def journals(self) -> list[Path]:
        """Files in which long searches note what they have looked at."""
        return [self.out / f"{name}.partial.sqlite" for name in ("crops", "copies")]

    @property
    def left_out(self) -> list[str]:
        """Paths of the faces that are to be left out, sorted."""
        found = (one for findings in self.found.values() for one in findings)
        return sorted({path for one in found for path in one.left_out})

    def _is_open(self, kind: str) -> bool:
        return kind in self.wanted and kind not in self.why

    def _refuse_misfit(self) -> None:
        """Raise where vectors are of other faces; tell of faces without one."""
        for one in self.evidence.references:
            lacking = refuse_strangers(one, self.faces)
            refuse_former(one, self.listed)
            if lacking:
                self.warnings.append(
                    f"{one.folder}: {lacking:,} of {len(self.faces):,} faces have no vector; of "
                    "them nothing is said by vectors"
                )

    def _abstain(self) -> None:
        """Note the kinds that faces such as these can say nothing of."""
        count = self.faces.count_identities
        single = count == len(self.faces)
        if count < 2:
            said = "there is one identity, and no other that it or its faces could be taken for"
            self.why |= dict.fromkeys(("alias", "mislabel", "outlier"), said)
        elif single:
            said = "every identity has one picture, which cannot be compared with others of it"
            self.why |= dict.fromkeys(BY_VECTORS, said)
        self.why = {kind: why for kind, why in self.why.items() if kind in self.wanted}
        self.warnings += [
            f"{AUDIT_KINDS[kind].capitalize()} ({kind}) is not looked for: {why}"
            for kind, why in self.why.items()
        ]

    def _checked(self, kinds: Sequence[str]) -> list[Any]:
        """The checks of some kinds; evidence that is for none of what is wanted is refused."""
        evidence = self.evidence
        # Who cannot be one identity is not asked about, as all faces of the folder are known here.
        if "alias" in self.wanted:
            evidence = replace(evidence, cannot_link=())
        if "alias" in self.why:
            evidence = replace(evidence, aliases=None)
        checks = evidence.checks(kinds)
        self.expected |= {one.kind: one for one in expectations(checks)}
        return checks

    def _read_lists(self) -> None:
        """Read who is one identity, and who cannot be; tell what does not fit."""
        path, files = self.evidence.aliases, self.evidence.cannot_link
        if path is not None:
            self.aliases = Aliases.read(path)
            missing = self.aliases.unknown(self.faces.identities.tolist())
            if missing:
                self.warnings.append(
                    f"{path}: {len(missing):,} listed names are no identity's of these faces, "
                    f"{missing[0]} for one; misspelt?"
                )
        if files:
            links = CannotLinks.read(files)
            self.apart, self.misfits = identities_apart(links, self.faces, self.aliases)

    def _look_for_crops(self, check: Any) -> None:
        from mining.inspection.crops import bad_crops

        facts = ["crops", self.digests["detector_sha256"], self.evidence.max_pixels]
        facts += [str(self.faces.root), versions("lookalikes", "numpy", "pillow")]
        with self.progress(f"Looking for {AUDIT_KINDS['crop']}") as step:
            found, unread = bad_crops(
                check, self.faces, journal=self.journals[0], facts=facts, progress=step
            )
        self.unread |= unread
        if "crop" not in self.actions.kinds:
            found = [_asked(one) for one in found]
        self.found["crop"] = found

    def _look_for_copies(self) -> None:
        wanted = [kind for kind in self.wanted if kind in OF_PAIRS]
        if not wanted:
            return
        from mining.inspection.copies import compare_all, compare_kept, copy_findings, pairs_of

        try:
            from mining.overlap.inner_copies import copies_within

            copies = copies_within(
                self.faces,
                references=self._searchable(),
                journal=self.journals[1],
                max_pixels=self.evidence.max_pixels,
                progress=self.progress,
            )
        except SuspectError as error:
            self.warnings.append(str(error))
            self.why |= dict.fromkeys(wanted, f"it needs {_EXTRA}")
            return
        self.unread |= copies.unread
        crops = {note.path for one in self.found.get("crop", []) for note in one.notes}
        # What else was given is for other kinds.
        pictures = Evidence(self.evidence.faces, max_pixels=self.evidence.max_pixels)
        for kind in wanted:
            pairs = pairs_of(copies.found, kind)
            (check,) = pictures.checks([kind])
            pairs = compare_all(check, pairs, self.faces, self.progress)
            act = kind in self.actions.kinds
            if act:
                pairs = compare_kept(check, pairs, self.faces, crops, self.progress)
            self.found[kind] = copy_findings(kind, pairs, self.faces, crops, act=act)

    def _searchable(self) -> Sequence[Embeddings]:
        """The references, if nearest faces can be searched by them; else why not is told."""
        references = self.evidence.references
        if references:
            try:
                faiss()
            except IndexesError as error:
                self.warnings.append(
                    f"Copies are looked for without --embeddings, by the pictures alone: {error}"
                )
                return ()
        return references

    def _look_for_aliases(self, check: Any) -> None:
        models = self.evidence.references
        with self.progress("Comparing identities") as step:
            self.found["alias"] = alias_findings(
                check, models, self.faces, self.aliases, self.apart, step
            )

    def _look_for_mislabels(self, check: Any) -> None:
        rows = embedded_rows(self.evidence.references, self.faces)
        faces = self.faces.take(rows)
        with self.progress("Looking for faces of another identity") as step:
            scores, reasons = check.of_faces(faces.paths.tolist(), step)
        others = [""] * len(faces)
        for at, reason in enumerate(reasons):
            if reason:
                others[at] = check.other_of(faces.paths[at])
        act = "mislabel" in self.actions.kinds
        self.found["mislabel"] = face_findings("mislabel", scores, reasons, faces, others, act=act)

    def _look_for_outliers(self) -> None:
        from mining.inspection.outliers import find_outliers

        faces = self.faces.take(embedded_rows(self.evidence.references, self.faces))
        with self.progress("Looking for faces unlike all others") as step:
            scores, reasons, others = find_outliers(self._models, faces.paths.tolist(), step)
        act = "outlier" in self.actions.kinds
        self.found["outlier"] = face_findings("outlier", scores, reasons, faces, others, act=act)

    @cached_property
    def _models(self) -> list[Identities]:
        """The references' identities, grouped once."""
        from mining.suspects.identity.identities import grouped

        return grouped(self.evidence.references)

    @cached_property
    def digests(self) -> Mapping[str, object]:
        """Digests of the files that it was looked with."""
        return digests_of(self.evidence)


def _asked(one: Finding) -> Finding:
    """A finding of which a person is asked instead of leaving its faces out."""
    return replace(one, notes=tuple(replace(note, suggestion="ask") for note in one.notes))
