"""Checks of pictures on a cluster: the doubts of one machine, pair by pair."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from mining.cluster.checks import ClusterChecks
from mining.cluster.session import Cluster
from mining.suspects.evidence import Evidence
from pairsets.faces import Faces
from pairsets.pairset import PairSet


@pytest.mark.parametrize("kind", ["duplicate", "variant", "source", "crop"])
def test_doubts_are_those_of_one_machine(kind: str, cluster: Cluster, faces_folder: Path) -> None:
    pytest.importorskip("cv2")
    (faces_folder / "a/1.png").write_bytes(b"no picture")
    (faces_folder / "b/1.png").write_bytes((faces_folder / "橘_雪/0.png").read_bytes())
    paths = [*Faces.scan(faces_folder).paths][:14]
    paths.append("橘_雪/0.png")
    ends = [*combinations(paths, 2)]
    # Labels go with pairs: of a negative no variant is looked for.
    labels = [int(a.split("/")[0] == b.split("/")[0]) for a, b in ends]
    pairs = PairSet.of(*zip(*ends, strict=True), labels)
    evidence = Evidence(faces_folder)
    (alone,) = evidence.checks([kind])
    (shared,) = replace(evidence, crew=ClusterChecks(cluster, pairs=20)).checks([kind])
    assert shared.kind == kind
    told: list[tuple[int, int]] = []
    expected, found = alone(pairs), shared(pairs, lambda done, total: told.append((done, total)))
    assert np.array_equal(found.score, expected.score, equal_nan=True)
    assert found.flagged.tolist() == expected.flagged.tolist()
    assert found.reasons == expected.reasons
    # Names of files can be read, whatever is in them.
    assert np.isnan(expected.score).any() == (kind != "source")
    if kind == "duplicate":
        assert expected.flagged.any()
    assert told[-1] == (len(pairs), len(pairs))
    assert len(told) == -(-len(pairs) // 20)
