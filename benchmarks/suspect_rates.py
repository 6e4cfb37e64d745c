"""How right a check of suspects was over several runs, and how well it had foretold it.

A run is one planting of mistakes. What is measured is pooled over runs. The same false alarm comes
back in run after run, so that intervals are the wider of two: runs as clusters (Student's t of the
ratio), and Wilson's of the different things that were flagged.

An expectation's interval is judged in two ways. `within`: the share measured in a run, k of n,
lies in the printed interval, ends included. That is hard on a run of few flags: 2 of 3 may be all
that chance made of 90 %. `within_noise` therefore asks whether any precision in the printed
interval is a likely cause of k of n: whether it overlaps the exact interval of 95 % (Clopper and
Pearson) of k of n. Runs without a flag are counted and not judged.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import beta, t

from pairsets.evaluation.intervals import wilson
from pairsets.files.expectations import Expectation, Share

_TAIL = 0.025
# Printed shares are rounded here, and so is what is compared with them.
_EPSILON = 1e-9


@dataclass(frozen=True)
class Run:
    """Flags of one check on one planting, and what the check had expected of them.

    Attributes:
        flags, right: number of flags, and of those on planted mistakes.
        planted, found: number of planted mistakes, and of those that were flagged.
        right_keys, wrong_keys: what was flagged, told apart over runs.
        expected: by the check itself; None where it does not measure itself.
    """

    flags: int
    right: int
    planted: int
    found: int
    right_keys: frozenset[Hashable] = frozenset()
    wrong_keys: frozenset[Hashable] = frozenset()
    expected: Expectation | None = None

    @property
    def abstained(self) -> bool:
        """Whether the check had decided to flag nothing."""
        return self.expected is not None and self.expected.abstains

    def content(self) -> list[int]:
        """Flags, right ones, planted mistakes and found ones."""
        return [self.flags, self.right, self.planted, self.found]


def of_flags(
    flagged: Sequence[Hashable],
    planted: frozenset[Hashable],
    expected: Expectation | None,
) -> Run:
    """Run of what was flagged, each thing once, against what was planted."""
    said = frozenset(flagged)
    hits = said & planted
    return Run(len(said), len(hits), len(planted), len(hits), hits, said - planted, expected)


def clustered(hits: Sequence[int], totals: Sequence[int]) -> tuple[float, float]:
    """Ends of an interval of 95 % for a ratio of sums, runs being clusters; nan below two runs."""
    k, n = np.array(hits, float), np.array(totals, float)
    if len(n) < 2 or not n.sum():
        return np.nan, np.nan
    ratio = k.sum() / n.sum()
    residuals = k - ratio * n
    error = (len(n) / (len(n) - 1) * (residuals**2).sum()) ** 0.5 / n.sum()
    reach = float(t.ppf(1 - _TAIL, len(n) - 1)) * error
    return max(0.0, ratio - reach), min(1.0, ratio + reach)


def share(hits: Sequence[int], totals: Sequence[int], distinct: int) -> list[float] | None:
    """Share with both ends of its interval of 95 %; `distinct` things say as much as they are."""
    if not sum(totals):
        return None
    value = sum(hits) / sum(totals)
    single = wilson(value, max(1, min(distinct, sum(totals))))
    runs = clustered(hits, totals)
    low, high = np.fmin(single.low, runs[0]), np.fmax(single.high, runs[1])
    return [round(float(each), 4) for each in (value, low, high)]


def exact(hits: int, total: int) -> tuple[float, float]:
    """Ends of the exact interval of 95 % of a share (Clopper and Pearson).

    >>> [round(end, 3) for end in exact(2, 3)]
    [0.094, 0.992]
    """
    low = float(beta.ppf(_TAIL, hits, total - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - _TAIL, hits + 1, total - hits)) if hits < total else 1.0
    return low, high


def within(said: Share, hits: int, total: int) -> bool:
    """Whether a measured share lies in the printed interval."""
    return said.low - _EPSILON <= hits / total <= said.high + _EPSILON


def within_noise(said: Share, hits: int, total: int) -> bool:
    """Whether a share in the printed interval is a likely cause of the measured one."""
    low, high = exact(hits, total)
    return low <= said.high + _EPSILON and said.low - _EPSILON <= high


def summary(runs: Sequence[Run]) -> dict[str, Any]:
    """Precision and recall over runs, how often the check spoke, and how well it foretold both."""
    spoke = [run for run in runs if not run.abstained]
    rights = frozenset[Hashable]().union(*(run.right_keys for run in runs))
    wrongs = frozenset[Hashable]().union(*(run.wrong_keys for run in runs))
    distinct = len(rights) + len(wrongs)
    return {
        "runs": len(runs),
        "abstained": len(runs) - len(spoke),
        "flags": sum(run.flags for run in runs),
        "right": sum(run.right for run in runs),
        "planted": sum(run.planted for run in runs),
        "found": sum(run.found for run in runs),
        "distinct_right": len(rights),
        "distinct_wrong": len(wrongs),
        "precision": share(
            [run.right for run in runs], [run.flags for run in runs], distinct or 10**9
        ),
        "recall": share([run.found for run in runs], [run.planted for run in runs], 10**9),
        "recall_where_it_spoke": share(
            [run.found for run in spoke], [run.planted for run in spoke], 10**9
        ),
        "expected": _foretold(runs),
        "each": [run.content() for run in runs],
    }


def _foretold(runs: Sequence[Run]) -> dict[str, Any] | None:
    """How often measured shares lie in the intervals that were printed; None where none were."""
    said = [run for run in runs if run.expected is not None and run.expected.precision is not None]
    if not said:
        return None
    found: dict[str, Any] = {"printed": [run.expected.content() for run in said if run.expected]}
    for name, hits, totals in (
        ("precision", [run.right for run in said], [run.flags for run in said]),
        ("recall", [run.found for run in said], [run.planted for run in said]),
    ):
        judged = [
            (printed, k, n)
            for run, k, n in zip(said, hits, totals, strict=True)
            if n and not run.abstained and (printed := getattr(run.expected, name)) is not None
        ]
        found[name] = {
            "judged": len(judged),
            "within": sum(within(*each) for each in judged),
            "within_noise": sum(within_noise(*each) for each in judged),
            "mean": round(float(np.mean([each.value for each, _, _ in judged])), 4)
            if judged
            else None,
        }
    return found


def of_all(cells: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Share of all runs of many cells in which what was measured lies in what was printed."""
    told = {}
    for name in ("precision", "recall"):
        found = [cell["expected"][name] for cell in cells if cell["expected"]]
        judged = sum(each["judged"] for each in found)
        told[name] = {"judged": judged} | {
            how: round(sum(each[how] for each in found) / judged, 4) if judged else None
            for how in ("within", "within_noise")
        }
    return told
