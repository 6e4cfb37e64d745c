"""Design of a pair set: with which probability each of its negatives came out of all there are.

`PAIRS.design.csv` stands beside its pair file: `pathA,pathB,stratum,probability`, a row a negative.
How many pairs each stratum has, in all and in the set, is `design` in the manifest, `PAIRS.json`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pairsets.arrays import Counts, Floats, Rows
from pairsets.errors import PairSetError
from pairsets.pairset import PairSet, pair_key
from pairsets.storage.csv_tables import table_rows, write_csv
from pairsets.storage.json_files import JsonObject, read_object

COLUMNS = ("pathA", "pathB", "stratum", "probability")
# By how much the weights may miss a population of which they are to be the number.
_ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class Design:
    """Design of a pair set, in the order of its rows.

    Attributes:
        stratum: `[N]` number of the stratum of each negative, -1 for a positive.
        probability: `[N]` with which it came into the set, 0 to 1; nan for a positive.
        labels: `[K]` of the strata, in falling order of probability.
        populations: `[K]` pairs of different identities in each.

    Raises:
        PairSetError: other lengths, a probability of 0 or below, above 1 or nan, or a stratum that
            no pair of the set stands for.
    """

    stratum: Rows
    probability: Floats
    labels: tuple[str, ...]
    populations: Counts
    kind: ClassVar[str] = "stratified"

    def __post_init__(self) -> None:
        stratum = np.array(self.stratum, np.int64)
        probability = np.array(self.probability, np.float64)
        populations = np.array(self.populations, np.int64)
        if stratum.shape != probability.shape or stratum.ndim != 1:
            raise PairSetError(
                f"strata of shape {stratum.shape} for probabilities of shape {probability.shape}"
            )
        if populations.shape != (len(self.labels),) or stratum.max(initial=-1) >= len(self.labels):
            raise PairSetError(
                f"{len(self.labels)} strata of shape {populations.shape}, and a pair of stratum "
                f"number {stratum.max(initial=-1)}; expected a population for each"
            )
        rows = np.flatnonzero(stratum >= 0)
        wrong = rows[~((probability[rows] > 0) & (probability[rows] <= 1))]
        if wrong.size:
            raise PairSetError(
                f"pair {wrong[0] + 1} has a probability of {probability[wrong[0]]:g}; expected "
                "one above 0, at most 1"
            )
        for name, one in zip(
            ("stratum", "probability", "populations"),
            (stratum, probability, populations),
            strict=True,
        ):
            one.setflags(write=False)
            object.__setattr__(self, name, one)
        self._refuse_uncovered()

    def _refuse_uncovered(self) -> None:
        """Raise PairSetError where a stratum is too large to have been left out by chance."""
        rows = self.stratum >= 0
        if not rows.any():
            raise PairSetError("a design of no negative; expected one or more")
        heaviest = 1 / float(self.probability[rows].min())
        for label, population, sampled in zip(
            self.labels, self.populations.tolist(), self.sampled.tolist(), strict=True
        ):
            if sampled > population:
                raise PairSetError(
                    f"stratum {label} has {sampled:,} pairs in the set and {population:,} in all"
                )
            if not sampled and population > heaviest * (1 + _ROUNDING):
                raise PairSetError(
                    f"stratum {label} has {population:,} pairs in all and none in the set, so that "
                    f"nothing stands for them (one pair stands for {heaviest:,.0f} at most); were "
                    "rows of the pair file left out?"
                )

    @property
    def sampled(self) -> Counts:
        """`[K]`: pairs of the set in each stratum."""
        rows = self.stratum[self.stratum >= 0]
        return np.bincount(rows, minlength=len(self.labels)).astype(np.int64)

    @property
    def population(self) -> int:
        """Number of all pairs of different identities."""
        return int(self.populations.sum())

    def content(self, facts: Mapping[str, object]) -> dict[str, object]:
        """Entry `design` of a manifest, with further facts on how it was drawn."""
        rows = self.stratum >= 0
        chance = np.full(len(self.labels), np.nan)
        chance[self.stratum[rows]] = self.probability[rows]
        columns = (self.labels, self.populations.tolist(), self.sampled.tolist(), chance.tolist())
        strata = [
            {"stratum": label, "population": count, "sampled": taken}
            | ({} if math.isnan(share) else {"probability": share})
            for label, count, taken, share in zip(*columns, strict=True)
        ]
        return {"kind": self.kind, "population": self.population, **facts, "strata": strata}

    @classmethod
    def read(cls, path: str | Path, pairs: PairSet) -> Design:
        """Read the design of `pairs`, whatever the order of the rows, or of the faces in one.

        Raises:
            PairSetError: the file or the manifest is missing or not of this form, a negative has no
                row or two, a row is no negative of the set, or what `Design` refuses; the message
                gives the file, and the line where there is one.
        """
        path = Path(path)
        labels, populations, sampled = _strata(path)
        number = {label: at for at, label in enumerate(labels)}
        wanted = {key: row for row, key in enumerate(pairs.keys) if pairs.label[row] == 0}
        stratum = np.full(len(pairs), -1, np.int64)
        probability = np.full(len(pairs), np.nan)
        for line, (a, b, label, share) in table_rows(path, "design file", COLUMNS):
            row = wanted.get(pair_key(a, b))
            if row is None:
                raise PairSetError(
                    f"{path}, line {line}: {a!r} and {b!r} are no negative of the set; was the "
                    "design made for another one?"
                )
            if stratum[row] >= 0:
                raise PairSetError(f"{path}, line {line}: {a!r} and {b!r} have a row already")
            if label not in number:
                raise PairSetError(
                    f"{path}, line {line}: stratum {label!r:.40} is none of the manifest's; was it "
                    "made for another set?"
                )
            stratum[row], probability[row] = number[label], _share(share, path, line)
        lacking = [row for row in wanted.values() if stratum[row] < 0]
        if lacking:
            row = lacking[0]
            raise PairSetError(
                f"{path}: no row for {len(lacking):,} of {len(wanted):,} negatives, the first "
                f"{pairs.path_a[row]!r} and {pairs.path_b[row]!r}"
            )
        try:
            found = cls(stratum, probability, labels, populations)
        except PairSetError as error:
            raise PairSetError(f"{path}: {error}") from None
        _refuse_other_counts(path, found, sampled)
        return found

    def write(self, path: str | Path, pairs: PairSet) -> Path:
        """Write `pathA,pathB,stratum,probability`, a row a negative of `pairs`."""
        rows = np.flatnonzero(self.stratum >= 0)
        cells = zip(
            pairs.path_a[rows],
            pairs.path_b[rows],
            (self.labels[at] for at in self.stratum[rows].tolist()),
            # The shortest digits that are read as the same number.
            map(repr, self.probability[rows].tolist()),
            strict=True,
        )
        return write_csv(Path(path), COLUMNS, cells)


def _strata(path: Path) -> tuple[tuple[str, ...], NDArray[np.int64], list[int]]:
    """Labels, populations and sample counts of the strata, from the manifest of the pair file."""
    manifest = path.with_name(path.name.removesuffix(".design.csv") + ".json")
    try:
        found = read_object(manifest, "the manifest of a pair file", error=PairSetError)
    except FileNotFoundError:
        raise PairSetError(
            f"{path}: no {manifest.name} beside it, which says how many pairs each stratum stands "
            "for; was the pair file copied without its manifest?"
        ) from None
    if "design" not in found:
        raise PairSetError(
            f"{path}: {manifest.name} says nothing of a design; is it of another pair file?"
        )
    strata: Sequence[JsonObject] = found.inner("design").objects("strata")
    labels = tuple(one.text("stratum") for one in strata)
    if len({*labels}) < len(labels):
        raise PairSetError(f"{manifest}: a stratum is there twice in its design")
    counts = np.array([one.count("population", least=1) for one in strata], np.int64)
    return labels, counts, [one.count("sampled") for one in strata]


def _share(text: str, path: Path, line: int) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise PairSetError(
            f"{path}, line {line}: probability {text!r:.40}; expected a number above 0, at most 1"
        )
    return share


def _refuse_other_counts(path: Path, found: Design, sampled: Sequence[int]) -> None:
    """Raise PairSetError where the set has not the pairs of each stratum that were drawn."""
    for label, here, drawn in zip(found.labels, found.sampled.tolist(), sampled, strict=True):
        if here != drawn:
            raise PairSetError(
                f"{path}: {here:,} pairs of stratum {label}, and the manifest has {drawn:,}; was "
                "one of the two changed, or made for another set?"
            )
