"""Several processes train what one would; on the CPU, over gloo."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from support.training import write_faces

from mining.training.processes import Processes, is_main, launched

# Without batch normalisation, whose statistics are each process's own, and without dropout.
OPTIONS = (
    "--trunk", "timm:test_vit", "--from-scratch", "--input-size", "160", "--dim", "8",
    "--batch-size", "8", "--images-per-epoch", "16", "--epochs", "2", "--lr", "1e-3", "--dropout",
    "0", "--loss", "arcface", "--validation-folds", "3", "--device", "cpu", "--select", "last",
    # In a file: torchrun takes `--m` for one of its own.
    "--config",
)  # fmt: skip


def run(faces: Path, out: Path, processes: int) -> dict[str, torch.Tensor]:
    config = out.with_suffix(".json")
    config.write_text('{"m": 2}')
    launcher = [
        "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes),
    ]  # fmt: skip
    command = [sys.executable, *(launcher if processes > 1 else []), "-m", "mining.cli", "train"]
    ran = subprocess.run(
        [*command, str(faces), *OPTIONS, str(config), "--out", str(out)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert ran.stdout.count("Best epoch") == 1
    state: dict[str, torch.Tensor] = torch.load(out / "trunk.pth", weights_only=True)
    return state


def test_two_processes_train_what_one_does(tmp_path: Path) -> None:
    faces = write_faces(tmp_path / "in", people=12, each=3)
    one, two = run(faces, tmp_path / "one", 1), run(faces, tmp_path / "two", 2)
    for name, tensor in one.items():
        np.testing.assert_allclose(two[name], tensor, rtol=1e-3, atol=2e-5, err_msg=name)
    history = [
        json.loads((tmp_path / name / "training.json").read_text())["history"]
        for name in ("one", "two")
    ]
    assert history[0][1]["loss"] == pytest.approx(history[1][1]["loss"], rel=1e-4)
    assert history[0][0]["loss"] != pytest.approx(history[0][1]["loss"], rel=1e-3)
    facts = json.loads((tmp_path / "two" / "training.json").read_text())["facts"]
    assert facts["processes"] == 2


def test_alone_everything_is_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = Processes(torch.device("cpu"))
    vectors = torch.ones(3, 2, requires_grad=True)
    assert processes.together(vectors) is vectors
    assert processes.part(8) == slice(0, 8)
    assert processes.share(np.arange(5)).tolist() == [0, 1, 2, 3, 4]
    assert processes.tell("x") == "x"
    assert (launched(), is_main()) == (1, True)
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "2")
    assert (launched(), is_main()) == (4, False)
