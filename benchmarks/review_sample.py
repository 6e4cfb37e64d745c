"""Whether a review that ends when a share is known well enough holds the truth as often as it says.

    python -m benchmarks.review_sample [--replicates 500]

Sets of pairs of which the share of mistakes is known are judged in random order, some verdicts
being invalid. After every verdict it is asked whether the aim is met, as the page does, and:

- **stopped**: of the intervals at which reviews ended, the share that holds the truth;
- **always**: the share of reviews in which every interval, from the first verdict to the last of
  the whole set, holds it;
- **fixed**: what a plain Clopper-Pearson interval of 95 % would hold, looked at after every verdict
  in the same way until it is as narrow; nothing promises that it holds what it says then.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from scipy.stats import beta

from benchmarks.machine import keep
from pairsets.evaluation.sequential_interval import sequential_bounds

SETS = (500, 2_500)
SHARES = (0.01, 0.05, 0.2)
WITHIN = (0.02, 0.05)
INVALID = 0.05


def main() -> None:
    """Simulate reviews of all kinds and keep the shares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=500)
    replicates = parser.parse_args().replicates
    generator = np.random.default_rng(0)
    found = [
        _one(generator, size, share, within, replicates)
        for size in SETS
        for share in SHARES
        for within in WITHIN
    ]
    keep("review_sample", {"replicates": replicates, "invalid": INVALID, "reviews": found})


def _one(
    generator: np.random.Generator, size: int, share: float, within: float, replicates: int
) -> dict[str, Any]:
    """Reviews of sets of one kind with one aim."""
    invalid = round(INVALID * size)
    counting = size - invalid
    wrong = round(share * counting)
    # 1 wrong, 0 right, 2 invalid.
    pairs = np.repeat([1, 0, 2], [wrong, counting - wrong, invalid])
    truth = wrong / counting
    stopped = always = fixed = 0
    ends, fixed_ends = [], []
    for _ in range(replicates):
        order = generator.permutation(pairs)
        told = order[order != 2]
        drawn = np.arange(1, counting + 1)
        errors = np.cumsum(told)
        # Invalid verdicts that are known when each of the others is given.
        population = size - np.cumsum(order == 2)[order != 2]
        low, high = (one / population for one in sequential_bounds(errors, drawn, population))
        end = _first(errors / drawn, low, high, within)
        stopped += low[end] - 1e-12 <= truth <= high[end] + 1e-12
        always += bool(np.all((low - 1e-12 <= truth) & (truth <= high + 1e-12)))
        ends.append(end + 1)
        plain_low = np.where(errors > 0, beta.ppf(0.025, errors, drawn - errors + 1), 0.0)
        plain_high = np.where(
            errors < drawn, beta.ppf(0.975, errors + 1, np.maximum(drawn - errors, 1)), 1.0
        )
        end = _first(errors / drawn, plain_low, plain_high, within)
        fixed += plain_low[end] <= truth <= plain_high[end]
        fixed_ends.append(end + 1)
    return {
        "pairs": size,
        "share": share,
        "within": within,
        "stopped": float(stopped) / replicates,
        "always": always / replicates,
        "judged": int(np.median(ends)),
        "fixed": float(fixed) / replicates,
        "fixed_judged": int(np.median(fixed_ends)),
    }


def _first(value: Any, low: Any, high: Any, within: float) -> int:
    """Where the aim is met first; the last place where it never is."""
    met = np.maximum(high - value, value - low) <= within + 1e-12
    return int(np.argmax(met)) if met.any() else len(met) - 1


if __name__ == "__main__":
    main()
