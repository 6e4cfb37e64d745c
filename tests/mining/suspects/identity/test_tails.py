"""Tails that are carried on past what was seen, against the tails that scores were drawn from."""

from __future__ import annotations

import numpy as np
import pytest

from mining.suspects.identity.tails import Fit, Level, Tail, level_of

FITS = (Fit(0.05, 0.3, -0.1), Fit(0.15, 0.6, -0.1))


def drawn(count, seed):
    """Scores whose tail is that of exponential ones, exp(-x), and whose bulk is none."""
    return np.random.default_rng(seed).logistic(size=count)


@pytest.mark.parametrize("fit", FITS)
def test_the_tail_of_exponential_scores_is_found(fit):
    """Of 20,000 such scores `20,000 exp(-x)` lie above x, down to one of them."""
    falling = np.sort(np.random.default_rng(2).exponential(size=20_000))[::-1]
    tail = Tail.of(falling, fit)
    for level in (4.0, 6.0, 8.0, np.log(20_000)):
        of = float(tail.expected([level])[0]) / (20_000 * np.exp(-level))
        assert 1 / 2 < of < 2
    # It falls, and begins with what is there.
    assert tail.expected([tail.start])[0] == tail.count == int((falling > tail.start).sum())
    assert (np.diff(tail.expected(np.linspace(tail.start, 30, 200))) < 0).all()


def test_the_likeliest_of_all_that_are_tried():
    """By the likelihood written out, score by score, with the spared ones known to be above."""
    falling = np.sort(drawn(400, 3))[::-1]
    fit = Fit(0.05, 0.3, -0.1)
    tail = Tail.of(falling, fit)
    spared, count = 20, 120
    start = falling[count]

    def cost(scale, shape):
        def log_survival(x):
            left = 1 + shape * x / scale
            return -x / scale if shape == 0 else -np.log(left) / shape

        total = spared * log_survival(falling[spared] - start)
        for score in falling[spared:count]:
            x = score - start
            total += log_survival(x) - np.log(scale) - np.log(1 + shape * x / scale)
        return -total

    mean = (falling[spared:count] - start).mean()
    scales = mean * np.exp(np.linspace(-1.2, 2.0, 161))
    shapes = np.arange(-5, 26) / 50
    best = min((cost(scale, shape), scale, shape) for scale in scales for shape in shapes)
    assert (tail.scale, tail.shape) == (pytest.approx(best[1]), pytest.approx(best[2]))


def test_few_scores_have_no_tail():
    falling = np.sort(drawn(40, 1))[::-1]
    assert Tail.of(falling, Fit(0.05, 0.3, 0.0)) is None
    assert level_of(drawn(40, 1), FITS, 0.05) is None
    # Nor have scores that are all equal.
    assert level_of(np.zeros(1000), FITS, 0.05) is None


def test_of_scores_without_mistakes_hardly_one_is_flagged():
    flagged = [level_of(drawn(1000, seed), FITS, 0.05).flagged for seed in range(60)]
    assert sum(map(bool, flagged)) <= 6


@pytest.mark.parametrize("planted", [10, 30])
def test_mistakes_that_stand_out_are_flagged_and_few_others(planted):
    right = wrong = 0
    for seed in range(20):
        scores = drawn(1000, seed)
        scores[:planted] += 25
        level = level_of(scores, FITS, 0.05)
        assert level.flagged == int((scores >= level.value).sum())
        right += int((scores[:planted] >= level.value).sum())
        wrong += int((scores[planted:] >= level.value).sum())
        assert level.wrong <= 0.05 * level.flagged
    assert right >= 0.8 * 20 * planted
    assert wrong <= 0.1 * (right + wrong)


def test_equal_scores_are_flagged_together_and_the_order_does_not_matter():
    scores = np.concatenate([drawn(1000, 5), np.full(7, 30.0)])
    level = level_of(scores, FITS, 0.05)
    assert level == Level(30.0, 7, level.wrong)
    assert level_of(scores[::-1].copy(), FITS, 0.05) == level


def test_where_nothing_stands_out_the_level_is_that_of_a_single_score():
    scores = drawn(1000, 8)
    level = level_of(scores, FITS, 0.05)
    assert level.flagged == 0
    more = np.append(scores, level.value + 1e-9)
    assert level_of(more, FITS, 0.06).flagged == 1
