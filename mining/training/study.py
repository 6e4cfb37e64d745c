"""Search for the parameters of a training: an Optuna study in a SQLite file, shared by processes.

Each trial trains on one fold of identities or more with parameters of its own. Its folder lies
beside the study, `STUDY.trials/NUMBER`, held by the process that trains there. Where a process was
killed, nobody holds it: whoever comes next takes over parameters and folder, so that the training
goes on where it stopped. Processes on other machines, and on Windows, are not told apart so.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mining.errors import MiningError, TrainingError
from mining.training.configuration import TrainingConfig
from mining.training.search_parameters import Parameter, Value, content_without, with_values
from mining.training.study_file import alone, import_optuna, open_study, refuse_file, tidy
from pairsets.progress import Step, unheard
from pairsets.storage import locks

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

SCHEMA = 1


class Scores(Protocol):
    """Scores of an epoch, as a training reports them."""

    @property
    def epoch(self) -> int:
        """Number of the epoch, from 1."""

    @property
    def map_at_r(self) -> float:
        """MAP@R of the identities held out."""

    @property
    def fpr_random(self) -> float:
        """FPR on their random negatives."""

    @property
    def fpr_adversarial(self) -> float:
        """FPR on their adversarial negatives."""


# Trains in a folder, where it goes on if it was interrupted; calls back after each epoch; returns
# the scores of the best.
TrainFold = Callable[[Path, TrainingConfig, Callable[[Scores], None]], Scores]


@dataclass(frozen=True)
class Search:
    """A search: where it is kept, around which configuration, and over what.

    Attributes:
        file: of the study.
        config: with whatever is not searched.
        space: parameters that are chosen, as `mining.training.search_parameters.space_of`.
        faces: digest of the faces, which a study is of.
        fold_trials: folds that each trial is trained on, from that of the configuration on.
        start: weights that trainings begin with, JSON-able.
        seed: of the trainings; with the number of a trial it decides what a sampler draws.

    Raises:
        TrainingError: more folds than there are, or no score that a search could choose by.
    """

    file: Path
    config: TrainingConfig
    space: tuple[Parameter, ...]
    faces: str
    fold_trials: int = 1
    start: Mapping[str, object] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.fold_trials <= self.config.validation.folds:
            raise TrainingError(
                f"{self.fold_trials} folds a trial: expected 1 to {self.config.validation.folds}, "
                "the folds of the configuration (validation.folds)"
            )
        if self.config.validation.select == "last":
            raise TrainingError(
                "validation.select: last: a search needs a score to choose by; expected map@r, "
                "fpr-random or fpr-adversarial"
            )

    @property
    def place(self) -> Path:
        """The folder of the trials that are under way."""
        return self.file.with_name(f"{self.file.name}.trials")

    @property
    def maximizes(self) -> bool:
        """Whether a higher score is a better one."""
        return self.config.validation.select == "map@r"

    @property
    def settings(self) -> dict[str, Any]:
        """Facts that all trials of a study share; values that are searched are none of them."""
        return {
            "schema": SCHEMA,
            "faces": self.faces,
            "direction": "maximize" if self.maximizes else "minimize",
            "fold_trials": self.fold_trials,
            "start": dict(self.start),
            "seed": self.seed,
            "searched": {one.name: one.content for one in self.space},
            "configuration": content_without(self.config, [one.path for one in self.space]),
        }

    def score(self, scores: Scores) -> float:
        """The score that the configuration selects by."""
        kinds = {
            "map@r": scores.map_at_r,
            "fpr-random": scores.fpr_random,
            "fpr-adversarial": scores.fpr_adversarial,
        }
        return float(kinds[self.config.validation.select])

    def configured(self, params: Mapping[str, Value], *, fold: int = 0) -> TrainingConfig:
        """The configuration of a trial's parameters, on the `fold`-th of its folds."""
        values = {one.path: one.configured(params[one.name]) for one in self.space}
        held = self.config.validation
        values["validation.fold"] = (held.fold + fold) % held.folds
        return with_values(self.config, values)


@dataclass(frozen=True)
class Tuned:
    """State of a study after a search.

    Attributes:
        completed, pruned, failed, interrupted: numbers of trials; those that failed gave no
            number, or an error, and those interrupted were taken over by others.
        best: configuration of the best trial; None where none was completed.
        score: of the best trial.
        reasons: why trials failed, by number.
        history: number and score of each completed trial.
        importances: share of each parameter in what the score varies by; empty where too few
            trials tell.
        params: parameters of the completed trials, in the order of `history`.
    """

    completed: int
    pruned: int
    failed: int
    interrupted: int
    best: TrainingConfig | None = None
    score: float | None = None
    reasons: Mapping[int, str] = field(default_factory=dict)
    history: tuple[tuple[int, float], ...] = ()
    importances: Mapping[str, float] = field(default_factory=dict)
    params: tuple[Mapping[str, Value], ...] = ()


def tune(search: Search, trials: int, train: TrainFold, *, progress: Step = unheard) -> Tuned:
    """Go on with a study, which is made where there is none, until it has so many trials.

    Other processes may do the same at the same time; together they come to that number. What trial
    n is of follows from the seed, n, and the trials finished before it, whichever process has it:
    no two draw the same point by having begun with one seed. A trial whose epoch is worse than the
    median of others at that epoch is stopped, five trials and two epochs at least excepted.

    Args:
        search: what is searched, and where.
        trials: number of trials, those interrupted not counted.
        train: trains on a fold.
        progress: hears of the trials that are finished.

    Raises:
        TrainingError: Optuna is not installed; the file is no study, or one of another search; or
            the first trial cannot be trained.
    """
    optuna = import_optuna()
    refuse_file(search.file)
    settings = search.settings
    try:
        with alone(search.place):
            study = open_study(search.file, settings, settings["direction"], optuna)
        while True:
            with ExitStack() as held:
                with alone(search.place):
                    _retry(study, search.place, optuna)
                    counted = _counted(study, optuna)
                    progress(min(counted, trials), trials)
                    if counted >= trials:
                        return _tuned(study, search, optuna)
                    trial, folder = _begun(study, search, optuna)
                    held.enter_context(locks.exclusive(folder, _busy))
                _finish(study, search, trial, folder, train, optuna)
    finally:
        tidy(search.place)


def _retry(study: Study, place: Path, optuna: ModuleType) -> None:
    """Ask again for the trials whose process is gone, with their parameters and folders."""
    states = [optuna.trial.TrialState.RUNNING]
    listed = study.get_trials(deepcopy=False, states=states)
    left = {one.number for one in listed if _is_left(_folder(place, one) / locks.LOCK)}
    # A process tells how its trial ended before it lets go of the folder: a trial that still runs
    # by a list read after its lock was found free is nobody's.
    for one in study.get_trials(deepcopy=False, states=states):
        if one.number not in left:
            continue
        study.set_user_attr("interrupted", [*_interrupted(study), one.number])
        study.tell(one.number, state=optuna.trial.TrialState.FAIL)
        attributes = {
            "folder": _folder(place, one).name,
            "folds": one.user_attrs.get("folds", []),
            "reported": [[*pair] for pair in one.intermediate_values.items()],
        }
        study.enqueue_trial(one.params, user_attrs=attributes)


def _is_left(lock: Path) -> bool:
    """Whether no process holds the folder of a trial."""
    return not lock.exists() or locks.is_free(lock)


def _interrupted(study: Study) -> list[int]:
    """Numbers of the trials that others took over."""
    found = study.user_attrs.get("interrupted", [])
    return [int(one) for one in found]


def _folder(place: Path, trial: Trial | FrozenTrial) -> Path:
    """Folder that a trial trains in: its own, or that of the one that it took over."""
    return place / str(trial.user_attrs.get("folder", trial.number))


def _counted(study: Study, optuna: ModuleType) -> int:
    """Number of trials that are finished or under way."""
    waiting, gone = optuna.trial.TrialState.WAITING, {*_interrupted(study)}
    found = study.get_trials(deepcopy=False)
    return sum(one.state != waiting and one.number not in gone for one in found)


def _begun(study: Study, search: Search, optuna: ModuleType) -> tuple[Trial, Path]:
    """The next trial and its folder."""
    number = len(study.get_trials(deepcopy=False))
    seed = np.random.SeedSequence([search.seed, number]).generate_state(1)[0]
    study.sampler = optuna.samplers.TPESampler(seed=int(seed))
    trial = study.ask({one.name: _distribution(one, optuna) for one in search.space})
    folder = _folder(search.place, trial)
    if "folder" not in trial.user_attrs:
        # Of a study that somebody removed.
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(exist_ok=True)
    return trial, folder


def _distribution(parameter: Parameter, optuna: ModuleType) -> BaseDistribution:
    kinds = optuna.distributions
    found: BaseDistribution
    if parameter.choices:
        found = kinds.CategoricalDistribution(parameter.choices)
    elif parameter.whole:
        found = kinds.IntDistribution(int(parameter.low), int(parameter.high))
    else:
        found = kinds.FloatDistribution(parameter.low, parameter.high, log=parameter.log)
    return found


def _finish(
    study: Study,
    search: Search,
    trial: Trial,
    folder: Path,
    train: TrainFold,
    optuna: ModuleType,
) -> None:
    """Train on a trial's folds, and tell the study; interrupted, the trial is left to the next."""
    states = optuna.trial.TrialState
    try:
        score = _score(search, trial, folder, train, optuna)
    except optuna.TrialPruned:
        study.tell(trial, state=states.PRUNED)
    except MiningError as error:
        trial.set_user_attr("reason", str(error))
        good = study.get_trials(deepcopy=False, states=[states.COMPLETE, states.PRUNED])
        if not good:  # whatever it is, it is no matter of this trial's parameters
            with alone(search.place):
                study.set_user_attr("interrupted", [*_interrupted(study), trial.number])
        study.tell(trial, state=states.FAIL)
        if not good:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    else:
        if math.isnan(score):
            trial.set_user_attr("reason", "the score is not a number")
            study.tell(trial, state=states.FAIL)
        else:
            study.tell(trial, score)
    shutil.rmtree(folder, ignore_errors=True)


def _score(
    search: Search, trial: Trial, folder: Path, train: TrainFold, optuna: ModuleType
) -> float:
    """Mean of a trial's best scores over its folds."""
    scores = [float(one) for one in trial.user_attrs.get("folds", [])]
    told: set[int] = set()

    def tell(value: float, step: int) -> None:
        if step not in told:
            told.add(step)
            trial.report(value, step)

    for step, value in trial.user_attrs.get("reported", []):
        tell(float(value), int(step))
    for fold in range(len(scores), search.fold_trials):
        first = fold * search.config.epochs

        def report(epoch: Scores, first: int = first) -> None:
            tell(search.score(epoch), first + epoch.epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

        config = search.configured(trial.params, fold=fold)
        scores.append(search.score(train(folder / f"fold-{fold}", config, report)))
        trial.set_user_attr("folds", scores)
    return sum(scores) / len(scores)


def _tuned(study: Study, search: Search, optuna: ModuleType) -> Tuned:
    """The state that a study is in."""
    states, gone = optuna.trial.TrialState, {*_interrupted(study)}
    found = [one for one in study.get_trials(deepcopy=False) if one.number not in gone]
    good = [one for one in found if one.state == states.COMPLETE]
    failed = [one for one in found if one.state == states.FAIL]
    best = study.best_trial if good else None
    return Tuned(
        completed=len(good),
        pruned=sum(one.state == states.PRUNED for one in found),
        failed=len(failed),
        interrupted=len(gone),
        best=None if best is None else search.configured(best.params),
        score=None if best is None else best.value,
        reasons={one.number: str(one.user_attrs.get("reason", "")) for one in failed},
        history=tuple((one.number, float(one.value or 0.0)) for one in good),
        importances=_importances(study, good, optuna),
        params=tuple(one.params for one in good),
    )


def _importances(study: Study, good: list[FrozenTrial], optuna: ModuleType) -> Mapping[str, float]:
    """Share of each parameter in what the score varies by, by Optuna's own measure."""
    if len(good) < 4 or len({one.value for one in good}) < 2:
        return {}
    found: Mapping[str, float] = optuna.importance.get_param_importances(study)
    return found


def _busy(owner: locks.Owner) -> TrainingError:
    return TrainingError(f"{owner}, trains in the folder of this trial; run the command again")
