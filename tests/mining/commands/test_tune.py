"""The command tune with a training that is a formula: what it reads, writes and refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from support.command_line import lookalikes, what_reaches

from mining.commands.tune import TrainingPlace, TuningBasis, faces_digest, tune_training
from mining.errors import TrainingError
from mining.training.config_files import read_config, write_config
from mining.training.configuration import TrainingConfig
from mining.training.presets import preset
from mining.training.study import Scores
from pairsets.errors import FacesError, OutputError
from pairsets.faces import Faces


@dataclass(frozen=True)
class Epoch:
    epoch: int
    map_at_r: float
    fpr_random: float = 0.5
    fpr_adversarial: float = 0.75


def formula(folder: Path, config: TrainingConfig, report: Callable[[Scores], None]) -> Epoch:
    """A training that is best where the dropout is none."""
    report(Epoch(1, 1 - config.dropout))
    return Epoch(1, 1 - config.dropout)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    root = tmp_path / "faces"
    for identity in ("anna", "bea", "cleo"):
        for number in range(2):
            path = root / identity / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), (number * 90, 20, 30)).save(path)
    return root


def tuned(faces: Path, **options: object):
    study = faces.parent / "runs/tune.sqlite"
    return tune_training(faces, **{"study": study, "trials": 5, "train": formula} | options)


def test_the_best_configuration_is_written_beside_the_study(faces: Path) -> None:
    seen: list[TrainingConfig] = []

    def train(folder: Path, config: TrainingConfig, report: Callable[[Scores], None]) -> Epoch:
        seen.append(config)
        return formula(folder, config, report)

    basis = TuningBasis(preset="0217_cls_resnet18", trunk="timm:resnet10t", epochs=2)
    made = tuned(faces, train=train, basis=basis, out_plots=faces.parent / "plots")
    best = min(seen, key=lambda one: one.dropout)
    folder = faces.parent / "runs"
    assert sorted(one.name for one in folder.iterdir()) == ["tune.best.json", "tune.sqlite"]
    assert read_config(folder / "tune.best.json").config == best
    assert (best.trunk, best.epochs) == ("timm:resnet10t", 2)
    assert best.images_per_epoch == 100_000
    assert len({one.loss.classifier_weight for one in seen}) == 5
    assert [one.name for one in made.files[1:]] == ["history.png", "slices.png", "importances.png"]
    for file in made.files[1:]:
        with Image.open(file) as drawn:
            assert drawn.width > 400
    assert list(made.hints) == [
        f"best map@r of 5 completed trials: {1 - best.dropout:.4f}"
    ]  # fmt: skip
    assert {row.what: row.count for row in made.funnel} == {
        "stopped early": 0, "failed": 0, "interrupted, and gone on with": 0, "completed": 5,
    }  # fmt: skip


def test_what_a_file_states_is_not_searched(faces: Path) -> None:
    fixed = write_config(faces.parent / "all.json", preset("0206_resnet18").config)
    with pytest.raises(TrainingError, match="nothing is left to search"):
        tuned(faces, basis=TuningBasis(config=fixed))
    some = faces.parent / "some.json"
    some.write_text('{"optimizer": {"lr": 0.5}, "loss": {"name": "triplet"}}', "utf-8")
    seen: list[TrainingConfig] = []

    def train(folder: Path, config: TrainingConfig, report: Callable[[Scores], None]) -> Epoch:
        seen.append(config)
        return Epoch(1, 0.5)

    made = tuned(faces, train=train, basis=TuningBasis(config=some), out_plots=faces / "../plots")
    assert {one.optimizer.lr for one in seen} == {0.5}
    assert len({one.loss.options["margin"] for one in seen}) == 5
    assert {one.m for one in seen} <= {2, 4, 8, 16}
    assert [one.name for one in made.files] == ["tune.best.json", "history.png", "slices.png"]
    assert any("importances are not drawn" in one for one in made.warnings)


def test_a_published_file_says_what_is_chosen_of_and_on_how_many_folds(faces: Path) -> None:
    file = faces.parent / "conf.json"
    content = {
        "trunk_model": "ResNet-18", "dim": 8, "n_fold": 3, "fold_trials": 2, "data_dir": "/x",
        "data_per_epoch": 100, "m_cands": [2, 8], "batch_size": 8, "loss_type": "Contrastive",
        "use_augmentation": False, "_fix_params": {"reg_type": "None", "p_dropout": 0.25},
    }  # fmt: skip
    file.write_text(json.dumps(content), "utf-8")
    seen: list[TrainingConfig] = []

    def train(folder: Path, config: TrainingConfig, report: Callable[[Scores], None]) -> Epoch:
        seen.append(config)
        return Epoch(1, 0.5)

    made = tuned(faces, train=train, basis=TuningBasis(config=file), trials=2)
    assert [one.validation.fold for one in seen] == [0, 1] * 2
    assert {(one.m, one.dropout) for one in seen} == {(2, 0.25)}  # 8 make no batch of two
    assert made.warnings[0] == "data_dir '/x' is not read: FACES is what is trained"
    assert len(tuned(faces, train=train, basis=TuningBasis(config=file), trials=3).files) == 1
    assert len(seen) == 6


def test_no_completed_trial_is_told(faces: Path) -> None:
    made = tuned(faces, trials=5, train=lambda *_: Epoch(1, float("nan")))
    assert made.files == []
    assert list(made.warnings) == [
        *(f"trial {number} failed: the score is not a number" for number in range(3)),
        "2 more trials failed",
        "no trial was completed, so that there is no best configuration",
    ]


def test_faces_are_known_by_their_paths_and_identities(faces: Path) -> None:
    first = faces_digest(Faces.scan(faces))
    tuned(faces, trials=1)
    (faces / "anna/0.png").rename(faces / "anna/9.png")
    assert faces_digest(Faces.scan(faces)) != first
    with pytest.raises(TrainingError, match=r"tune\.sqlite: a study of something else \(faces: "):
        tuned(faces, trials=2)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"trials": 0}, TrainingError, "0 trials: expected one or more"),
        ({"fold_trials": 11}, TrainingError, "11 folds a trial: expected 1 to 10"),
        ({"basis": TuningBasis("0206_resnet19")}, TrainingError, "did you mean 0206_resnet18"),
        ({"basis": TuningBasis(config=Path("none.json"))}, TrainingError, "none.json: cannot be"),
        ({"basis": TuningBasis(epochs=0)}, TrainingError, "epochs: 0; expected"),
        ({"basis": TuningBasis(images_per_epoch=9)}, TrainingError, "images_per_epoch: 9"),
    ],
    ids=["trials", "folds", "preset", "file", "epochs", "images"],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    faces: Path, options: dict[str, object], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        tuned(faces, **options)
    assert [one.name for one in faces.parent.iterdir()] == ["faces"]


def test_places_that_are_none_are_refused(faces: Path) -> None:
    with pytest.raises(FacesError, match="nothing"):
        tune_training(faces / "nothing", study=faces.parent / "a.sqlite", train=formula)
    with pytest.raises(OutputError, match="inside the faces folder"):
        tuned(faces, study=faces / "tune.sqlite")
    with pytest.raises(OutputError, match=r"inside the faces folder .*; choose another --out-p"):
        tuned(faces, out_plots=faces / "plots")
    (faces.parent / "file").touch()
    with pytest.raises(OutputError, match="is a file, not a folder"):
        tuned(faces, out_plots=faces.parent / "file/plots")
    (faces.parent / "tune.best.json").write_text("{}", "utf-8")
    with pytest.raises(TrainingError, match="is read as --config, and would be replaced"):
        tuned(
            faces,
            study=faces.parent / "tune.sqlite",
            basis=TuningBasis(config=faces.parent / "tune.best.json"),
        )
    with pytest.raises(TrainingError, match="--preset and --config: each says all"):
        TuningBasis("0206_resnet18", Path("x.json"))
    assert sorted(one.name for one in faces.parent.iterdir()) == [
        "faces", "file", "tune.best.json",
    ]  # fmt: skip


def test_the_command_line_says_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    reached = what_reaches(
        monkeypatch,
        "tune.tune_training",
        "tune F --study S --trials 7 --config C --trunk T --epochs 2 --images-per-epoch 80 "
        "--fold-trials 2 --seed 3 --device cpu --workers 1 --from-scratch --out-plots P",
    )
    (faces,), options = reached
    del options["progress"]
    assert faces == Path("F")
    assert options == {
        "study": Path("S"),
        "trials": 7,
        "basis": TuningBasis(None, Path("C"), "T", 2, 80, scratch=True),
        "fold_trials": 2,
        "seed": 3,
        "place": TrainingPlace("cpu", 1),
        "out_plots": Path("P"),
    }


def test_errors_are_one_message(faces: Path) -> None:
    (faces.parent / "not.sqlite").write_text("no database at all", "utf-8")
    outcome = lookalikes("tune", str(faces), "--study", str(faces.parent / "not.sqlite"))
    assert outcome.code == 1
    assert outcome.err.strip() == (
        f"lookalikes: {faces.parent / 'not.sqlite'}: no SQLite file, so no study of Optuna's; "
        "choose another --study"
    )
