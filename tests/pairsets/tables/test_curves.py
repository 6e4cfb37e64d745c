"""Curves as files."""

from __future__ import annotations

import csv

import numpy as np
from support.rates import rates_at

from pairsets import PairSet, compare
from pairsets.tables.curves import write_curves


def test_every_vertex_is_a_point_that_its_threshold_reaches(tmp_path):
    """Ties make one vertex; an invalid row makes none."""
    pairs = PairSet.of(
        [f"a/{k}" for k in range(8)],
        [f"{c}/x{k}" for k, c in enumerate("aaaabcde")],
        [1, 1, 1, 1, 0, 0, 0, 0],
        invalid=[0] * 7 + [1],
    )
    scores = {"m, 1": [0.9, 0.7, 0.7, 0.2, 0.7, 0.3, 0.1, 5.0], "n": np.arange(8.0)}
    path = write_curves(tmp_path / "curves.csv", compare("s", pairs, scores, 0.25, draws=0))
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for model, values in scores.items():
        own = [row for row in rows if row["model"] == model]
        known = sorted(set(values[:7]), reverse=True)
        assert [float(row["threshold"]) for row in own] == [np.inf, *known]
        for row in own:
            point = rates_at(pairs.label[:7], values[:7], float(row["threshold"]))
            assert (float(row["fpr"]), float(row["fnr"])) == (point.fpr, point.fnr)
