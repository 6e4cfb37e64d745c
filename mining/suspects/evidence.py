"""Evidence that suspects are looked for with, and the checks that it is enough for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from mining.embeddings.store import Embeddings
from mining.suspects.abstention import refuse_untrustable
from mining.suspects.check import Check, CheckCrew
from pairsets.errors import PairSetError
from pairsets.files.audits import Audit
from pairsets.files.suspect_kinds import KINDS
from pairsets.images import MAX_PIXELS
from pairsets.storage.digests import sha256

if TYPE_CHECKING:
    from mining.suspects.identity.own_identities import OwnIdentities
    from mining.suspects.pictures.comparison import Comparisons

# Kinds that lay pictures over each other.
PICTURED = ("duplicate", "variant", "source")


@dataclass(frozen=True)
class Evidence:
    """Evidence that suspects are looked for with: images, embeddings, aliases, a detector.

    Attributes:
        faces: the folder of images; copies, variants, faces of one picture and bad crops are seen
            in it.
        references: embeddings by which a face, or an identity, may look like another.
        second: embeddings of another model, which may veto.
        aliases: file of names of one identity.
        detector: ONNX file of a face detector.
        cannot_link: files of faces that cannot be one identity's, or of the picture each is of.
        max_pixels: width times height above which an image is refused undecoded.
        crew: nodes of a cluster that look at pictures; this machine alone where it is None.
        audit: of the faces, which answers for the kinds that it looked for, and speaks of.
        trusted: kinds that flag whatever they expect of themselves; see `abstention`.

    Raises:
        PairSetError: a kind that is trusted and does not measure itself; or the model that vetoes
            is one of the references, whose hardest pairs score high because they were chosen so.
    """

    faces: Path | None = None
    references: Sequence[Embeddings] = ()
    second: Embeddings | None = None
    aliases: Path | None = None
    detector: Path | None = None
    max_pixels: int = MAX_PIXELS
    cannot_link: Sequence[Path] = ()
    crew: CheckCrew | None = None
    audit: Audit | None = None
    trusted: Collection[str] = ()

    def __post_init__(self) -> None:
        refuse_untrustable(self.trusted)
        if self.second is not None:
            mine = [one.manifest["fingerprint"] for one in self.references]
            if self.second.manifest["fingerprint"] in mine:
                raise PairSetError(
                    f"{self.second.model} cannot veto: it is the model by whose vectors pairs are "
                    "mined or compared; name another one"
                )

    @property
    def lacking(self) -> dict[str, str]:
        """The kinds that cannot be looked for, and the option that is missing."""
        found: dict[str, str] = {}
        if self.faces is None:
            found |= dict.fromkeys((*PICTURED, "crop"), "--faces")
        if not self.references:
            found["mislabel"] = "--embeddings"
        if self.second is None:
            found["veto"] = "--veto"
        return {kind: found[kind] for kind in KINDS if kind in found and not self._answers(kind)}

    def checks(self, kinds: Collection[str] | None = None) -> list[Check]:
        """A check of each kind, or of each that can be looked for.

        Raises:
            PairSetError: no such kind, one that lacks what it is seen in, or evidence that is for
                none of `kinds`.
            ModelError: a package of the extra `suspects` is not installed.
        """
        if kinds is None:
            kinds = KINDS.keys() - self.lacking.keys()
        given = {
            "--aliases": ("alias", self.aliases),
            "--cannot-link": ("alias", [*self.cannot_link] or None),
            "--detector": ("crop", self.detector),
            "--veto": ("veto", self.second),
        }
        for option, (kind, evidence) in given.items():
            if evidence is not None and kind not in kinds:
                raise PairSetError(
                    f"{option} is for suspects of the kind {kind}, which are not looked for"
                )
            if evidence is not None and self.audit is not None and self._answers(kind):
                raise PairSetError(
                    f"{option} is for suspects of the kind {kind}, which {self.audit.name} tells; "
                    f"give {option} to the audit instead"
                )
        for kind in self.trusted:
            if kind not in kinds or (self.audit is not None and self._answers(kind)):
                raise PairSetError(
                    f"--trust-suspects {kind}: it is not looked for here; leave it out, or look "
                    "for it"
                )
        refuse_unknown(kinds)
        return [self._check(kind) for kind in KINDS if kind in kinds]

    def _answers(self, kind: str) -> bool:
        """Whether the audit tells a kind, of vectors all that are looked with."""
        if self.audit is None or kind not in self.audit.speaking:
            return False
        seen = {one.get("fingerprint") for one in self.audit.embeddings}
        ours = {one.manifest["fingerprint"] for one in self.references}
        return kind not in ("alias", "mislabel") or ours <= seen

    @cached_property
    def _own(self) -> list[OwnIdentities]:
        """The references' identities, grouped and searched once for all checks."""
        from mining.suspects.identity.own_identities import OwnIdentities

        return [OwnIdentities(each) for each in self.references]

    def _shared(self, kind: str, root: Path, make: Callable[[Path], Check]) -> Check:
        """A check of pictures, made here first: what it lacks is told here."""
        check = make(root)
        return check if self.crew is None else self.crew.shared(kind, root, make)

    @cached_property
    def _comparisons(self) -> Comparisons:
        """Pictures of the faces, read and compared once for all checks of this machine."""
        from mining.suspects.pictures.comparison import Comparisons

        return Comparisons(self.faces or Path(), max_pixels=self.max_pixels)

    def _of_pictures(self, kind: str, faces: Path) -> Check:
        """A check that lays pictures over each other."""
        from mining.suspects.duplicates import DuplicatePictures
        from mining.suspects.sources import SourcePictures
        from mining.suspects.variants import DrawingVariants

        makers: dict[str, Callable[..., Check]] = {
            "duplicate": DuplicatePictures,
            "variant": DrawingVariants,
            "source": SourcePictures,
        }
        if self.crew is None:
            return makers[kind](faces, max_pixels=self.max_pixels, comparisons=self._comparisons)
        return self._shared(kind, faces, partial(makers[kind], max_pixels=self.max_pixels))

    def _check(self, kind: str) -> Check:
        """The check of a kind; imported when it is needed."""
        if self.audit is not None and self._answers(kind):
            from mining.suspects.audit_verdicts import verdicts_of

            return verdicts_of(self.audit, kind)
        if kind in PICTURED and self.faces is not None:
            return self._of_pictures(kind, self.faces)
        if kind == "crop" and self.faces is not None:
            make = partial(_bad_crops, detector=self.detector, max_pixels=self.max_pixels)
            return self._shared(kind, self.faces, make)
        if kind == "veto" and self.second is not None:
            from mining.suspects.measured_vetoes import MeasuredVeto

            return MeasuredVeto(self.second, trusted=kind in self.trusted)
        if kind == "mislabel" and self.references:
            from mining.suspects.measured_mislabels import MeasuredMislabels

            return MeasuredMislabels(self._own, trusted=kind in self.trusted)
        if kind == "alias":
            from mining.suspects.aliases import SameIdentity
            from mining.suspects.measured_aliases import MeasuredAliases
            from pairsets.files.aliases import Aliases
            from pairsets.files.cannot_links import CannotLinks

            aliases = Aliases.read(self.aliases) if self.aliases is not None else None
            cannot = CannotLinks.read(self.cannot_link) if self.cannot_link else None
            if not self.references:
                return SameIdentity(aliases=aliases, cannot=cannot)
            return MeasuredAliases(
                self._own, aliases=aliases, cannot=cannot, trusted=kind in self.trusted
            )
        raise PairSetError(
            f"{KINDS[kind]} ({kind}) cannot be looked for without {self.lacking[kind]}"
        )


def _bad_crops(faces: Path, detector: Path | None, max_pixels: int) -> Check:
    from mining.models.face_detector import OnnxFaceDetector
    from mining.suspects.crops import BadCrops

    asked = OnnxFaceDetector(detector) if detector is not None else None
    return BadCrops(faces, detector=asked, max_pixels=max_pixels)


@dataclass(frozen=True)
class Drop:
    """Kinds of suspects that are not mined, and the files they are looked for with.

    Attributes:
        kinds: of suspects.
        faces: the folder of images.
        veto: folder with the embeddings of another model.
        aliases, detector, max_pixels, cannot_link: see `Evidence`.
        audit: file of an audit of the faces.
        aliases, detector, max_pixels, cannot_link, trusted: see `Evidence`.

    Raises:
        PairSetError: no kind, or no such one.
    """

    kinds: tuple[str, ...]
    faces: Path | None = None
    veto: Path | None = None
    aliases: Path | None = None
    detector: Path | None = None
    max_pixels: int = MAX_PIXELS
    cannot_link: Sequence[Path] = ()
    audit: Path | None = None
    trusted: Collection[str] = ()

    def __post_init__(self) -> None:
        refuse_unknown(self.kinds)
        refuse_untrustable(self.trusted)
        if not self.kinds:
            raise PairSetError(f"no kind of suspects to drop; expected some of {', '.join(KINDS)}")

    @property
    def files(self) -> list[Path]:
        """Files that suspects are looked for with, as far as given."""
        files = [self.aliases, self.detector, self.audit, *self.cannot_link]
        return [file for file in files if file is not None]

    @cached_property
    def audited(self) -> Audit | None:
        """The audit, read.

        Raises:
            PairSetError: it is none, or damaged.
        """
        return None if self.audit is None else Audit.read(self.audit)

    def refuse_early(self, models: Sequence[str], named: Sequence[str] = ()) -> None:
        """Raise what `Evidence.checks` would for a kind that needs no vectors, or a second model.

        Args:
            models: that are evaluated beside the references; the first one may veto.
            named: all that were asked for, references among them.
        """
        if "veto" in self.kinds and not models:
            only = f"--model {named[0]} is a reference itself" if named else "there is none"
            raise PairSetError(
                "--drop-suspects veto needs a second model, beside those that mine, and "
                f"{only}; name one with --model or --embeddings (pixels, the floor of the tables, "
                "vetoes only if it is named, too)"
            )
        seen = [kind for kind in self.kinds if kind in (*PICTURED, "alias", "crop")]
        # Those that are seen in vectors are looked for, and trusted, once there are some.
        trusted = [kind for kind in self.trusted if kind in seen or kind not in self.kinds]
        replace(self.evidence([]), trusted=trusted).checks(seen)

    def refuse_for_positives(self) -> None:
        """Raise PairSetError for kinds that no pair of one identity can be of."""
        wrong = [kind for kind in self.kinds if kind in ("alias", "veto")]
        if wrong:
            raise PairSetError(
                f"{', '.join(wrong)}: a doubt about pairs of different identities, and hard "
                "positives are of one; expected duplicate, variant, source, mislabel or crop"
            )

    def evidence(
        self, references: Sequence[Embeddings], second: Embeddings | None = None
    ) -> Evidence:
        """Evidence that suspects are looked for with, the references that mine included.

        Args:
            references: their embeddings.
            second: those of another model; by default those that `veto` names.
        """
        if second is None and self.veto is not None:
            second = Embeddings.load_named(self.veto)
        return Evidence(
            self.faces,
            references,
            second,
            self.aliases,
            self.detector,
            self.max_pixels,
            self.cannot_link,
            audit=self.audited,
            trusted=self.trusted,
        )


def refuse_unknown(kinds: Iterable[str]) -> None:
    """Raise PairSetError unless all are kinds of doubt."""
    for kind in kinds:
        if kind not in KINDS:
            raise PairSetError(f"no suspects of kind {kind!r}; expected {', '.join(KINDS)}")


def digests_of(evidence: Evidence) -> dict[str, object]:
    """Digests, for a manifest, of the files that suspects were looked for with."""
    second = evidence.second
    digests = {
        "aliases_sha256": None if evidence.aliases is None else sha256(evidence.aliases),
        "detector_sha256": None if evidence.detector is None else sha256(evidence.detector),
        "veto": None if second is None else second.manifest["fingerprint"],
    }
    if evidence.audit is not None:
        digests["audit_sha256"] = evidence.audit.digest
    if evidence.trusted:
        digests["trusted_suspects"] = sorted(evidence.trusted)
    if evidence.cannot_link:
        digests["cannot_link_sha256"] = [sha256(file) for file in evidence.cannot_link]
    return digests
