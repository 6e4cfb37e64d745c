"""The benchmark of the search: its own sides answer rightly, and machines' results stand apart."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # where only the packages are installed

from benchmarks import cases, mining, previous, vectors  # noqa: E402
from benchmarks.exactness import brute_force  # noqa: E402
from benchmarks.jobs import Job  # noqa: E402
from benchmarks.peers import SIDES  # noqa: E402

EPYC = {"processor": "EPYC", "features": ["avx2", "avx512f"], "cores": 2, "versions": {}}
XEON = {**EPYC, "processor": "Xeon", "features": ["avx2", "avx512f", "amx_tile"]}


@pytest.mark.parametrize(
    "side",
    ["faiss-knn", "faiss-panorama", "torchdr", "torch-fp32", *(s for s in SIDES if "numkong" in s)],
)
def test_a_peer_finds_the_pairs_that_brute_force_finds(side: str) -> None:
    # More than one tile, so that thresholds, offsets and the diagonal count.
    if side == "torchdr" or side.startswith("numkong"):
        pytest.importorskip(side.partition("-")[0])
    faiss = pytest.importorskip("faiss")
    if side == "faiss-panorama" and not hasattr(faiss, "IndexFlatL2Panorama"):
        pytest.skip("FAISS before 1.13")
    source = vectors.clustered(4500, 32)
    rows = np.concatenate([chunk for _, chunk in source.chunks()])
    answer = SIDES[side].start(Job(rows, source.groups, 300))()
    i, j, scores = brute_force(rows, source.groups, 400)
    assert answer is not None
    assert len(answer.i) == 300
    assert (answer.i < answer.j).all()
    found = answer.i * 4500 + answer.j
    assert np.unique(found).size == 300
    # What float32 rounds may change places at the end, nothing before it.
    clear = scores[:300] > scores[299] + 1e-5
    assert np.isin((i * 4500 + j)[:300][clear], found).all()
    assert np.isin(found, (i * 4500 + j)[scores > scores[299] - 1e-5]).all()
    np.testing.assert_allclose(answer.scores, scores[:300], atol=1e-5)


def test_results_of_two_kinds_of_machine_stand_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mining, "OUTPUT", tmp_path / "mining.json")
    mining.keep("cases", "real", {"seconds": 1}, XEON)
    mining.keep("cases", "real", {"seconds": 2}, EPYC)
    newer: dict[str, Any] = {**EPYC, "versions": {"torch": "3"}}
    mining.keep("cases", "real", {"seconds": 3}, newer)
    content = json.loads((tmp_path / "mining.json").read_text())
    found = {
        kind: {key: entry["seconds"] for key, entry in entries.items()}
        for kind, entries in content["cases"].items()
    }
    assert found == {"Xeon, AMX, 2 cores": {"real": 1}, "EPYC, AVX512, 2 cores": {"real": 3}}
    # The run that was replaced leaves no machine behind.
    named = [entries["real"]["machine"] for entries in content["cases"].values()]
    assert [content["machines"][name] for name in named] == [XEON, newer]
    assert len(content["machines"]) == 2


def test_ratios_are_those_of_sides_that_ran() -> None:
    seconds = {"ours": 2.0, "previous": 4.0, "faiss-knn": 20.0}
    sides = {side: {"median_seconds": value} for side, value in seconds.items()}
    assert cases.ratios(sides) == {"ours / previous": 0.5, "faiss-knn / ours": 10.0}


def test_the_headline_has_all_sides_and_then_the_largest_set() -> None:
    small, large = mining._grids(mining._options(["--preset", "headline"]))
    assert (small.sizes, small.sides, small.repeats) == ([50_000], list(SIDES), 5)
    assert small.sets == vectors.SETS
    assert (large.sizes, large.sets) == ([200_000], ["real"])
    assert large.sides == ["ours", "previous", "bare-int8"]
    (asked,) = {
        tuple(grid.sides)
        for grid in mining._grids(mining._options(["--preset", "headline", "--sides", "previous"]))
    }
    assert asked == ("ours", "previous")


def test_without_its_commit_the_previous_build_says_why(tmp_path: Path) -> None:
    with pytest.raises(previous.PreviousError, match="no git history to take commit dac39c2 from"):
        previous.install(tmp_path / "scratch", tmp_path)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    with pytest.raises(previous.PreviousError, match="commit dac39c2 is not in the git history"):
        previous.install(tmp_path / "scratch", tmp_path)
    assert not (tmp_path / "scratch").exists()
