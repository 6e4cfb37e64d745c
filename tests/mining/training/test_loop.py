"""Loop of a training: it learns, the same bytes come out of any interruption, faults are named."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.training import OPTIONS, SMALL, hard, small, write_faces

from mining.errors import ModelError, TrainingError
from mining.models.weights import state_digest
from mining.training.checkpoint import PARTIAL, TENSORBOARD
from mining.training.configuration import (
    LossSettings,
    OptimizerSettings,
    TrainingConfig,
    ValidationSettings,
)
from mining.training.loop import train
from mining.training.network import TrunkSource, build_network
from mining.training.run_settings import RunSettings
from mining.training.trainer import Trained
from mining.training.validation import EpochScores
from pairsets.faces import Faces
from pairsets.files.aliases import Aliases
from pairsets.files.exclusions import Exclusions
from pairsets.progress import Progress, Step, silent

SCRATCH = TrunkSource("timm:test_resnet", scratch=True)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("faces") / "in", people=12, each=3, lone=3)


def run(
    root: Path,
    folder: Path,
    config: TrainingConfig = SMALL,
    *,
    report: Callable[[EpochScores], None] | None = None,
    progress: Progress = silent,
    **settings: Any,
) -> Trained:
    settings = {"source": SCRATCH, "device": "cpu", "checkpoint_seconds": 0.0, **settings}
    return train(
        Faces.scan(root),
        folder,
        config,
        settings=RunSettings(**settings),
        report=report,
        progress=progress,
    )


def digest(trained: Trained) -> str:
    return state_digest(trained.network.state_dict())


class _StopError(Exception):
    """As a kill: nothing is done on the way out."""


def stopping(step: int) -> Progress:
    """Progress of who stops the training after so many steps."""

    @contextmanager
    def progress(name: str) -> Iterator[Step]:
        def heard(done: int, total: int) -> None:
            if name == "Training" and done == step:
                raise _StopError

        yield heard

    return progress


RICH = replace(
    hard("identities"),
    optimizer=OptimizerSettings(lr=1e-3, schedule="cosine", warmup=0.5, ema=0.9),
    loss=LossSettings("arcface", {"scale": 16}, classifier_weight=0.1),
)


@pytest.mark.parametrize(
    "config",
    [SMALL, RICH, hard("pairs", margin=0.0)],
    ids=["plain", "ema, centres, neighbours", "pairs"],
)
def test_interrupted_at_any_step_the_same_comes_out(
    root: Path, tmp_path: Path, config: TrainingConfig
) -> None:
    whole = run(root, tmp_path / "whole", config)
    assert whole.history[-1].step == 12
    for step in (1, 4, 7, 8, 12):
        with pytest.raises(_StopError):
            run(root, tmp_path / "cut", config, progress=stopping(step))
    cut = run(root, tmp_path / "cut", config)
    assert digest(cut) == digest(whole)
    assert cut.history == whole.history
    np.testing.assert_array_equal(cut.vectors, whole.vectors)
    other = run(root, tmp_path / "other", config, seed=1)
    assert digest(other) != digest(whole)


def test_threads_and_memory_of_decoding_change_nothing(root: Path, tmp_path: Path) -> None:
    one = run(root, tmp_path / "one", workers=1, memory=0)
    two = run(root, tmp_path / "two", workers=3)
    assert digest(one) == digest(two)


def test_it_goes_on_with_as_many_threads(root: Path, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        whole = run(root, tmp_path / "whole")
        with pytest.raises(_StopError):
            run(root, tmp_path / "cut", progress=stopping(5))
        torch.set_num_threads(2)
        assert digest(run(root, tmp_path / "cut")) == digest(whole)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_the_callers_random_state_is_left_alone(root: Path, tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    run(root, tmp_path / "out", small(epochs=1))
    assert torch.rand(1) == expected
    assert not torch.are_deterministic_algorithms_enabled()


def test_it_learns(root: Path, tmp_path: Path) -> None:
    config = small(
        images_per_epoch=320,
        epochs=3,
        dropout=0.0,
        optimizer=OptimizerSettings(lr=3e-3),
        validation=ValidationSettings(folds=3, pairs=50, select="map@r"),
    )
    trained = run(root, tmp_path / "out", config)
    assert trained.history[-1].loss < 0.7 * trained.history[0].loss
    faces = trained.checked.faces
    assert not {*faces.identities[trained.training]} & {*trained.held_faces.identities}
    assert trained.best.map_at_r == max(one.map_at_r for one in trained.history)
    assert trained.best.map_at_r > 0.5
    assert trained.vectors.shape == (len(trained.held_faces), 8)
    assert any("3" in note and "one picture" in note for note in trained.notes) == (
        sum(name >= "p12" for name in {*faces.identities[trained.training]}) == 3
    )


def test_patience_ends_it(root: Path, tmp_path: Path) -> None:
    # Weights that do not move are never better than after the first epoch.
    config = small(
        epochs=9,
        optimizer=OptimizerSettings(lr=0.0, weight_decay=0.0),
        validation=replace(SMALL.validation, patience=2),
    )
    frozen = run(root, tmp_path / "out", config)
    assert frozen.best.epoch < len(frozen.history) < 9
    assert len(frozen.history) - frozen.best.epoch == 2


def test_the_last_epoch_is_taken_where_none_is_chosen(root: Path, tmp_path: Path) -> None:
    config = small(validation=replace(SMALL.validation, select="last", patience=1))
    assert run(root, tmp_path / "out", config).best.epoch == 3


def test_what_report_raises_ends_it(root: Path, tmp_path: Path) -> None:
    heard: list[int] = []

    def report(scores: EpochScores) -> None:
        heard.append(scores.epoch)
        if scores.epoch == 2:
            raise _StopError

    with pytest.raises(_StopError):
        run(root, tmp_path / "out", report=report)
    assert heard == [1, 2]
    assert run(root, tmp_path / "out").history[-1].epoch == 3


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seed": 1}, r"seed: 0 there, 1 here"),
        ({"config": small(dim=9)}, r"config.dim: 8 there, 9 here"),
        ({"aliases": Aliases.of([("p00", "p01"), ("p02", "p03")])}, r"faces: "),
    ],
)
def test_another_training_does_not_go_on_with_it(
    root: Path, tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(_StopError):
        run(root, tmp_path / "out", progress=stopping(3))
    with pytest.raises(TrainingError, match=told):
        run(root, tmp_path / "out", changes.pop("config", SMALL), **changes)


def test_a_damaged_checkpoint_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(_StopError):
        run(root, tmp_path / "out", progress=stopping(3))
    file = tmp_path / "out" / PARTIAL / "checkpoint.pt"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(TrainingError, match=r"checkpoint.pt: damaged .*--overwrite"):
        run(root, tmp_path / "out")
    settings = RunSettings(source=SCRATCH, device="cpu")
    anew = train(Faces.scan(root), tmp_path / "out", SMALL, settings=settings, overwrite=True)
    assert digest(anew) == digest(run(root, tmp_path / "whole"))


def test_curves_of_another_training_go_with_it(root: Path, tmp_path: Path) -> None:
    run(root, tmp_path / "out", small(images_per_epoch=160, epochs=1))
    (before,) = (tmp_path / "out" / TENSORBOARD).iterdir()
    settings = RunSettings(source=SCRATCH, device="cpu", seed=1)
    other = small(images_per_epoch=160, epochs=1)
    train(Faces.scan(root), tmp_path / "out", other, settings=settings, overwrite=True)
    assert not before.exists()
    assert len(list((tmp_path / "out" / TENSORBOARD).iterdir())) == 1


def test_weights_that_give_no_number_end_it_with_the_step(root: Path, tmp_path: Path) -> None:
    network = build_network(SMALL, SCRATCH, 0).trunk
    state = network.state_dict()
    state["conv1.0.weight" if "conv1.0.weight" in state else next(iter(state))].fill_(np.nan)
    torch.save(state, tmp_path / "weights.pth")
    source = TrunkSource("timm:test_resnet", str(tmp_path / "weights.pth"))
    with pytest.raises(TrainingError, match=r"step 1 of 12 \(epoch 1\): the network's vectors are"):
        run(root, tmp_path / "out", source=source)


def test_a_rate_that_is_too_high_keeps_the_last_good_state(root: Path, tmp_path: Path) -> None:
    config = small(
        optimizer=OptimizerSettings(lr=10.0, weight_decay=9.0), images_per_epoch=320, epochs=9
    )
    with pytest.raises(TrainingError, match=r"step \d+ of .* not finite; the learning rate is 10"):
        run(root, tmp_path / "out", config)
    kept = torch.load(tmp_path / "out" / PARTIAL / "checkpoint.pt", weights_only=True)
    assert all(tensor.isfinite().all() for tensor in kept["network"].values())


def test_weights_of_another_trunk_are_named(root: Path, tmp_path: Path) -> None:
    torch.save(build_network(SMALL, SCRATCH, 0).trunk.state_dict(), tmp_path / "weights.pth")
    source = TrunkSource("ResNet-18", str(tmp_path / "weights.pth"))
    config = small(trunk="ResNet-18")
    with pytest.raises(ModelError, match=r"weights.pth: does not fit ResNet"):
        run(root, tmp_path / "out", config, source=source)


def test_a_fold_without_positives_is_named(tmp_path: Path) -> None:
    root = write_faces(tmp_path / "in", people=4, each=3, lone=20)
    config = small(validation=ValidationSettings(folds=12, fold=0, pairs=50))
    told = None
    for fold in range(12):
        try:
            run(root, tmp_path / f"{fold}", replace(
                config, epochs=1, validation=replace(config.validation, fold=fold)
            ))  # fmt: skip
        except TrainingError as error:
            told = str(error)
            break
    assert told is not None
    assert "without positives" in told


def test_excluded_pairs_change_what_is_learnt(root: Path, tmp_path: Path) -> None:
    # Every pair of an identity of an even number and one of an odd one.
    paths = list(Faces.scan(root).paths)
    apart = [(a, b) for a in paths for b in paths if int(a[1:3]) % 2 < int(b[1:3]) % 2]
    a, b = zip(*apart, strict=True)
    exclude = Exclusions(np.array(a, object), np.array(b, object))
    plain = run(root, tmp_path / "plain", small(epochs=1))
    vetoed = run(root, tmp_path / "vetoed", small(epochs=1), exclude=[exclude])
    assert digest(plain) != digest(vetoed)


def test_a_killed_process_goes_on_to_the_same_bytes(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from mining.cli import main; main()", "train", str(root)]
    quick = {**os.environ, "OMP_NUM_THREADS": "1"}
    command += [*OPTIONS, "--epochs", "30", "--patience", "99"]
    outs = tmp_path / "a" / "model", tmp_path / "b" / "model"
    for out in outs:
        out.parent.mkdir()
    process = subprocess.Popen([*command, "--out", str(outs[1])], env=quick, stdout=subprocess.PIPE)
    checkpoint = outs[1] / PARTIAL / "checkpoint.pt"
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    for out in outs:
        subprocess.run([*command, "--out", str(out)], env=quick, check=True, capture_output=True)
    names = sorted(file.name for file in outs[0].iterdir() if file.is_file())
    assert {"trunk.pth", "embedder.pth", "model.safetensors", "README.md"} <= {*names}
    for name in names:
        assert (outs[0] / name).read_bytes() == (outs[1] / name).read_bytes(), name
    assert not (outs[1] / PARTIAL).exists()
