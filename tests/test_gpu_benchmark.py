"""The benchmark of the GPU runs through, tiny and on the processor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # where only the packages are installed

from benchmarks import gpu  # noqa: E402


def test_every_part_runs_dry(tmp_path: Path) -> None:
    pytest.importorskip("triton", reason="Triton comes with the CUDA builds of PyTorch")
    environment = os.environ | {"OUT": str(tmp_path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.gpu", "--dry"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads((tmp_path / "gpu.json").read_text())["parts"]
    assert not {name: part for name, part in found.items() if "failed" in part}
    assert found["join, clustered"]["pairs"] == gpu.DRY.pairs
    assert found["exactness"]["pairs_compared"] > 1000
    assert found["kernel"]["kernel_operations_a_second"] > 0
    assert all(found[f"embedding, {name}"]["same_bytes"] for name in gpu.DRY.networks)
    assert found["peer, torch product and topk, bfloat16"]["queries"] == gpu.DRY.queries
    assert found["a tenth of 11 million"]["whole"]["tiles"] == 168 * 169 // 2


def test_what_the_budget_does_not_reach_says_so() -> None:
    written: list[dict[str, object]] = []
    size = gpu.Size(device="cpu", rows=100, identities=10)
    gpu.run(size, 0.0, lambda result: written.append(json.loads(json.dumps(result))))
    last = written[-1]["parts"]
    assert isinstance(last, dict)
    assert list(last) == list(gpu.parts(gpu.Bench(size)))
    assert all("of the budget are left" in part["left_out"] for part in last.values())
