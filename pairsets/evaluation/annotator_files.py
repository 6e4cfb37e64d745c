"""People who judged pair sets, each in a pair file of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pairsets.arrays import Mask, Rows
from pairsets.errors import PairSetError
from pairsets.evaluation.clusters import By
from pairsets.evaluation.human import HumanRates, human_rates
from pairsets.files.side_files import Named
from pairsets.pairset import PairSet
from pairsets.storage.artefacts import refuse_unwritable

# The person whose verdicts a pair set itself holds.
OWN = "Human"


def people_of(
    sets: Mapping[str, PairSet], annotators: Sequence[Named]
) -> dict[str, dict[str, PairSet]]:
    """People who judged each set, with their verdicts on its pairs, in its order.

    Raises:
        PairSetError: a file of another set, or without a verdict; a person given twice; and what
            `pairsets.evaluation.annotator_files.read_annotators` raises.
    """
    known = {name: set(one.keys) for name, one in sets.items()}
    files: dict[str, dict[str, Path]] = {name: {} for name in sets}
    for one in annotators:
        person = one.name or one.path.stem
        refuse_unwritable([person])
        theirs = set(PairSet.read(one.path).keys)
        homes = [name for name, pairs in known.items() if not pairs.isdisjoint(theirs)]
        if not homes:
            raise PairSetError(
                f"{one.path}: none of its pairs is in {', '.join(sets)}; is it another pair set's?"
            )
        for name in homes:
            if person in files[name] or person == OWN:
                raise PairSetError(
                    f"{one.path}: a second {person} for the set {name}; give another name: "
                    f"--annotator NAME={one.path}"
                )
            files[name][person] = one.path
    found = {
        name: read_annotators(sets[name], mine) if mine else {} for name, mine in files.items()
    }
    for name, said in found.items():
        for person, pairs in said.items():
            if not pairs.judged.any():
                raise PairSetError(
                    f"{files[name][person]}: {person} judged none of the valid pairs of the set "
                    f"{name}; expected verdicts, 0 or 1, in the column human_prediction"
                )
    return found


def with_own(pairs: PairSet, people: Mapping[str, PairSet]) -> dict[str, PairSet]:
    """The people, after the one whose verdicts the set itself holds, where there is one."""
    return ({OWN: pairs} if pairs.judged.any() else {}) | dict(people)


def taken(people: Mapping[str, PairSet], rows: Mask) -> dict[str, PairSet]:
    """Verdicts of these people on some rows."""
    return {person: said.take(rows) for person, said in people.items()}


def rates_of(people: Mapping[str, PairSet], clusters: By) -> dict[str, HumanRates]:
    """The rates of those who judged at least one valid pair."""
    return {
        person: human_rates(said, clusters) for person, said in people.items() if said.judged.any()
    }


def read_annotators(reference: PairSet, files: Mapping[str, Path]) -> dict[str, PairSet]:
    """Read each person's pair file, and bring it into the order of `reference`.

    Labels are those of `reference`, a row is invalid where it is so in either file. Pairs are
    matched by their two paths in either order. Those that a file lacks are not judged there; those
    that `reference` lacks are left out.

    Raises:
        PairSetError: no file; one file for two people; a file with none of the pairs, or with
            another label of one; and what `PairSet.read` raises.
    """
    if not files:
        raise PairSetError("nobody's pair file is given; expected one a person")
    owners: dict[Path, str] = {}
    people: dict[str, PairSet] = {}
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
        people[name] = replace(reference, human_prediction=verdicts, invalid=invalid)
    return people


def rows_among(theirs: PairSet, reference: PairSet, path: Path, *, whose: str, where: str) -> Rows:
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


def common_pairs(annotated: Mapping[str, PairSet]) -> PairSet:
    """Pairs of the first person, if all have the same ones."""
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
