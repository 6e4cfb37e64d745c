"""Searches with a training that is a formula: what is drawn, kept, stopped, and taken over."""

from __future__ import annotations

import math
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import optuna
import pytest

from mining.errors import TrainingError
from mining.training.configuration import TrainingConfig, ValidationSettings
from mining.training.search_parameters import space_of
from mining.training.study import Scores, Search, Tuned, tune
from pairsets.storage import locks

CONFIG = TrainingConfig(epochs=3, validation=ValidationSettings(folds=5, fold=3))
# Each parameter is written to disk by itself: three are enough for most of this.
SEARCHED = ("dropout", "optimizer.lr", "optimizer.beta2")
FIXED = [one.path for one in space_of(CONFIG) if one.path not in SEARCHED]
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Epoch:
    epoch: int
    map_at_r: float
    fpr_random: float = 0.5
    fpr_adversarial: float = 0.75


def quality(config: TrainingConfig) -> float:
    """Best at a dropout of 0.3, worse by the tenth of a magnitude in the learning rate."""
    return 1 - (config.dropout - 0.3) ** 2 - (math.log10(config.optimizer.lr) + 4) ** 2 / 100


def formula(folder: Path, config: TrainingConfig, report: Callable[[Scores], None]) -> Epoch:
    """A training whose last epoch is its best."""
    folder.mkdir(parents=True)
    for epoch in range(1, config.epochs + 1):
        report(Epoch(epoch, quality(config) - 0.1 / epoch))
    return Epoch(config.epochs, quality(config))


def search(tmp_path: Path, config: TrainingConfig = CONFIG, **more: object) -> Search:
    return Search(tmp_path / "tune.sqlite", config, space_of(config, FIXED), faces="abc", **more)


def loaded(tmp_path: Path) -> optuna.Study:
    return optuna.load_study(study_name=None, storage=f"sqlite:///{tmp_path / 'tune.sqlite'}")


def points(tmp_path: Path) -> list[dict[str, object]]:
    return [one.params for one in loaded(tmp_path).trials]


# --- what is searched


def test_a_search_finds_better_ones_and_says_the_best(tmp_path: Path) -> None:
    found = tune(search(tmp_path), 24, formula)
    assert found.completed + found.pruned == 24
    assert (found.failed, found.interrupted) == (0, 0)
    assert found.best is not None
    assert found.score == pytest.approx(quality(found.best))
    assert found.score == max(score for _, score in found.history)
    assert found.best.validation == CONFIG.validation
    assert max(found.importances, key=found.importances.__getitem__) in (
        "dropout",
        "optimizer.lr",
    )
    assert abs(found.best.dropout - 0.3) < 0.2
    assert sorted(one.name for one in tmp_path.iterdir()) == ["tune.sqlite"]


def test_worse_than_the_median_is_stopped(tmp_path: Path) -> None:
    seen: list[int] = []

    def train(folder: Path, config: TrainingConfig, report: Callable[[Scores], None]) -> Epoch:
        number = len(seen)
        seen.append(0)
        for epoch in range(1, 5):
            seen[number] = epoch
            report(Epoch(epoch, -float(number)))
        return Epoch(4, -float(number))

    found = tune(search(tmp_path), 8, train)
    assert seen == [4] * 5 + [3] * 3  # five trials, and two epochs, are not stopped
    assert (found.completed, found.pruned) == (5, 3)


@pytest.mark.parametrize(
    ("select", "best"), [("map@r", 0.9), ("fpr-random", 0.1), ("fpr-adversarial", 0.2)]
)
def test_what_is_selected_by_is_maximized_or_minimized(
    tmp_path: Path, select: str, best: float
) -> None:
    scores = iter([Epoch(1, 0.5, 0.5, 0.6), Epoch(1, 0.9, 0.1, 0.2), Epoch(1, 0.4, 0.6, 0.7)])
    config = replace(CONFIG, validation=ValidationSettings(folds=5, select=select))
    found = tune(search(tmp_path, config), 3, lambda *_: next(scores))
    assert found.score == best
    assert [number for number, score in found.history if score == best] == [1]


def test_a_trial_is_the_mean_over_its_folds(tmp_path: Path) -> None:
    held: list[int] = []

    def train(folder: Path, config: TrainingConfig, report: Callable[[Scores], None]) -> Epoch:
        held.append(config.validation.fold)
        return Epoch(1, float(config.validation.fold))

    found = tune(search(tmp_path, fold_trials=3), 2, train)
    assert held == [3, 4, 0] * 2
    assert found.history == ((0, 7 / 3), (1, 7 / 3))
    with pytest.raises(TrainingError, match="6 folds a trial: expected 1 to 5"):
        search(tmp_path, fold_trials=6)


def test_betas_are_drawn_as_1_less_them(tmp_path: Path) -> None:
    betas: list[float] = []

    def train(folder: Path, config: TrainingConfig, report: Callable[[Scores], None]) -> Epoch:
        betas.append(config.optimizer.beta2)
        return Epoch(1, 0.5)

    tune(search(tmp_path), 12, train)
    drawn = [one["1 - optimizer.beta2"] for one in points(tmp_path)]
    assert betas == [1 - one for one in drawn]
    assert sum(beta > 0.9 for beta in betas) > 3  # by the logarithm of what is left


# --- going on


def test_the_same_command_goes_on_to_the_number_of_trials(tmp_path: Path) -> None:
    tune(search(tmp_path), 4, formula)
    first = points(tmp_path)
    tune(search(tmp_path), 4, formula)
    assert points(tmp_path) == first
    tune(search(tmp_path), 12, formula)
    assert points(tmp_path)[:4] == first
    tune(search(tmp_path / "at once"), 12, formula)
    assert points(tmp_path / "at once") == points(tmp_path)
    tune(search(tmp_path / "other", seed=1), 4, formula)
    assert not any(one in first for one in points(tmp_path / "other"))


def test_an_interrupted_trial_is_taken_over_with_its_folder(tmp_path: Path) -> None:
    """The first fold is not trained again, the second goes on in its own folder."""
    trained: list[tuple[str, str, float]] = []

    def train(folder: Path, config: TrainingConfig, report: Callable[[Scores], None]) -> Epoch:
        trained.append((folder.parent.name, folder.name, config.dropout))
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / "kept"
        if not kept.exists():
            report(Epoch(1, 0.5))
            kept.touch()
            if folder.name == "fold-1" and len(trained) == 4:
                raise KeyboardInterrupt
        report(Epoch(1, 0.5))
        report(Epoch(2, 0.5))
        return Epoch(2, 0.25 if folder.name == "fold-0" else 0.75)

    asked = search(tmp_path, fold_trials=2)
    with pytest.raises(KeyboardInterrupt):
        tune(asked, 3, train)
    assert (tmp_path / "tune.sqlite.trials/1/fold-1/kept").exists()
    found = tune(asked, 3, train)
    assert trained[3] == trained[4]
    assert trained[4][:2] == ("1", "fold-1")
    assert len(trained) == 7
    assert (found.completed, found.failed, found.interrupted) == (3, 0, 1)
    assert [score for _, score in found.history] == [0.5] * 3
    states = [one.state.name for one in loaded(tmp_path).trials]
    assert states == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert loaded(tmp_path).trials[2].intermediate_values == {1: 0.5, 2: 0.5, 4: 0.5, 5: 0.5}
    assert sorted(one.name for one in tmp_path.iterdir()) == ["tune.sqlite"]


# Searches in another process, whose training says when it begins and waits to be let go.
OTHER = """
import sys, time
from pathlib import Path
from tests_study import Epoch, formula, search
from mining.training.study import tune

folder, trials, kill = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "kill"

def train(place, config, report):
    if kill:
        import os
        place.mkdir(parents=True, exist_ok=True)
        (place / "kept").touch()
        os._exit(9)
    return formula(place, config, report)

tune(search(folder), trials, train)
"""


def started(tmp_path: Path, trials: int, how: str) -> subprocess.Popen[str]:
    """Another process that searches in the same study."""
    (tmp_path / "code").mkdir(exist_ok=True)
    (tmp_path / "code/tests_study.py").write_text(Path(__file__).read_text("utf-8"), "utf-8")
    return subprocess.Popen(
        [sys.executable, "-c", OTHER, str(tmp_path / "shared"), str(trials), how],
        env={"PYTHONPATH": f"{ROOT}:{tmp_path / 'code'}", "PATH": ""},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_several_processes_share_a_study_from_its_making_on(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    others = [started(tmp_path, 8, "train") for _ in range(3)]
    assert [one.communicate()[1] for one in others] == [""] * 3
    drawn = points(tmp_path / "shared")
    assert len(drawn) == 8
    assert len({tuple(one.values()) for one in drawn}) == 8
    assert all(one.state.is_finished() for one in loaded(tmp_path / "shared").trials)
    assert [one.name for one in (tmp_path / "shared").iterdir()] == ["tune.sqlite"]


def test_a_trial_that_ends_while_it_is_looked_for_is_nobodys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process tells its trial's score between the list of those that run and its lock."""
    scores = iter([0.25, KeyboardInterrupt(), 0.75])

    def train(folder: Path, config: TrainingConfig, report: Callable[[Scores], None]) -> Epoch:
        score = next(scores)
        if isinstance(score, BaseException):
            raise score
        return Epoch(1, score)

    with pytest.raises(KeyboardInterrupt):
        tune(search(tmp_path), 3, train)
    (tmp_path / "tune.sqlite.trials/1" / locks.LOCK).touch()
    asked: list[Path] = []

    def ended(lock: Path) -> bool:
        if not asked:
            loaded(tmp_path).tell(1, 0.5)
        asked.append(lock)
        return True

    monkeypatch.setattr(locks, "is_free", ended)
    found = tune(search(tmp_path), 3, train)
    assert [one.parent.name for one in asked] == ["1"]
    assert found.history == ((0, 0.25), (1, 0.5), (2, 0.75))
    assert (found.completed, found.failed, found.interrupted) == (3, 0, 0)


def test_a_killed_process_is_succeeded(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    killed = started(tmp_path, 3, "kill")
    killed.communicate()
    assert killed.returncode == 9
    shared = tmp_path / "shared"
    assert loaded(shared).trials[0].state.name == "RUNNING"
    first, found_there = points(shared)[0], []

    def train(folder: Path, config: TrainingConfig, report: Callable[[Scores], None]) -> Epoch:
        found_there.append((folder / "kept").exists())
        return Epoch(1, 0.5)

    found = tune(search(shared), 3, train)
    assert (found.completed, found.interrupted) == (3, 1)
    assert found_there == [True, False, False]
    assert points(shared)[1] == first


# --- failures


def test_no_number_is_a_failure_that_is_told(tmp_path: Path) -> None:
    scores = iter([0.5, math.nan, 0.25])
    found = tune(search(tmp_path), 3, lambda *_: Epoch(1, next(scores)))
    assert (found.completed, found.failed) == (2, 1)
    assert found.reasons == {1: "the score is not a number"}


def test_an_error_is_raised_where_nothing_could_be_trained_yet(tmp_path: Path) -> None:
    calls: list[int] = []

    def train(folder: Path, config: TrainingConfig, report: Callable[[Scores], None]) -> Epoch:
        calls.append(len(calls))
        folder.mkdir(parents=True)
        if calls[-1] in (0, 2):
            raise TrainingError("too few identities")
        return Epoch(1, 0.5)

    with pytest.raises(TrainingError, match="too few identities"):
        tune(search(tmp_path), 3, train)
    assert [one.name for one in tmp_path.iterdir()] == ["tune.sqlite"]
    found = tune(search(tmp_path), 3, train)
    assert (found.completed, found.failed, found.interrupted) == (2, 1, 1)
    assert found.reasons == {2: "too few identities"}
    assert len(calls) == 4


def test_other_errors_leave_the_trial_to_be_gone_on_with(tmp_path: Path) -> None:
    def full(folder: Path, config: TrainingConfig, report: Callable[[Scores], None]) -> Epoch:
        folder.mkdir(parents=True)
        raise OSError(28, "No space left on device", "x")

    with pytest.raises(OSError, match="No space left"):
        tune(search(tmp_path), 2, full)
    assert (tmp_path / "tune.sqlite.trials/0/fold-0").is_dir()
    found: Tuned = tune(search(tmp_path), 2, lambda *_: Epoch(1, 0.5))
    assert (found.completed, found.interrupted) == (2, 1)


# --- files that are no such study


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"faces": "def"}, 'faces: "abc" there, "def" here'),
        ({"seed": 3}, "seed: 0 there, 3 here"),
        ({"fold_trials": 2}, "fold_trials: 1 there, 2 here"),
        ({"config": replace(CONFIG, dim=64)}, "configuration.dim: 500 there, 64 here"),
        ({"space": space_of(CONFIG, fixed=[*FIXED, "dropout"])}, "searched.dropout: "),
        (
            {"config": replace(CONFIG, validation=ValidationSettings(5, 3, "fpr-random"))},
            'direction: "maximize" there, "minimize" here',
        ),
    ],
    ids=["faces", "seed", "folds", "configuration", "space", "direction"],
)
def test_a_study_of_another_search_is_refused(
    tmp_path: Path, changed: dict[str, object], says: str
) -> None:
    tune(search(tmp_path), 1, formula)
    with pytest.raises(TrainingError) as refused:
        tune(replace(search(tmp_path), **changed), 2, formula)
    message = str(refused.value)
    assert message.startswith(f"{tmp_path / 'tune.sqlite'}: a study of something else (")
    assert says in message
    assert message.endswith("; give it what it was begun with, or choose another --study")
    assert len(points(tmp_path)) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["tune.sqlite"]


def test_a_folder_of_a_study_that_was_removed_is_not_gone_on_with(tmp_path: Path) -> None:
    left = tmp_path / "tune.sqlite.trials/0/fold-0/kept"
    left.parent.mkdir(parents=True)
    left.touch()
    assert tune(search(tmp_path), 1, formula).completed == 1
    assert [one.name for one in tmp_path.iterdir()] == ["tune.sqlite"]


def test_values_that_are_searched_anyway_make_no_other_search(tmp_path: Path) -> None:
    tune(search(tmp_path), 1, formula)
    changed = replace(CONFIG, dropout=0.75)
    assert tune(replace(search(tmp_path), config=changed), 2, formula).completed == 2


def test_what_is_no_study_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "tune.sqlite"
    file.write_text("dim,lr\n1,2\n", "utf-8")
    with pytest.raises(TrainingError, match="no SQLite file, so no study"):
        tune(search(tmp_path), 1, formula)
    assert file.read_text("utf-8") == "dim,lr\n1,2\n"
    file.unlink()
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE judgements (pair INTEGER)")
    other.close()
    before = file.read_bytes()
    with pytest.raises(TrainingError, match="a database of something else"):
        tune(search(tmp_path), 1, formula)
    assert file.read_bytes() == before
    file.unlink()
    file.mkdir()
    with pytest.raises(TrainingError, match="a folder; expected the name of a file"):
        tune(search(tmp_path), 1, formula)


def test_a_damaged_study_is_refused(tmp_path: Path) -> None:
    tune(search(tmp_path), 2, formula)
    file = tmp_path / "tune.sqlite"
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(TrainingError, match="cannot be used as a study"):
        tune(search(tmp_path), 3, formula)


def test_a_place_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        tune(search(tmp_path / "file"), 1, formula)
    with pytest.raises(TrainingError, match="SQLite takes no name with a"):
        tune(replace(search(tmp_path), file=tmp_path / "a?b"), 1, formula)
