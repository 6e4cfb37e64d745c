"""A tile's products against the threshold: every position that reaches it, and no other."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from indexes.join.cuda import DeviceScanner
from indexes.join.kernels import BF16, FP32, INT8
from indexes.join.scan import Scanner
from indexes.join.tiles import Tile

SEEDED = settings(derandomize=True, deadline=None, max_examples=30)
SIZE = 50
SCANNERS = {
    "bf16": Scanner,
    "fp32": Scanner,
    "int8": Scanner,
    "device": lambda area: DeviceScanner(area, "cpu"),
}


KERNELS = {"bf16": BF16, "fp32": FP32, "int8": INT8, "device": BF16}


def filter_of(table, margin=0.0):
    """A filter whose products are the numbers of the table."""
    axes = torch.eye(SIZE, dtype=table.dtype)
    kernel = next(kernel for kernel in KERNELS.values() if kernel.factors == table.dtype)

    def least(tile, threshold):
        if kernel is not INT8:
            return threshold - margin
        rows = tile.rows.stop - tile.rows.start
        return np.full(rows, np.ceil(threshold - margin), np.int32)

    return SimpleNamespace(
        kernel=kernel,
        left=lambda rows: table[rows],
        right=lambda columns: axes[columns],
        least=least,
        most=lambda products, p, q: products,
    )


def expected(table, tile, least, closed):
    """Positions whose number is at least the largest one of its type that is at most `least`."""
    numbers = table.to(torch.float64).numpy()[tile.rows, tile.columns]
    if table.dtype != torch.int8:
        near = torch.tensor(least, dtype=torch.float64).to(table.dtype)
        if near.to(torch.float64) > least:
            near = torch.nextafter(near, torch.tensor(-torch.inf, dtype=table.dtype))
        least = float(near)
    reached = numbers >= least
    for top, bottom, first, last in closed:
        reached[top:bottom, first:last] = False
    if tile.diagonal:
        reached = np.triu(reached, 1)
    p, q = np.nonzero(reached)
    return list(zip((p + tile.rows.start).tolist(), (q + tile.columns.start).tolist(), strict=True))


@st.composite
def scans(draw):
    """Tiles one after the other, of one scanner; thresholds among the numbers themselves."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    numbers = generator.standard_normal((SIZE, SIZE)) * draw(st.sampled_from([1, 1e-20, 1e20]))
    numbers -= draw(st.sampled_from([-3, 0, 3])) * np.abs(numbers).max()
    numbers[generator.random((SIZE, SIZE)) < 0.1] = 0
    requests = []
    for _ in range(draw(st.integers(1, 5))):
        rows = slice(*sorted(generator.choice(SIZE + 1, 2, replace=False).tolist()))
        columns = slice(*sorted(generator.choice(SIZE + 1, 2, replace=False).tolist()))
        tile = Tile(rows, rows if draw(st.booleans()) else columns)
        share = draw(st.sampled_from([0.0, 0.5, 0.99, 1.0]))
        least = float(np.quantile(numbers, share, method="nearest"))
        closed = [(0, 3, 2, 9), (5, 40, 10, 12)] if draw(st.booleans()) else []
        requests.append((tile, least + draw(st.sampled_from([0.0, 1e-30, -1e-30])), closed))
    return numbers, requests


@pytest.mark.parametrize("kind", SCANNERS)
@pytest.mark.parametrize("rare", [0.0, 5e-4, 0.05, 2.0])
@given(scanned=scans())
@SEEDED
def test_what_reaches_the_threshold(kind, rare, scanned):
    numbers, requests = scanned
    dtype = KERNELS[kind].factors
    if kind == "int8":
        scale = max(np.abs(numbers).max(), 1e-30) / 127
        numbers = np.rint(numbers / scale)
        requests = [(tile, np.rint(least / scale), closed) for tile, least, closed in requests]
    table = torch.from_numpy(numbers).to(dtype)
    scanner = SCANNERS[kind](SIZE * SIZE)
    scanner.rare = scanner.sparse = rare
    for tile, least, closed in requests:
        p, q = scanner.hits(filter_of(table), tile, least, 1.0, closed)
        found = list(zip(p.tolist(), q.tolist(), strict=True))
        if tile.diagonal:
            found = [(i, j) for i, j in found if i < j]
        assert found == expected(table, tile, least, closed)
        most = scanner.most_at(filter_of(table), tile, p, q)
        values = table.to(torch.float64).numpy()[p, q]
        assert (most >= values).all()
        assert (most <= values + np.abs(values) * 2.0**-7 + 2.0**-126).all()


@pytest.mark.parametrize("kind", SCANNERS)
def test_the_margin_lowers_the_threshold(kind):
    table = torch.full((SIZE, SIZE), 2, dtype=KERNELS[kind].factors)
    scanner, tile = SCANNERS[kind](SIZE * SIZE), Tile(slice(0, 20), slice(20, 50))
    for margin, count in ((1, 0), (2, 600), (3, 600)):
        p, q = scanner.hits(filter_of(table, margin), tile, 4.0, 1.0)
        assert p.size == q.size == count


@pytest.mark.parametrize("kind", SCANNERS)
@pytest.mark.parametrize(("few", "crowd", "most"), [(0, 0.5, 300), (300, 0.1, 300), (7, 0.2, 120)])
def test_too_many_hits_are_not_listed(kind, few, crowd, most):
    """More than a few, and than the share of the 600 numbers."""
    table = torch.zeros((SIZE, SIZE), dtype=KERNELS[kind].factors)
    scanner, tile = SCANNERS[kind](SIZE * SIZE), Tile(slice(0, 20), slice(20, 50))
    scanner.few = few
    for count, listed in ((most, True), (most + 1, False)):
        table[:20, 20:] = (torch.arange(600) < count).view(20, 30)
        hits = scanner.hits(filter_of(table), tile, 1.0, crowd)
        assert (hits is not None) == listed
        assert not listed or hits[0].size == count
