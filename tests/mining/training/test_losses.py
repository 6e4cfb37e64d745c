"""Losses: naive sums over pairs say the same; a missing side, options and vetoes."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import functional

from mining.errors import TrainingError
from mining.training.configuration import LossSettings
from mining.training.losses import LOSSES, MetricLoss, checked_options

LABELS = torch.tensor([0, 0, 1, 1, 2, 2])
VECTORS = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))


def value(
    name: Any,
    options: dict[str, float] | None = None,
    vetoed: torch.Tensor | None = None,
    **more: Any,
) -> float:
    torch.manual_seed(1)
    loss = MetricLoss(LossSettings(name, options or {}, **more), 5, 3)
    return float(loss(VECTORS, LABELS, vetoed).detach())


def distances() -> torch.Tensor:
    unit = functional.normalize(VECTORS.double())
    return (unit[:, None] - unit[None]).norm(dim=2)


def naive_contrastive(near: float, far: float, vetoed: set[tuple[int, int]] = frozenset()) -> float:  # type: ignore[assignment]
    apart = distances()
    same, other = [], []
    for i in range(6):
        for j in range(6):
            if i == j:
                continue
            if LABELS[i] == LABELS[j]:
                same.append(max(0.0, float(apart[i, j]) - near))
            elif (i, j) not in vetoed and (j, i) not in vetoed:
                other.append(max(0.0, far - float(apart[i, j])))
    means = []
    for losses in (same, other):
        above = [one for one in losses if one > 0]
        means.append(sum(above) / len(above) if above else 0.0)
    return sum(means)


def test_contrastive_is_that_of_the_published_models() -> None:
    assert value("contrastive") == pytest.approx(naive_contrastive(0.681566, 1.04214), rel=1e-5)
    told = {"pos_margin": 0.1, "neg_margin": 1.9}
    assert value("contrastive", told) == pytest.approx(naive_contrastive(0.1, 1.9), rel=1e-5)


def test_a_vetoed_pair_is_no_negative() -> None:
    vetoed = torch.zeros(6, 6, dtype=torch.bool)
    vetoed[0, 3] = vetoed[3, 0] = True
    told = {"pos_margin": 0.1, "neg_margin": 1.9}
    expected = naive_contrastive(0.1, 1.9, {(0, 3)})
    assert value("contrastive", told, vetoed) == pytest.approx(expected, rel=1e-5)
    assert expected != pytest.approx(naive_contrastive(0.1, 1.9), rel=1e-3)


def test_triplet_is_a_sum_over_triplets() -> None:
    apart = distances()
    losses = [
        float(apart[a, p] - apart[a, n]) + 0.3
        for a in range(6)
        for p in range(6)
        for n in range(6)
        if a != p and LABELS[a] == LABELS[p] and LABELS[a] != LABELS[n]
    ]
    above = [one for one in losses if one > 0]
    assert value("triplet", {"margin": 0.3}) == pytest.approx(sum(above) / len(above), rel=1e-5)


def test_arcface_margins_are_degrees() -> None:
    torch.manual_seed(1)
    loss = MetricLoss(LossSettings("arcface", {"margin": 30, "scale": 8}), 5, 3)
    centres = functional.normalize(loss.metric.W.detach().double(), dim=0)  # type: ignore[union-attr, operator]
    cosines = functional.normalize(VECTORS.double()) @ centres
    logits = 8 * cosines
    for row, label in enumerate(LABELS.tolist()):
        angle = math.acos(float(cosines[row, label])) + math.radians(30)
        logits[row, label] = 8 * math.cos(angle)
    expected = float(functional.cross_entropy(logits, LABELS))
    assert float(loss(VECTORS, LABELS).detach()) == pytest.approx(expected, rel=1e-4)


def test_the_classifier_is_linear_without_bias() -> None:
    torch.manual_seed(1)
    settings = LossSettings("contrastive", classifier_weight=0.4)
    loss = MetricLoss(settings, 5, 3)
    assert loss.classifier is not None
    assert loss.classifier.bias is None
    logits = VECTORS @ loss.classifier.weight.T
    expected = value("contrastive") + 0.4 * float(functional.cross_entropy(logits, LABELS).detach())
    assert float(loss(VECTORS, LABELS).detach()) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_each_falls_as_it_is_followed(name: Any) -> None:
    torch.manual_seed(0)
    loss = MetricLoss(LossSettings(name), 5, 3)
    vectors = VECTORS.clone().requires_grad_()
    optimizer = torch.optim.SGD([vectors, *loss.parameters()], lr=0.01)
    first = last = float(loss(vectors, LABELS).detach())
    for _ in range(60):
        optimizer.zero_grad()
        found = loss(vectors, LABELS)
        found.backward()
        optimizer.step()
        last = float(found.detach())
    assert last < 0.9 * first


@pytest.mark.parametrize("name", [name for name, kind in LOSSES.items() if kind.pairs])
@pytest.mark.parametrize(
    ("labels", "told"),
    [([0, 1, 2, 3, 4, 5], "two pictures of one identity"), ([0] * 6, "two identities")],
)
def test_a_missing_side_is_an_error(name: Any, labels: list[int], told: str) -> None:
    loss = MetricLoss(LossSettings(name), 5, 6)
    with pytest.raises(TrainingError, match=told):
        loss(VECTORS, torch.tensor(labels))


def test_the_regularizer_adds_the_mean_norm() -> None:
    plain = value("contrastive")
    added = value("contrastive", regularizer=2, regularizer_weight=0.5)
    assert added == pytest.approx(plain + 0.5 * float(VECTORS.norm(dim=1).mean()), rel=1e-4)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (LossSettings("triplet", {"neg_margin": 1}), r"triplet has no such option; it has margin"),
        (LossSettings("arcface", {"margin": 120}), r"120; expected 0 to 90 for arcface"),
        (LossSettings("subcenter-arcface", {"sub_centers": 1.5}), "expected a whole number"),
    ],
)
def test_options_that_are_none_are_named(settings: LossSettings, told: str) -> None:
    with pytest.raises(TrainingError, match=told):
        checked_options(settings)
