"""Loop of a training: batches in, weights out; interrupted at any step, it goes on as it was."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch

from mining.models.heap import kept_heap
from mining.models.torch_model import resolve_device
from mining.training.checkpoint import PARTIAL, PICTURES
from mining.training.configuration import TrainingConfig
from mining.training.pictures import Checked, check_pictures
from mining.training.processes import Processes
from mining.training.run_settings import RunSettings
from mining.training.trainer import Trained, Trainer
from mining.training.validation import EpochScores
from pairsets.faces import Faces
from pairsets.files.aliases import Aliases, plain_name
from pairsets.paths import strings
from pairsets.progress import Progress, silent


def train(
    faces: Faces,
    folder: Path,
    config: TrainingConfig,
    *,
    settings: RunSettings | None = None,
    report: Callable[[EpochScores], None] | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Trained:
    """Train a network on faces, and keep in `folder` what it takes to go on after a kill.

    The same faces, configuration, seed and number of threads give the same weights on the same
    processor, however often it was interrupted.

    Args:
        faces: of which one fold of the identities is held out.
        folder: for checkpoints (`partial`) and curves (`tensorboard`); another training that was
            begun there is refused.
        config: what is trained, and how.
        settings: where and from what.
        report: called after each epoch, those before an interruption too; what it raises ends
            the training there.
        overwrite: remove another training that was begun in `folder` instead of refusing.
        progress: of checking pictures, mining and training.

    Raises:
        TrainingError: pictures that cannot be read, too few identities, a loss that is not finite;
            a training of other settings in `folder`.
        ModelError: weights that cannot be had or do not fit.
    """
    settings = settings or RunSettings()
    processes = Processes(resolve_device(settings.device))
    processes.refuse_uneven(config.batch_size)
    if processes.rank:
        progress = silent
    found = _checked(faces, folder, settings, progress) if not processes.rank else None
    checked = processes.tell(found)
    with _repeatable(processes.device):
        training = Trainer(checked, folder, config, settings, processes, progress)
        trained = training.run(report, overwrite=overwrite)
    processes.leave()
    return trained


def facts_of(
    faces: Faces,
    folder: Path,
    config: TrainingConfig,
    settings: RunSettings,
    progress: Progress = silent,
) -> dict[str, object]:
    """Facts that decide the result of a training, but for the number of threads.

    Args: as `train`, which has them in `Trained.facts`; `folder` is for what is kept meanwhile.
    """
    processes = Processes(resolve_device(settings.device), join=False)
    checked = _checked(faces, folder, settings, progress)
    with _repeatable(processes.device):
        return Trainer(checked, folder, config, settings, processes, progress).facts


def unified(faces: Faces, aliases: Aliases | None) -> Faces:
    """Faces whose identities that have several names have the first of them alone."""
    if aliases is None:
        return faces
    first: dict[int, str] = {}
    names = []
    for name in faces.identities.tolist():
        group = aliases.groups.get(plain_name(name))
        names.append(name if group is None else first.setdefault(group, name))
    return replace(faces, identities=strings(names))


def _checked(faces: Faces, folder: Path, settings: RunSettings, progress: Progress) -> Checked:
    partial = folder / PARTIAL
    partial.mkdir(parents=True, exist_ok=True)
    with progress("Checking pictures") as step:
        return check_pictures(
            unified(faces, settings.aliases),
            partial / PICTURES,
            skip=settings.skip,
            max_pixels=settings.max_pixels,
            workers=settings.workers,
            progress=step,
        )


@contextlib.contextmanager
def _repeatable(device: torch.device) -> Iterator[None]:
    """Let the same numbers come out again on the CPU; what was set before is set again after."""
    threads, before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    warned = torch.is_deterministic_algorithms_warn_only_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    gpus = [device] if device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=gpus), kept_heap():
            if device.type == "cpu":
                torch.use_deterministic_algorithms(True)
                # Every buffer would be filled before it is written to, which takes its time.
                torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
            yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warned)
        torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
        torch.set_num_threads(threads)
