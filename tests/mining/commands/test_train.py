"""Training from the command line: a model folder, and every way to be refused one."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from PIL import Image
from support.command_line import lookalikes
from support.training import OPTIONS, write_faces
from typer.testing import CliRunner

from mining.cli.user_words import taking_bare


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("faces") / "in", people=12, each=3, lone=2)


@pytest.fixture(scope="module")
def model(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "mine"
    outcome = lookalikes("train", str(faces), *OPTIONS, "--out", str(out), "--licence", "mit")
    assert outcome.code == 0, outcome.err
    assert "Best epoch" in outcome.out
    assert "FPR at FNR 13.9 %" in outcome.out
    return out


def test_the_model_is_a_reference(faces: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "vectors"
    outcome = lookalikes("embed", str(faces), "--model", f"animecv:{model}", "--out", str(out))
    assert outcome.code == 0, outcome.err
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["dimensions"] == 8
    assert manifest["provenance"]["preprocessing"]["size"] == [32, 32]


def test_what_it_leaves(model: Path) -> None:
    names = {file.name for file in model.iterdir()}
    assert names == {
        "trunk.pth", "embedder.pth", "conf.json", "model.safetensors", "README.md",
        "training.json", "curves.png", "tensorboard",
    }  # fmt: skip
    record = json.loads((model / "training.json").read_text())
    assert len(record["history"]) == 2
    assert record["facts"]["seed"] == 0
    assert record["evaluations"]["random"]["fpr_interpolated"] is not None
    card = (model / "README.md").read_text()
    assert "license: mit" in card
    assert "have one picture" in card or "one picture" not in card
    with Image.open(model / "curves.png") as picture:
        assert picture.size[0] > 300


def test_the_same_again_does_nothing(faces: Path, model: Path) -> None:
    before = {file.name: file.stat().st_mtime_ns for file in model.iterdir()}
    outcome = lookalikes("train", str(faces), *OPTIONS, "--out", str(model), "--licence", "mit")
    assert outcome.code == 0
    assert "It is trained already" in outcome.out
    assert {file.name: file.stat().st_mtime_ns for file in model.iterdir()} == before


def test_other_settings_are_refused_and_overwrite_begins_anew(
    faces: Path, model: Path, tmp_path: Path
) -> None:
    outcome = lookalikes("train", str(faces), *OPTIONS, "--out", str(model), "--seed", "4")
    assert outcome.code == 1
    assert "trained otherwise (seed: 0 there, 4 here; " in outcome.err
    out = tmp_path / "again"
    for seed in ("0", "4"):
        again = lookalikes(
            "train", str(faces), *OPTIONS, "--out", str(out), "--seed", seed, "--overwrite"
        )
        assert again.code == 0, again.err
    assert (out / "trunk.pth").read_bytes() != (model / "trunk.pth").read_bytes()


@pytest.mark.parametrize("name", ["trunk.pth", "embedder.pth", "model.safetensors", "README.md"])
def test_overwritten_by_the_same_the_bytes_are_the_same(
    faces: Path, model: Path, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    out = tmp_path_factory.getbasetemp() / "same" / model.name
    if not out.exists():
        outcome = lookalikes("train", str(faces), *OPTIONS, "--out", str(out), "--licence", "mit")
        assert outcome.code == 0, outcome.err
    assert (out / name).read_bytes() == (model / name).read_bytes()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--batch-size", "64", "--images-per-epoch", "64"], "a batch of 64 pictures with m = 2"),
        (["--validation-folds", "40"], "14 identities for 40 folds"),
        (["--preset", "0206_resnet18", "--config", "x.json"], "--preset and --config: give one"),
        (["--preset", "0206_resnet19"], "0206_resnet18"),
        (["--m", "3"], "batch_size: 8; expected a multiple of m = 3"),
        (["--hard-negatives", "pairs", "--ema", "1.0"], "optimizer.ema: 1.0"),
        (["--config", "/no/such.json"], "/no/such.json"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_told(
    faces: Path, tmp_path: Path, options: list[str], told: str
) -> None:
    outcome = lookalikes("train", str(faces), *OPTIONS, "--out", str(tmp_path / "m"), *options)
    assert outcome.code == 1
    assert told in outcome.err
    assert "Traceback" not in outcome.err
    assert not (tmp_path / "m" / "trunk.pth").exists()


def test_a_presets_trunk_with_weights_of_another(faces: Path, tmp_path: Path, model: Path) -> None:
    outcome = lookalikes(
        "train", str(faces), "--preset", "0206_resnet18",
        "--trunk", f"ResNet-18@{model / 'trunk.pth'}", "--out", str(tmp_path / "m"),
        "--validation-folds", "3", "--m", "2", "--batch-size", "8",
    )  # fmt: skip
    assert outcome.code == 1
    assert "does not fit ResNet" in outcome.err


@pytest.mark.parametrize("make", [lambda p: p.mkdir(), lambda p: p.write_text("x")])
def test_a_place_of_something_else_is_refused(
    faces: Path, tmp_path: Path, make: Callable[[Path], Any]
) -> None:
    place = tmp_path / "m"
    make(place)
    if place.is_dir():
        (place / "notes.txt").write_text("mine")
    outcome = lookalikes("train", str(faces), *OPTIONS, "--out", str(place))
    assert outcome.code == 1
    assert str(place) in outcome.err
    inside = lookalikes("train", str(faces), *OPTIONS, "--out", str(faces / "model"))
    assert "inside the faces folder" in inside.err


def test_unreadable_pictures_are_all_named_or_left_out(tmp_path: Path) -> None:
    root = write_faces(tmp_path / "in", people=10, each=3)
    (root / "p03" / "1.png").write_bytes(b"no picture")
    outcome = lookalikes("train", str(root), *OPTIONS, "--out", str(tmp_path / "m"))
    assert outcome.code == 1
    assert "p03/1.png: is none of" in outcome.err
    skipped = lookalikes(
        "train", str(root), *OPTIONS, "--out", str(tmp_path / "m"), "--on-error", "skip"
    )
    assert skipped.code == 0, skipped.err
    assert "images found" in skipped.out
    record = json.loads((tmp_path / "m" / "training.json").read_text())
    assert list(record["skipped"]) == ["p03/1.png"]


def test_hard_negatives_may_stand_without_a_word() -> None:
    app = typer.Typer()

    @app.command(cls=taking_bare({"--hard": ("identities", ("identities", "pairs"))}))
    def run(hard: str = typer.Option("none"), out: str = typer.Option("")) -> None:
        typer.echo(f"{hard},{out}")

    def said(*typed: str) -> str:
        return CliRunner().invoke(app, typed).output.strip()

    assert said("--hard") == "identities,"
    assert said("--hard", "--out", "x") == "identities,x"
    assert said("--out", "x", "--hard", "pairs") == "pairs,x"
    assert said("--out", "pairs") == "none,pairs"
    assert said() == "none,"


def test_damaged_weights_end_it_with_the_step(faces: Path, tmp_path: Path, model: Path) -> None:
    state = torch.load(model / "trunk.pth", weights_only=True)
    for tensor in state.values():
        if tensor.is_floating_point():
            tensor.fill_(float("nan"))
    torch.save(state, tmp_path / "nan.pth")
    options = [word for word in OPTIONS if word != "--from-scratch"]
    options[options.index("timm:test_resnet")] += f"@{tmp_path / 'nan.pth'}"
    outcome = lookalikes("train", str(faces), *options, "--out", str(tmp_path / "m"))
    assert outcome.code == 1
    assert "step 1 of 8 (epoch 1): the network's vectors are not finite" in outcome.err


def test_a_full_disk_is_told_and_the_same_command_goes_on(faces: Path, tmp_path: Path) -> None:
    """Files may have 200 KiB here, less than any checkpoint: as on a disk without room."""
    out = tmp_path / "m"
    command = [sys.executable, "-m", "mining.cli", "train", str(faces), *OPTIONS, "--out", str(out)]
    limited = f"ulimit -f 200; exec {shlex.join(command)}"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    full = subprocess.run(
        ["bash", "-c", limited], env=environment, capture_output=True, text=True, check=False
    )
    assert full.returncode == 1, full.stderr
    assert "checkpoint.pt" in full.stderr
    assert "Traceback" not in full.stderr
    assert {file.name for file in (out / "partial").iterdir()} <= {
        "settings.json", "pictures.sqlite",
    }  # fmt: skip
    outcome = lookalikes("train", str(faces), *OPTIONS, "--out", str(out))
    assert outcome.code == 0, outcome.err


def test_what_a_killed_process_left_of_writing_the_model_goes(faces: Path, tmp_path: Path) -> None:
    out = tmp_path / "m"
    (out / ".trunk.pth.999999999.tmp").mkdir(parents=True)
    outcome = lookalikes("train", str(faces), *OPTIONS, "--out", str(out))
    assert outcome.code == 0, outcome.err
    assert not [file.name for file in out.iterdir() if file.name.startswith(".trunk")]


def test_a_model_that_lacks_a_file_is_not_trained_already(faces: Path, tmp_path: Path) -> None:
    out = tmp_path / "m"
    assert lookalikes("train", str(faces), *OPTIONS, "--out", str(out)).code == 0
    (out / "trunk.pth").unlink()
    outcome = lookalikes("train", str(faces), *OPTIONS, "--out", str(out))
    assert outcome.code == 1
    assert "lacks trunk.pth of the model; make it again with --overwrite" in outcome.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--schedule", "cosine", "--warmup", "5"], "optimizer.warmup: 5 epochs"),
        (["--trunk", "timm:vit_tiny_patch16_224"], "fails on pictures of 32 x 32 pixels"),
    ],
)
def test_what_would_fail_later_is_told_at_once(
    faces: Path, tmp_path: Path, options: list[str], told: str
) -> None:
    outcome = lookalikes("train", str(faces), *OPTIONS, *options, "--out", str(tmp_path / "m"))
    assert outcome.code == 1
    assert told in outcome.err
