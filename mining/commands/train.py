"""A folder of faces to a reference model of one's own."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from mining.commands.result import CommandResult
from mining.errors import TrainingError
from mining.models.weights import state_digest
from mining.training.changes import ConfigChoice, ResolvedConfig
from mining.training.checkpoint import CHECKPOINT, PARTIAL, TENSORBOARD
from mining.training.configuration import TrainingConfig
from mining.training.fold_scores import fold_evaluations, score_rows
from mining.training.loop import facts_of, train
from mining.training.model_files import (
    CURVES,
    MODEL_FILES,
    RECORD,
    CardFacts,
    write_model_files,
)
from mining.training.processes import is_main
from mining.training.run_settings import RunSettings
from mining.training.trainer import Trained
from pairsets.evaluation.result import Evaluation
from pairsets.faces import Faces
from pairsets.figures.epochs import training_curves
from pairsets.funnel import faces_rows
from pairsets.identities.rules import Rule
from pairsets.progress import Progress, silent
from pairsets.report import save_figure
from pairsets.storage.artefacts import installed, refuse_below_file, refuse_inside
from pairsets.storage.json_files import read_object
from pairsets.storage.locks import LOCK
from pairsets.storage.publication import JOURNAL, claimed, sweep, written_together
from pairsets.storage.settings import difference

_OURS = {*MODEL_FILES, PARTIAL, TENSORBOARD, LOCK, JOURNAL}
# What a process leaves that was killed while it wrote the model; it goes when the next one writes.
_LITTER = re.compile(rf"\.({'|'.join(map(re.escape, MODEL_FILES))})\.[0-9]+\.tmp")


def train_model(
    faces: Path,
    out: Path,
    choice: ConfigChoice,
    *,
    identities: Rule | None = None,
    settings: RunSettings,
    licence: str | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> CommandResult:
    """Train a model into `out`, which AnimeCV and `animecv:` load; interrupted, it goes on.

    Of several processes that a launcher started, the first alone writes, and has a result.

    Args:
        faces: folder of faces.
        out: folder of the model.
        choice: of the configuration, and of the network to begin with.
        identities: who each face shows, else the folders say.
        settings: of the run; its `source` is that of `choice`.
        licence: SPDX name for the card.
        overwrite: replace what `out` holds of another training; of the same, it goes on.
        progress: shows how far each step is.

    Raises:
        TrainingError: as `mining.training.loop.train`; `out` holds another model, or other files.
    """
    refuse_inside(out, faces)
    refuse_below_file(out)
    _refuse_other_content(out)
    found = Faces.scan(faces, identities)
    resolved = choice.resolve(len(found))
    config = resolved.config
    settings = replace(settings, source=resolved.source)
    finished = (out / RECORD).exists() and not (out / PARTIAL / CHECKPOINT).exists()
    if not is_main():
        if overwrite or not finished:
            train(found, out, config, settings=settings)
        return CommandResult([])
    with claimed(out, folder=True):
        sweep([out / name for name in MODEL_FILES])
        if finished and not overwrite:
            return _already(found, out, config, settings, progress)
        trained = train(
            found, out, config, settings=settings, overwrite=overwrite, progress=progress
        )
        return _written(out, faces, resolved, trained, settings, licence)


def _written(
    out: Path,
    faces: Path,
    resolved: ResolvedConfig,
    trained: Trained,
    settings: RunSettings,
    licence: str | None,
) -> CommandResult:
    """Result of a training, its model written into `out`."""
    config = resolved.config
    evaluations = fold_evaluations(
        trained.held_faces, trained.vectors, trained.pairs, seed=settings.seed
    )
    all_notes = (*resolved.notes, *trained.notes)
    card = _card(out, resolved, trained, evaluations, licence, all_notes)
    record = _record(trained, evaluations, card)
    files = [out / name for name in MODEL_FILES]
    with written_together(files, spent=[out / PARTIAL]) as folder:
        figure = training_curves(trained.history, trained.best.epoch, config.validation.select)
        save_figure(figure, folder / CURVES)
        write_model_files(folder, trained.network, config, card, record)
    hints = [
        f"Best epoch {trained.best.epoch} of {len(trained.history)}, of {config.epochs} at most: "
        f"MAP@R {trained.best.map_at_r:.3f}",
        *(
            f"{name}: {title} {value}" + (f", 95 % {span}" if span else "")
            for name, title, value, span in card.scores
        ),
        f"\nNow try: lookalikes build {faces} --reference animecv:{out} --out RUN\n",
    ]
    return CommandResult(files, faces_rows(trained.checked.faces), list(all_notes), hints=hints)


def _refuse_other_content(out: Path) -> None:
    """Refuse a folder that holds something else than a training or its model."""
    if not out.exists():
        return
    if not out.is_dir():
        raise TrainingError(f"{out}: a file; expected a folder for the model")
    found = {entry.name for entry in out.iterdir()} - _OURS
    others = {name for name in found if not _LITTER.fullmatch(name)}
    if others:
        raise TrainingError(
            f"{out}: holds something else than a model that was trained here ({min(others)!r}); "
            "choose a folder of its own"
        )


def _already(
    faces: Faces, out: Path, config: TrainingConfig, settings: RunSettings, progress: Progress
) -> CommandResult:
    """Result where the model is there; an error where it is another one."""
    record = read_object(out / RECORD, "record of a training", error=TrainingError)
    with TemporaryDirectory(prefix="lookalikes-") as folder:
        now = facts_of(faces, Path(folder), config, settings, progress)
    before = {name: record.content.get("facts", {}).get(name) for name in now}
    told = difference(before, now)
    if told:
        raise TrainingError(
            f"{out}: holds a model that was trained otherwise ({told}); choose another --out, or "
            "replace it with --overwrite"
        )
    missing = [name for name in MODEL_FILES if not (out / name).exists()]
    if missing:
        raise TrainingError(
            f"{out}: lacks {', '.join(missing)} of the model; make it again with --overwrite"
        )
    files = [out / name for name in MODEL_FILES]
    return CommandResult(files, hints=["It is trained already, by the same settings."])


def _card(
    out: Path,
    resolved: ResolvedConfig,
    trained: Trained,
    evaluations: dict[str, Evaluation],
    licence: str | None,
    notes: tuple[str, ...],
) -> CardFacts:
    faces = trained.checked.faces
    scores = (("held out", "MAP@R", f"{trained.best.map_at_r:.4f}", ""), *score_rows(evaluations))
    return CardFacts(
        name=out.resolve().name,
        licence=licence,
        start=resolved.source.said,
        identities=len(set(faces.identities[trained.training])),
        pictures=len(trained.training),
        held_out=(trained.held_faces.count_identities, len(trained.held_faces)),
        data=trained.checked.digest,
        weights=state_digest(trained.network.state_dict()),
        scores=scores,
        versions=installed("lookalikes", "torch", "torchvision", "timm", "pytorch-metric-learning"),
        notes=notes,
    )


def _record(
    trained: Trained, evaluations: dict[str, Evaluation], card: CardFacts
) -> dict[str, object]:
    """Record of a training as `training.json` holds it."""
    return {
        "schema": 1,
        "facts": trained.facts,
        "weights": card.weights,
        "best_epoch": trained.best.epoch,
        "history": [vars(scores) for scores in trained.history],
        "evaluations": {name: one.record() for name, one in evaluations.items()},
        "held_out": sorted(set(trained.held_faces.identities.tolist())),
        "skipped": trained.checked.skipped,
        "start": card.start,
        "licence": card.licence,
    }
