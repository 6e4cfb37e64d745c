"""Several people judged the same pairs: how often each errs, and how far they agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pairsets.clusters import By, Clusters
from pairsets.errors import PairSetError
from pairsets.human import HumanRates, human_rates
from pairsets.intervals import CONFIDENCE, Rate, clustered_rate
from pairsets.kappa import Kappa, cohen, fleiss
from pairsets.pairset import PairSet

Verdicts = NDArray[np.int8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Annotations(Mapping[str, PairSet]):
    """By person, the pairs of one set with that person's verdicts: rows in the set's order.

    Attributes:
        people: by name; labels are the set's, a row is invalid where it is so in either file.
        missing: by name, pairs of the set that the person's file lacks: not judged.
        unknown: by name, pairs of the file that the set lacks: left out.
    """

    people: Mapping[str, PairSet]
    missing: Mapping[str, int] = field(default_factory=dict)
    unknown: Mapping[str, int] = field(default_factory=dict)

    def __getitem__(self, name: str) -> PairSet:
        return self.people[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.people)

    def __len__(self) -> int:
        return len(self.people)


@dataclass(frozen=True)
class Between:
    """Two people, on the pairs that both judged.

    Attributes:
        first, second: who.
        kappa: Cohen's.
        agreed: share of the pairs of which both say the same (`errors` are these pairs).
        positives, negatives: the same of the pairs of one character, and of two.
        only_first, only_second: pairs that the one takes for one character and the other does not.
    """

    first: str
    second: str
    kappa: Kappa
    agreed: Rate
    positives: Rate
    negatives: Rate
    only_first: int
    only_second: int


@dataclass(frozen=True, eq=False)
class Agreement:
    """What `agreement` found.

    Kappa hangs on the mix of labels, which in a pair set is somebody's choice: compare kappas of
    one set, not of two.

    Attributes:
        people: who judged.
        rates: each person's errors.
        between: every two people.
        fleiss: of all people, on the pairs that everybody judged; None for one person alone.
        majority: errors of the majority vote, as a further person; None for one person alone, or
            where no pair has a majority.
        pairs: valid for everybody.
        invalid: marked invalid by anybody, and left out.
        judged_by: `[K + 1]`: of the pairs, those that so many people judged.
        unanimous: judged by everybody, all saying the same.
        ties: judged by two or more who are evenly split: no majority.
    """

    people: tuple[str, ...]
    rates: Mapping[str, HumanRates]
    between: tuple[Between, ...]
    fleiss: Kappa | None
    majority: HumanRates | None
    pairs: int
    invalid: int
    judged_by: tuple[int, ...]
    unanimous: int
    ties: int


def annotator_files(given: Sequence[str]) -> dict[str, Path]:
    """Files by person, of `NAME=PATH` texts.

    Raises:
        PairSetError: a text of another form, a name or a file given twice.

    >>> list(annotator_files(["Rei=a.csv", "Asuka=b.csv"]))
    ['Rei', 'Asuka']
    """
    found: dict[str, Path] = {}
    for text in given:
        name, _, path = text.partition("=")
        name = name.strip()
        if not name or not path:
            raise PairSetError(f"{text!r}: expected NAME=FILE, a person and the pairs they judged")
        if name in found:
            raise PairSetError(f"{name}: given twice ({found[name]} and {path}); one file a person")
        found[name] = Path(path)
    return found


def read_annotators(reference: PairSet, files: Mapping[str, Path]) -> Annotations:
    """Read each person's pair file, and bring it into the order of `reference`.

    Pairs are matched by their two paths in either order. Those that a file lacks are not judged
    there; those that `reference` lacks are left out; both are counted.

    Raises:
        PairSetError: no file; one file for two people; a file with none of the pairs, or with
            another label of one; and what `PairSet.read` raises.
    """
    if not files:
        raise PairSetError("nobody's pair file is given; expected one a person")
    owners: dict[Path, str] = {}
    people: dict[str, PairSet] = {}
    missing: dict[str, int] = {}
    unknown: dict[str, int] = {}
    for name, path in files.items():
        other = owners.setdefault(Path(path).resolve(), name)
        if other != name:
            raise PairSetError(f"{path}: the file of {other} and of {name}; expected one a person")
        theirs = PairSet.read(path)
        at = rows_among(
            theirs,
            reference,
            Path(path),
            whose=f"that {name} should have judged",
            where="the pair set",
        )
        known = at >= 0
        verdicts = np.full(len(reference), -1, np.int8)
        verdicts[at[known]] = theirs.human_prediction[known]
        invalid = np.array(reference.invalid)
        invalid[at[known]] |= theirs.invalid[known]
        people[name] = PairSet(
            reference.path_a,
            reference.path_b,
            reference.label,
            verdicts,
            invalid,
            reference.identities,
        )
        missing[name] = len(reference) - int(known.sum())
        unknown[name] = int((~known).sum())
    return Annotations(people, missing, unknown)


def rows_among(
    theirs: PairSet, reference: PairSet, path: Path, *, whose: str, where: str
) -> NDArray[np.int64]:
    """The row of each of their pairs in `reference`, `[N]`; -1 where it has none.

    Pairs are matched by their two paths in either order.

    Args:
        theirs, reference: pair sets.
        path: of theirs, for errors.
        whose, where: what the reference is called in errors: "none is among the 9 `whose`", "in
            `where` it has another label".

    Raises:
        PairSetError: none of the pairs is there, or one has another label.
    """
    rows = {key: row for row, key in enumerate(reference.keys)}
    at = np.array([rows.get(key, -1) for key in theirs.keys], np.int64)
    known = at >= 0
    if not known.any():
        raise PairSetError(
            f"{path}: none of its {len(theirs)} pairs is among the {len(reference)} {whose}; is it "
            "of another pair set?"
        )
    wrong = np.flatnonzero(known & (theirs.label != reference.label[at]))
    if wrong.size:
        row = int(wrong[0])
        raise PairSetError(
            f"{path}: pair {row + 1} ({theirs.path_a[row]}, {theirs.path_b[row]}) has label "
            f"{theirs.label[row]}, in {where} it has {reference.label[at[row]]} "
            f"({wrong.size} such pairs); was the label edited, or is it an older pair set's?"
        )
    return at


def agreement(
    annotated: Mapping[str, PairSet],
    *,
    clusters: By = "character",
    confidence: float = CONFIDENCE,
) -> Agreement:
    """How often each person errs, and how far they agree.

    A pair that anybody marked invalid is left out for all. Errors of a person are over what they
    judged, those of two people over what both judged; Fleiss' kappa is of the pairs that everybody
    judged, since it asks for equally many verdicts a pair.

    Args:
        annotated: by person, the same pairs in the same rows, as of `read_annotators`.
        clusters: what pairs share that makes them depend on one another.
        confidence: of the intervals.

    Raises:
        PairSetError: nobody, other pairs, no pair valid for everybody, or somebody judged none.
    """
    common = _common(annotated)
    ends = Clusters.of(next(iter(common.values())), clusters)
    said = np.stack([one.human_prediction for one in common.values()])
    rates = {}
    for name, pairs in common.items():
        if not pairs.judged.any():
            raise PairSetError(f"{name} judged none of the {len(pairs)} pairs valid for everybody")
        rates[name] = human_rates(pairs, clusters, confidence)
    voted = majority(common) if len(common) > 1 else None
    judges = (said >= 0).sum(axis=0)
    all_judged = judges == len(common)
    same = (said == 1).sum(axis=0)
    table = np.stack([judges - same, same], axis=1)[all_judged]
    return Agreement(
        people=tuple(common),
        rates=rates,
        between=tuple(
            _between(first, second, common, ends, confidence)
            for first, second in combinations(common, 2)
        ),
        fleiss=fleiss(table, ends.take(all_judged), confidence) if len(common) > 1 else None,
        majority=(
            human_rates(voted, clusters, confidence)
            if voted is not None and voted.judged.any()
            else None
        ),
        pairs=said.shape[1],
        invalid=len(next(iter(annotated.values()))) - said.shape[1],
        judged_by=tuple(np.bincount(judges, minlength=len(common) + 1).tolist()),
        unanimous=int((table == 0).any(axis=1).sum()),
        ties=int(((judges > 1) & (2 * same == judges)).sum()),
    )


def majority(annotated: Mapping[str, PairSet]) -> PairSet:
    """The pairs with the verdict of more than half of those who judged them, two at least.

    Where they are evenly split, or fewer than two judged, a pair is not judged. Two people have a
    majority only where they agree, which leaves out the pairs that are hard for people: an odd
    number of people loses none. Rows are invalid where anybody marked them.

    Raises:
        PairSetError: nobody, or other pairs.

    >>> pairs = [PairSet.of(["a/1"], ["b/1"], [0], [said]) for said in (1, 0, 1)]
    >>> majority(dict(zip("xyz", pairs))).human_prediction.tolist()
    [1]
    """
    first = _same_pairs(annotated)
    said = np.stack([one.human_prediction for one in annotated.values()])
    judges, same = (said >= 0).sum(axis=0), (said == 1).sum(axis=0)
    verdict = np.where(2 * same > judges, 1, 0)
    verdict[(judges < 2) | (2 * same == judges)] = -1
    invalid = np.max([one.invalid for one in annotated.values()], axis=0)
    return PairSet(
        first.path_a,
        first.path_b,
        first.label,
        verdict.astype(np.int8),
        invalid,
        first.identities,
    )


def _between(
    first: str,
    second: str,
    common: Mapping[str, PairSet],
    clusters: Clusters,
    confidence: float,
) -> Between:
    one, two = common[first].human_prediction, common[second].human_prediction
    both = (one >= 0) & (two >= 0)
    label = common[first].label

    def agreed(rows: Mask) -> Rate:
        return clustered_rate((one == two)[rows], clusters.take(rows), confidence)

    return Between(
        first,
        second,
        cohen(one[both], two[both], clusters.take(both), confidence),
        agreed(both),
        agreed(both & (label == 1)),
        agreed(both & (label == 0)),
        int((both & (one > two)).sum()),
        int((both & (one < two)).sum()),
    )


def _common(annotated: Mapping[str, PairSet]) -> dict[str, PairSet]:
    """Everybody's verdicts on the pairs that are valid for all."""
    first = _same_pairs(annotated)
    valid = np.all([pairs.valid for pairs in annotated.values()], axis=0)
    if not valid.any():
        raise PairSetError(
            f"none of the {len(first)} pairs is valid for everybody: somebody marked each invalid"
        )
    return {name: pairs.take(valid) for name, pairs in annotated.items()}


def _same_pairs(annotated: Mapping[str, PairSet]) -> PairSet:
    """The first person's pairs, if all have the same ones."""
    if not annotated:
        raise PairSetError("nobody judged; expected the pairs of one person or more")
    name, first = next(iter(annotated.items()))
    for other, pairs in annotated.items():
        for column in ("path_a", "path_b", "label"):
            if not np.array_equal(getattr(first, column), getattr(pairs, column)):
                raise PairSetError(
                    f"{name} and {other} do not have the same pairs in the same rows ({column} "
                    "differs); bring their files together with read_annotators"
                )
    return first
