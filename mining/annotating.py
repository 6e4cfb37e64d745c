"""People who judged pair sets, each in a pair file of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mining.gathering import Named
from mining.run import refuse_unwritable
from pairsets.annotators import read_annotators
from pairsets.clusters import By
from pairsets.errors import PairSetError
from pairsets.human import HumanRates, human_rates
from pairsets.pairset import PairSet

# The person whose verdicts a pair set itself holds.
OWN = "Human"


def people_of(
    sets: Mapping[str, PairSet], annotators: Sequence[Named]
) -> dict[str, Mapping[str, PairSet]]:
    """By set, what each person said of its pairs, in its order.

    Raises:
        PairSetError: a file of another set, or without a verdict; a person given twice; and what
            `pairsets.annotators.read_annotators` raises.
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


def taken(people: Mapping[str, PairSet], rows: NDArray[np.bool_]) -> dict[str, PairSet]:
    """What they said of some rows."""
    return {person: said.take(rows) for person, said in people.items()}


def rates_of(people: Mapping[str, PairSet], clusters: By) -> dict[str, HumanRates]:
    """The rates of those who judged at least one valid pair."""
    return {
        person: human_rates(said, clusters) for person, said in people.items() if said.judged.any()
    }
