"""Inputs of a miner beside vectors, read and checked before the work and not after it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from mining.embeddings.store import Embeddings
from mining.errors import RulesError
from mining.ranking.model_ranking import refuse_without_positives
from mining.ranking.rank_aggregation import Method, refuse_method
from mining.ranking.rules import Rules
from mining.ranking.search_crews import SearchCrews
from mining.suspects.abstention import abstentions, refuse_abstaining
from mining.suspects.check import Check, CheckCrew, expectations
from mining.suspects.evidence import Drop, digests_of
from pairsets.errors import FacesError, PairSetError
from pairsets.evaluation.clusters import By
from pairsets.evaluation.missing_scores import Missing
from pairsets.faces import Faces, differing
from pairsets.files.audit_kinds import is_of_pairs
from pairsets.files.exclusions import Exclusions, PathPairs
from pairsets.funnel import FunnelRow
from pairsets.identities.folders import fitting
from pairsets.identities.rules import REMEDIES, nearly_all_single
from pairsets.pairset import PairSet, ignored_rows
from pairsets.path_prefixes import cause
from pairsets.paths import read_ignore_list
from pairsets.random_set import random_pairs
from pairsets.storage.digests import sha256

# Share of pairs whose label may contradict who is shown: mistakes, not another meaning of paths.
CONTRADICTING = 0.05
# The same of the pairs of one label: there may be many more of the other, which hide them.
CONTRADICTING_OF_ONE = 0.25


@dataclass(frozen=True)
class MiningOptions:
    """Options of mining: which of the best pairs are taken.

    Attributes:
        fusion: how several references mine together; see `mining.mine_together`.
        rules: which pairs are taken; by default all.
        exclude: files with the columns `pathA` and `pathB`: pairs never to mine.
        drop: suspects that are replaced by the next best pairs.
        design: how negatives are sampled instead of taking the best of them; see
            `mining.miners.stratified_design`.
        crews: nodes of a cluster that share the search; they change no pair, only the time.
        checkers: nodes of a cluster that look for suspects in pictures.

    Raises:
        FusionError: no such way to fuse.
        RulesError: a design, and what would make its probabilities unknown.
    """

    fusion: Method = "mean"
    rules: Rules = field(default_factory=Rules)
    exclude: Sequence[str | Path] = ()
    drop: Drop | None = None
    design: Literal["stratified"] | None = None
    crews: SearchCrews | None = field(default=None, compare=False, repr=False)
    checkers: CheckCrew | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        refuse_method(self.fusion)
        given = [*self.rules.given, *(["exclude"] if self.exclude else [])]
        given += ["drop_suspects"] if self.drop else []
        if self.design is not None and given:
            raise RulesError(
                f"{', '.join(given)} with a design: the pairs left out would have no known "
                "probability, and the set would not stand for all pairs; leave one or the other out"
            )

    @property
    def vetoed(self) -> bool:
        """True where another model vetoes."""
        return self.drop is not None and "veto" in self.drop.kinds

    @property
    def parameters(self) -> dict[str, object]:
        """Rules and suspects among the parameters of a manifest."""
        found = {**vars(self.rules), "drop_suspects": [*self.drop.kinds] if self.drop else []}
        return found | ({} if self.design is None else {"design": self.design})


@dataclass(frozen=True)
class RandomSet:
    """The pairs that join mined ones: drawn at random, or those of a file.

    Attributes:
        test_pairs: the file; nothing is drawn where it is given.
        missing: what becomes of its pairs with an image that was skipped while embedding; a build
            leaves them out.
        positives, negatives: how many are drawn; see `pairsets.random_pairs`.
        ignore_list: file of base names of images never to draw, nor to mine.
        seed: of drawing, and of shuffling them with the mined ones.

    Raises:
        PairSetError: how many are drawn, where nothing is.
    """

    test_pairs: str | Path | None = None
    missing: Missing = "fail"
    positives: int | None = None
    negatives: int | None = None
    ignore_list: str | Path | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.test_pairs is not None and (self.positives, self.negatives) != (None, None):
            raise PairSetError(
                f"{self.test_pairs} has its pairs: leave out how many positives and negatives are "
                "drawn"
            )

    def draw(self, faces: Faces, ignored: Iterable[str], *, label: int | None = None) -> PairSet:
        """The random pairs of these faces: of both labels, or of one alone."""
        return random_pairs(
            faces,
            positives=0 if label == 0 else self.positives,
            negatives=0 if label == 1 else self.negatives,
            seed=self.seed,
            ignore=ignored,
        )

    @property
    def digests(self) -> dict[str, object]:
        """Digests of the files among the inputs of a manifest."""
        files = {"test_pairs_sha256": self.test_pairs, "ignore_list_sha256": self.ignore_list}
        return {name: None if path is None else sha256(Path(path)) for name, path in files.items()}


@dataclass(frozen=True, eq=False)
class MinerInputs:
    """Lists that a miner keeps to, read.

    Attributes:
        mining, random: what was asked for.
        excluded: pairs not to be taken, by file.
        ignored: base names of images not to be taken.
    """

    mining: MiningOptions
    random: RandomSet
    excluded: Sequence[Exclusions]
    ignored: frozenset[str]

    @classmethod
    def read(cls, mining: MiningOptions, random: RandomSet) -> MinerInputs:
        """Read the files that the two name."""
        excluded = [Exclusions.read(path) for path in mining.exclude]
        names = read_ignore_list(random.ignore_list) if random.ignore_list is not None else ()
        return cls(mining, random, excluded, frozenset(names))

    def refuse_misfit(self, faces: Faces, source: Path, *, label: int = 0) -> None:
        """Raise where pairs of this label cannot be mined of `faces`, which are called `source`.

        Raises:
            FacesError: there is one identity, or a picture of each, which nobody said may be.
            PairSetError: a list of exclusions is of other paths.
            RulesError: there is nothing to keep a margin from.
        """
        refuse_misfit(self.excluded, self.mining.exclude, faces)
        if self.random.test_pairs is None:
            refuse_single(faces, source)
        if label == 0:
            refuse_one_identity(faces, self.ignored, source)
            if self.mining.rules.margins:
                refuse_without_positives(faces, self.ignored)

    def refuse_audit(
        self, faces: Faces, *, sizes: bool = False, absent: Collection[str] = ()
    ) -> None:
        """Raise PairSetError where suspects are told by an audit of other faces, or as they were.

        Args:
            faces: that pairs are mined of.
            sizes: their files are there, too.
            absent: audited faces that are rightly missing, such as those that cannot be read.
        """
        audit = None if self.mining.drop is None else self.mining.drop.audited
        if audit is not None:
            audit.refuse_other(faces, sizes=sizes, absent=absent)

    def look_for_suspects(
        self, references: Sequence[Embeddings], second: Embeddings | None = None
    ) -> tuple[list[Check], dict[str, object], list[str]]:
        """Checks of suspects to drop, a manifest's inputs of their evidence, and warnings.

        Args:
            references: embeddings of the models that mine.
            second: those of the model that may veto; see `Drop.evidence`.

        Raises:
            PairSetError: a kind abstains on this set.
        """
        drop = self.mining.drop
        if drop is None:
            return [], {}, []
        evidence = drop.evidence(references, second)
        evidence = replace(evidence, crew=self.mining.checkers)
        if evidence.audit is not None:
            # Pictures are audited as they are mined, byte by byte.
            for one in (each for each in references if each.saw_pictures):
                evidence.audit.faces.refuse_changed(one.digests, evidence.audit.name)
        checks = evidence.checks(drop.kinds)
        refuse_abstaining(checks)
        expected = {one.kind: one.content() for one in expectations(checks)}
        digests = digests_of(evidence) | ({"expected_suspects": expected} if expected else {})
        told = abstentions(checks)
        if evidence.audit is not None:
            told += [
                f"{evidence.audit.name} says nothing of {kind}: {account.sentence()}."
                for kind, account in evidence.audit.kinds.items()
                if is_of_pairs(kind) and kind not in drop.kinds and not account.speaks
            ]
        return checks, digests, told

    @property
    def exclusions_digest(self) -> dict[str, object]:
        """Digests of the lists of exclusions among the inputs of a manifest."""
        return {"exclude_sha256": [sha256(Path(path)) for path in self.mining.exclude]}


@dataclass(frozen=True, eq=False)
class Joined:
    """Pairs of the other label that join what was mined.

    Attributes:
        pairs: those of `build`'s random set, or of `--test-pairs`; of them those of that label.
        ignored: base names on the ignore list.
        drawn: they were drawn at random, and not given.
    """

    pairs: PairSet
    ignored: Collection[str] = ()
    drawn: bool = False

    def funnel(self, label: int) -> list[FunnelRow]:
        """Funnel rows of the pairs with this label."""
        stage, rows, pairs = ("negatives", "positives")[label], [], self.pairs
        invalid = int((~pairs.valid & (pairs.label == label)).sum())
        if invalid:
            rows.append(FunnelRow(stage, "marked invalid in the test pairs", invalid))
        valid = pairs.valid & (pairs.label == label)
        how = "drawn at random" if self.drawn else "taken over"
        rows.append(FunnelRow(stage, f"{stage} {how}", int(valid.sum()), kept=True))
        ignored = int((valid & ignored_rows(pairs, self.ignored)).sum())
        if ignored:
            what = (
                "of them with a face on the ignore list, which only keeps faces from being mined "
                "and drawn"
            )
            rows.append(FunnelRow(stage, what, ignored, kept=True))
        return rows


def refuse_single(faces: Faces, source: Path) -> None:
    """Raise FacesError where nearly every identity has one picture, and nobody said that it may.

    Then most likely something else than the identity was taken for it.
    """
    found = None if faces.said is not None else nearly_all_single(faces.identities.tolist())
    if found is not None:
        raise FacesError(
            f"{source}: {found[1]:,} of {found[0]:,} identities have a single picture; is a folder "
            f"really one identity? Else there are {REMEDIES}. If it is: --identity-level 1 (of "
            "embeddings, give it to lookalikes embed once more: no face is embedded again)"
        )


def contradictions(
    pairs: PairSet,
    clusters: By,
    source: str,
    *,
    lost: str = "intervals by identity",
    remedy: str = "take images for what pairs share: --clusters image",
) -> list[str]:
    """A sentence on pairs whose label contradicts who is shown, where there are few of them.

    Args:
        pairs: of any labels.
        clusters: nothing is told where it is not "identity".
        source: what the pairs are called.
        lost: what would mean nothing where there are many.
        remedy: what is to be done then, if not to say who is shown.

    Raises:
        PairSetError: there are many: who is shown is told wrongly.
    """
    against = pairs.contradicting
    wrong = np.flatnonzero(against)
    if clusters != "identity" or not wrong.size:
        return []
    row, valid = int(wrong[0]), int(pairs.valid.sum())
    names = pairs.names(row)
    shows = f"two of {names[0]!r}" if names[0] == names[1] else " and ".join(map(repr, names))
    told = (
        f"{source}: {wrong.size:,} of {valid:,} pairs contradict who is shown by "
        f"{'their folders' if pairs.identities is None else 'the identities told'}, the first "
        f"with label {int(pairs.label[row])} and of {shows} ({pairs.path_a[row]}, "
        f"{pairs.path_b[row]})"
    )
    limits = [
        (pairs.valid, CONTRADICTING),
        (pairs.positives, CONTRADICTING_OF_ONE),
        (pairs.negatives, CONTRADICTING_OF_ONE),
    ]
    if any((against & rows).sum() > max(1, share * rows.sum()) for rows, share in limits):
        raise PairSetError(
            f"{told}: {lost} would mean nothing. Say who is shown with --identity-pattern, "
            f"--identity-level or --identities, or {remedy}"
        )
    return [f"{told}; are they mislabelled?"]


def of_faces(pairs: PairSet, faces: Faces, source: str) -> PairSet:
    """The pairs with the identities of the faces that they are made of.

    Raises:
        FacesError: a path is none of the faces.
        PairSetError: the identities beside the pair file are others.
    """
    paths = pairs.paths
    theirs = faces.identities[faces.positions(paths)].tolist()
    if pairs.identities is not None:
        for path, name in zip(paths, theirs, strict=True):
            if pairs.identity(path) != name:
                raise PairSetError(
                    f"{source}: {path!r} is {pairs.identity(path)!r} by the identities of the pair "
                    f"file, and {name!r} by those of the faces; tell both alike (--identity-level, "
                    "--identity-pattern, --identities)"
                )
    return pairs.with_identities(differing(dict(zip(paths, theirs, strict=True))))


def refuse_one_identity(faces: Faces, ignored: Iterable[str], source: Path) -> None:
    """Raise FacesError unless there are pairs of different identities to mine."""
    kept = faces.without(ignored)
    count = len(set(faces.identities[kept]))
    if count < 2:
        after = "" if kept.all() else " after the ignore list"
        hint = fitting(faces.paths.tolist()) if faces.said is None else ""
        raise FacesError(
            f"{source}: {count} {'identity' if count == 1 else 'identities'}{after}; "
            f"pairs of different identities need two{hint and '.'}{hint}"
        )


def refuse_misfit(excluded: Sequence[PathPairs], files: Sequence[str | Path], faces: Faces) -> None:
    """Raise PairSetError where a file excludes nothing, for its paths have folders in front."""
    for pairs, file in zip(excluded, files, strict=True):
        paths = [*pairs.path_a, *pairs.path_b]
        if paths and (faces.paths.find(paths) < 0).all():
            why = cause(paths[0], frozenset(faces.paths).__contains__)
            if why:
                raise PairSetError(f"{file}: none of its pairs is of these faces{why}")


def refuse_unfit(test: PairSet, source: str, joined: int = 1) -> None:
    """Raise PairSetError unless the pairs of `test` labelled `joined` can stand beside mined ones.

    Mined negatives are joined by positives (1), hard positives by negatives (0).
    """
    same = np.asarray(test.identity_a == test.identity_b, bool)
    rows = test.valid & (test.label == joined)
    wrong = np.flatnonzero(rows & (same != bool(joined)))
    if wrong.size:
        row = int(wrong[0])
        if test.identities is None:
            lie = ("the folder of one identity", "folders of different identities")[joined]
            told = f"the two lie in {lie}; the miner goes by the folders"
        else:
            told = f"the two are {' and '.join(map(repr, test.names(row)))}"
        raise PairSetError(
            f"{source}: pair {row + 1} ({test.path_a[row]}, {test.path_b[row]}) has label "
            f"{joined}, but {told}"
        )
