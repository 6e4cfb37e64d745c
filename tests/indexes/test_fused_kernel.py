"""The fused kernel, run by Triton's interpreter, in a process whose Triton is told so in time.

The tests themselves are in `interpreted_kernel.py` beside this file.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from indexes import join
from indexes.join import cuda

HERE = Path(__file__).parent


def test_the_kernel_by_the_interpreter():
    pytest.importorskip("triton", reason="Triton comes with the CUDA builds of PyTorch")
    environment = os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    alone = "-p", "no:cacheprovider", "-p", "no:xdist"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *alone, str(HERE / "interpreted_kernel.py")],
        cwd=HERE.parents[1],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "skipped" not in done.stdout


def test_without_an_interpreter_it_is_for_cuda_devices(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    assert cuda.fused_fault("cpu") == "it is for CUDA devices"
    assert cuda.side(["cpu"]) == cuda.SIDE


def test_without_triton_torch_serves(monkeypatch):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setitem(sys.modules, "indexes.join.fused_kernel", None)
    # Another test may have it imported, which then is found as the package's own.
    monkeypatch.delattr(join, "fused_kernel", raising=False)
    assert cuda.fused_fault("cpu").startswith("Triton is not installed (")
    assert "Triton is not installed" in cuda.refuse_inexact("cpu")
