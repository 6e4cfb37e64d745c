"""Faces -> a study of trainings, and the configuration of the best of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mining.commands.result import CommandResult
from mining.errors import TrainingError
from mining.training import loop
from mining.training.config_files import ReadConfig, read_config, write_config
from mining.training.configuration import TrainingConfig
from mining.training.network import TrunkSource
from mining.training.presets import preset
from mining.training.processes import launched
from mining.training.run_settings import RunSettings
from mining.training.search_parameters import space_of, with_values
from mining.training.study import Scores, Search, TrainFold, Tuned, tune
from pairsets.faces import Faces
from pairsets.funnel import FunnelRow
from pairsets.progress import Progress, silent
from pairsets.storage.artefacts import refuse_below_file, refuse_inside

# The figures of `out_plots`.
PLOTS = ("history", "importances", "slices")
# Reasons of failures that are told one by one.
_TOLD = 3


@dataclass(frozen=True)
class TuningBasis:
    """Beginning of a search: a preset, a file or the defaults, and what is changed in them.

    Attributes:
        preset: name of one of `mining.training.presets.PRESETS`; all its parameters are searched.
        config: configuration file; what it states is not searched.
        trunk, epochs, images_per_epoch: in place of those of the preset or the file; the trunk
            with its weights behind an `@`.
        scratch: begin with random weights.

    Raises:
        TrainingError: a preset and a file.
    """

    preset: str | None = None
    config: Path | None = None
    trunk: str | None = None
    epochs: int | None = None
    images_per_epoch: int | None = None
    scratch: bool = False

    def __post_init__(self) -> None:
        if self.preset is not None and self.config is not None:
            raise TrainingError("--preset and --config: each says all; give one of them")

    def read(self) -> ReadConfig:
        """The configuration to search around.

        Raises:
            TrainingError: no such preset or file, or one that does not hold.
        """
        if self.config is not None:
            found = read_config(self.config, searched=True)
        else:
            found = ReadConfig(
                TrainingConfig() if self.preset is None else preset(self.preset).config
            )
        source = self.source(found.config)
        given = {
            "trunk": source.architecture,
            "epochs": self.epochs,
            "images_per_epoch": self.images_per_epoch,
        }
        changes = {name: value for name, value in given.items() if value is not None}
        return replace(found, config=with_values(found.config, changes))

    def source(self, config: TrainingConfig) -> TrunkSource:
        """The network that each trial begins with.

        Raises:
            TrainingError: a trunk that is none, or weights and none.
        """
        return TrunkSource.parse(self.trunk or config.trunk, scratch=self.scratch)


@dataclass(frozen=True)
class TrainingPlace:
    """Place that trainings run at, and how fast; nothing of it changes what is searched.

    Attributes:
        device: auto, cpu, cuda, cuda:N or mps.
        workers: threads that decode pictures; None is one a core.
    """

    device: str = "auto"
    workers: int | None = None


def tune_training(
    faces: str | Path,
    *,
    study: str | Path,
    trials: int = 50,
    basis: TuningBasis = TuningBasis(),
    fold_trials: int | None = None,
    seed: int = 0,
    place: TrainingPlace = TrainingPlace(),
    out_plots: str | Path | None = None,
    train: TrainFold | None = None,
    progress: Progress = silent,
) -> CommandResult:
    """Search for the parameters that train the best model, and write the best configuration.

    It is `STUDY.best.json`, without the study's ending, which `lookalikes train --config` takes.
    The same command goes on where it stopped; several at once share the trials.

    Args:
        faces: folder of one folder an identity.
        study: SQLite file, made where there is none.
        trials: of how many trials the study is to be, those that are there counted.
        basis: what is searched around.
        fold_trials: folds that each trial is trained on; None is what the file says, else 1.
        seed: of what is drawn, in trainings too.
        place: where trainings run.
        out_plots: folder for figures of the search.
        train: trains on a fold, instead of `mining.training.loop`.
        progress: shows how many trials are finished.

    Raises:
        TrainingError: the configuration, the study, or a training that cannot be.
        FacesError: the folder.
    """
    if launched() > 1:
        raise TrainingError(
            "a trial is trained by one process; instead of a launcher, start the command several "
            "times: they share the study"
        )
    study = Path(study)
    read = basis.read()
    if trials < 1:
        raise TrainingError(f"{trials} trials: expected one or more")
    best = study.with_suffix(".best.json")
    if basis.config is not None and basis.config.resolve() == best.resolve():
        raise TrainingError(
            f"{best}: is read as --config, and would be replaced; choose another --study"
        )
    if out_plots is not None:
        refuse_below_file(Path(out_plots) / PLOTS[0])
    found = Faces.scan(faces)
    for out, option in ((study, "--study"), (out_plots, "--out-plots")):
        if out is not None:
            refuse_inside(Path(out), found.root, option=option)
    search = Search(
        study,
        read.config,
        space_of(read.config, read.fixed, read.choices),
        faces=faces_digest(found),
        fold_trials=fold_trials or read.fold_trials or 1,
        start=basis.source(read.config).facts,
        seed=seed,
    )
    with progress("Searching") as step:
        trainer = train or _trainer(found, seed, place, basis.source(read.config))
        tuned = tune(search, trials, trainer, progress=step)
    files, notes = [], [*read.notes, *found.notes]
    if tuned.best is not None:
        files.append(write_config(best, tuned.best))
        files += _plots(search, tuned, None if out_plots is None else Path(out_plots), notes)
    return CommandResult(files, _funnel(tuned), [*notes, *_warnings(tuned)], hints=_hints(tuned))


def faces_digest(faces: Faces) -> str:
    """SHA-256, in hex, of the paths of the faces and who they show; pixels are not read."""
    found = hashlib.sha256()
    for path, identity in zip(faces.paths, faces.identities, strict=True):
        found.update(f"{path}\0{identity}\n".encode(errors="surrogateescape"))
    return found.hexdigest()


def _trainer(faces: Faces, seed: int, place: TrainingPlace, source: TrunkSource) -> TrainFold:
    """The training of a fold on these faces."""

    def train(folder: Path, config: TrainingConfig, report: Callable[[Scores], None]) -> Scores:
        settings = RunSettings(seed=seed, device=place.device, workers=place.workers, source=source)
        return loop.train(faces, folder, config, settings=settings, report=report).best

    return train


def _plots(search: Search, tuned: Tuned, folder: Path | None, notes: list[str]) -> list[Path]:
    """Figures of the search, as PNG; what cannot be drawn yet is noted."""
    if folder is None:
        return []
    from pairsets.figures.search import search_course, search_importances, search_slices
    from pairsets.report import save_figure

    score = search.config.validation.select
    scores = [value for _, value in tuned.history]
    figures = [
        search_course(tuned.history, maximizes=search.maximizes, score=score),
        search_slices(tuned.params, scores, score=score),
    ]
    names = [PLOTS[0], PLOTS[2]]
    if tuned.importances:
        figures.append(search_importances(tuned.importances))
        names.append(PLOTS[1])
    else:
        notes.append("importances are not drawn: four trials of different scores would tell them")
    pairs = zip(names, figures, strict=True)
    return [save_figure(figure, folder / f"{name}.png") for name, figure in pairs]


def _funnel(tuned: Tuned) -> list[FunnelRow]:
    """Trials that gave no score, by why."""
    return [
        FunnelRow("trials", "stopped early", tuned.pruned),
        FunnelRow("trials", "failed", tuned.failed),
        FunnelRow("trials", "interrupted, and gone on with", tuned.interrupted),
        FunnelRow("trials", "completed", tuned.completed, kept=True),
    ]


def _warnings(tuned: Tuned) -> list[str]:
    told = [f"trial {number} failed: {why}" for number, why in [*tuned.reasons.items()][:_TOLD]]
    rest = len(tuned.reasons) - _TOLD
    if rest > 0:
        told.append(f"{rest} more trials failed")
    if tuned.best is None:
        told.append("no trial was completed, so that there is no best configuration")
    return told


def _hints(tuned: Tuned) -> Sequence[str]:
    if tuned.best is None or tuned.score is None:
        return []
    held = tuned.best.validation.select
    return [f"best {held} of {tuned.completed} completed trials: {tuned.score:.4f}"]
