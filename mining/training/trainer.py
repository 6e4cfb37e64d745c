"""A training under way: its steps, what it mines and validates, and where it stands."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mining.errors import ModelError, TrainingError
from mining.models.weights import state_digest
from mining.training.batches import BatchPlan, Hardness
from mining.training.checkpoint import PARTIAL, TENSORBOARD, Checkpoints
from mining.training.configuration import TrainingConfig
from mining.training.curves import Curves
from mining.training.hard_negatives import (
    Vetoes,
    is_mining_epoch,
    mine_hard_negatives,
    mining_interval,
)
from mining.training.identity_folds import split_identities
from mining.training.losses import MetricLoss
from mining.training.network import FaceNetwork, TrunkSource, build_network, normalised
from mining.training.optimizers import Schedule, build_average, build_optimizer
from mining.training.pictures import Checked, Pictures
from mining.training.processes import Processes
from mining.training.run_settings import RunSettings
from mining.training.validation import EpochScores, HeldOut, better
from pairsets.faces import Faces, some_of
from pairsets.progress import Progress
from pairsets.storage.artefacts import installed

Rows = NDArray[np.int64]
_DROPOUT = 7
# Steps between two points of the loss's curve.
_POINT = 10


@dataclass(frozen=True)
class Trained:
    """Result of a training.

    Attributes:
        network: with the best weights, in evaluation mode, on the CPU.
        best: scores of the epoch that they are of.
        history: scores of all epochs.
        checked: the faces, with the digest of their content.
        training, held_out: rows of the faces that were trained on, and of those held out.
        held_faces: those held out.
        pairs: their random pairs.
        vectors: `[n, dim]` of them, of unit norm.
        facts: JSON-able: configuration, seed, digests, versions, threads.
        notes: sentences for the user.
    """

    network: FaceNetwork
    best: EpochScores
    history: list[EpochScores]
    checked: Checked
    training: Rows
    held_out: Rows
    held_faces: Faces
    pairs: HeldOut
    vectors: NDArray[np.float32]
    facts: dict[str, object]
    notes: tuple[str, ...] = ()


@dataclass
class _State:
    """State of a training, beside its weights."""

    step: int = 0
    loss_sum: float = 0.0
    history: list[EpochScores] = field(default_factory=list)
    best: int = -1
    validated: bool = True
    mined: int = -1


class Trainer:
    """A training under way."""

    def __init__(
        self,
        checked: Checked,
        folder: Path,
        config: TrainingConfig,
        settings: RunSettings,
        processes: Processes,
        progress: Progress,
    ) -> None:
        self.checked, self.config, self.settings = checked, config, settings
        self.processes, self.device, self.progress = processes, processes.device, progress
        self.split = split_identities(checked.faces.identities, config.validation, settings.seed)
        rows = np.zeros(len(checked.faces), np.bool_)
        rows[self.split.training] = True
        self.faces = some_of(checked.faces, rows)
        self.groups = self.faces.groups
        self.plan = BatchPlan(self.groups, config, settings.seed)
        self.vetoes = Vetoes.of(self.faces, settings.exclude)
        self.held_faces = some_of(checked.faces, ~rows)
        held_vetoes = Vetoes.of(self.held_faces, settings.exclude).pairs
        self.held_out = HeldOut.of(
            self.held_faces.identities, config.validation, settings.seed, held_vetoes
        )
        held = min(len(self.held_faces) / len(checked.faces), 0.5)
        self.pictures = self._pictures(self.faces, 1 - held)
        self.held_pictures = self._pictures(self.held_faces, held)

        network = build_network(config, settings.source or TrunkSource(config.trunk), settings.seed)
        self.initial = state_digest(network.trunk.state_dict())
        self.network = network.to(self.device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.parallel = processes.parallel(self.network)
        identities = int(self.groups.max()) + 1
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed + 1)
            self.loss = MetricLoss(config.loss, config.dim, identities).to(self.device)
        self.optimizer = build_optimizer(self.network, self.loss, config)
        self.schedule = Schedule(self.optimizer, config)
        self.average = build_average(self.network, config)
        self.state, self.hardness = _State(), Hardness.nothing()
        self.interval = mining_interval(self.plan, config)
        self.checkpoints = Checkpoints(folder / PARTIAL, settings.checkpoint_seconds)
        self.curves = Curves(None if processes.rank else folder / TENSORBOARD)

    def _pictures(self, faces: Faces, share: float) -> Pictures:
        """Pictures of faces, with a share of the memory."""
        return Pictures(
            faces,
            self.config.input_size,
            max_pixels=self.settings.max_pixels,
            workers=self.settings.workers,
            memory=int(self.settings.memory * share),
            batch=self.config.batch_size,
        )

    @property
    def facts(self) -> dict[str, object]:
        """Facts that decide the result, but for the number of threads."""
        return {
            "config": self.config.content,
            "seed": self.settings.seed,
            "faces": self.checked.digest,
            "trunk": self.initial,
            "precision": self.settings.precision,
            "device": self.device.type,
            "processes": self.processes.count,
            # Of those held out, too: they decide which epoch is best.
            "vetoes": Vetoes.of(self.checked.faces, self.settings.exclude).digest,
            "versions": installed("torch", "numpy", "pillow", "timm", "pytorch-metric-learning"),
        }

    def run(
        self, report: Callable[[EpochScores], None] | None, *, overwrite: bool = False
    ) -> Trained:
        """Train to the end, from where it stands."""
        if not self.processes.rank:
            self.checkpoints.claim(self.facts, overwrite=overwrite)
        self.processes.wait()
        self._restore(overwrite=overwrite)
        config, state = self.config, self.state
        with closing(self.curves), self.progress("Training") as heard:
            if report is not None:
                # Of the last nobody may have heard, where the process was killed then.
                for scores in [*state.history]:
                    report(scores)
            while not self._is_over():
                self._epoch(heard)
                scores = self._validate()
                if report is not None:
                    report(scores)
            heard(config.steps, config.steps)
        self.average = None
        self.processes.wait()
        self.network.load_state_dict(self.checkpoints.read_best()["network"])
        with self.progress("Embedding the identities held out") as heard:
            rows = np.arange(len(self.held_faces))
            vectors = self._embed(self.held_pictures, rows, heard)
        return Trained(
            self.network.cpu().eval(),
            state.history[state.best],
            state.history,
            self.checked,
            self.split.training,
            self.split.held_out,
            self.held_faces,
            self.held_out,
            vectors,
            {**self.facts, "threads": torch.get_num_threads(), "mined_every": self.interval},
            self._notes(),
        )

    def _is_over(self) -> bool:
        state, patience = self.state, self.config.validation.patience
        if state.step >= self.config.steps and state.validated:
            return True
        return (
            state.validated
            and bool(state.history)
            and (len(state.history) - 1 - state.best >= patience)
        )

    def _epoch(self, heard: Callable[[int, int], None]) -> None:
        """Steps to the end of the epoch."""
        config, state = self.config, self.state
        epoch, begun = divmod(state.step, config.steps_per_epoch)
        if not state.validated and begun == 0 and state.step:
            return  # killed between the last step and its validation
        due = begun == 0 and is_mining_epoch(epoch, self.interval, config)
        if due and state.mined != epoch:
            self._mine(epoch)
        end = (epoch + 1) * config.steps_per_epoch
        plan = lambda step: self.plan.rows(step, self.hardness)  # noqa: E731
        part = self.processes.part(config.batch_size)
        batches = self.pictures.changed_batches(
            range(state.step, end), plan, config.augmentation, self.settings.seed, part
        )
        heard(state.step, config.steps)
        with closing(batches):
            for rows, pixels in batches:
                loss = self._step(rows, pixels)
                state.step += 1
                state.loss_sum += loss
                state.validated = False
                if state.step % _POINT == 0:
                    self.curves.add("loss", loss, state.step)
                if state.step == end or self.checkpoints.due:
                    self._save()
                heard(state.step, config.steps)

    def _step(self, rows: Rows, pixels: NDArray[np.uint8]) -> float:
        """One step of the optimizer; the loss before it."""
        step = self.state.step
        rank = self.processes.rank
        seeds = np.random.SeedSequence([self.settings.seed, _DROPOUT, step, rank])
        torch.manual_seed(int(seeds.generate_state(1, np.uint64)[0] >> np.uint64(1)))
        self.network.train()
        self.schedule.set(step)
        labels = torch.from_numpy(self.groups[rows]).to(self.device)
        found = self.vetoes.among(rows)
        vetoed = None if found is None else torch.from_numpy(found).to(self.device)
        self.optimizer.zero_grad(set_to_none=True)
        with self._kernels():
            output = self.parallel(normalised(pixels, self.pictures.preprocessing, self.device))
        vectors = self.processes.together(output.float())
        loss = self.loss(vectors, labels, vetoed)
        value = float(loss.detach())
        if not math.isfinite(value):
            what = "the network's vectors are" if not vectors.isfinite().all() else "the loss is"
            raise self._diverged(f"{what} not finite")
        loss.backward()
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        gradients = [p.grad for p in parameters if p.grad is not None]
        if not math.isfinite(float(torch.nn.utils.get_total_norm(gradients))):
            raise self._diverged("the gradient is not finite")
        self.optimizer.step()
        if self.average is not None:
            self.average.update(self.network, step=step)
        return value

    def _diverged(self, what: str) -> TrainingError:
        rate = self.optimizer.param_groups[0]["lr"]
        return TrainingError(
            f"step {self.state.step + 1} of {self.config.steps} (epoch "
            f"{self.state.step // self.config.steps_per_epoch + 1}): {what}; the learning rate is "
            f"{rate:g}. The last good state is kept in {self.checkpoints.folder}. Likely "
            "cause: too high a rate, or a loss with too large a scale; begin anew with --lr "
            f"{rate / 10:.1g} and another --out"
        )

    def _kernels(self) -> contextlib.AbstractContextManager[Any]:
        half = self.settings.precision == "bf16"
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=half)

    @property
    def _judged(self) -> nn.Module:
        """The network that is validated and kept: the averaged one where there is one."""
        module: nn.Module = self.network if self.average is None else self.average.module
        return module

    def _embed(
        self, pictures: Pictures, rows: Rows, heard: Callable[[int, int], None]
    ) -> NDArray[np.float32]:
        """Unit vectors `[n, dim]` of pictures as they are."""
        network = self._judged.eval()
        self.processes.align(network)
        size = self.config.batch_size
        rows = self.processes.share(rows)
        parts = [rows[start : start + size] for start in range(0, len(rows), size)]
        vectors = np.empty((len(rows), self.config.dim), np.float32)
        done = 0
        with torch.inference_mode(), closing(pictures.batches(parts)) as batches:
            for batch, pixels in batches:
                with self._kernels():
                    output = network(
                        normalised(pixels, self.pictures.preprocessing, self.device)
                    ).float()
                unit = nn.functional.normalize(output)
                vectors[done : done + len(batch)] = unit.cpu().numpy()
                done += len(batch)
                heard(done, len(rows))
        return self.processes.gather(vectors)

    def _mine(self, epoch: int) -> None:
        """Mine what the batches until the next mining are built of."""
        with self.progress(f"Mining, epoch {epoch + 1}") as heard:
            self.hardness = mine_hard_negatives(
                lambda rows: self._embed(self.pictures, rows, heard),
                self.faces,
                self.plan,
                self.config,
                self.vetoes,
                seed=self.settings.seed,
                epoch=epoch,
                batches=self.interval * self.config.steps_per_epoch,
            )
        self.state.mined = epoch
        self._save()

    def _validate(self) -> EpochScores:
        """The scores of the epoch that has ended; its weights are kept if it is the best."""
        config, state = self.config, self.state
        epoch = state.step // config.steps_per_epoch
        with self.progress(f"Validating, epoch {epoch}") as heard:
            rows = np.arange(len(self.held_faces))
            found = self.held_out.judge(self._embed(self.held_pictures, rows, heard))
        scores = EpochScores(
            epoch=epoch,
            step=state.step,
            loss=state.loss_sum / config.steps_per_epoch,
            **asdict(found),
        )
        best = state.history[state.best] if state.history else None
        state.history.append(scores)
        if best is None or better(scores, best, config.validation.select):
            state.best = len(state.history) - 1
            if not self.processes.rank:
                self.checkpoints.write_best({"network": _on_cpu(self._judged), "epoch": epoch})
        for name in ("map_at_r", "fpr_random", "fpr_adversarial"):
            self.curves.add(name, getattr(scores, name), state.step)
        state.validated, state.loss_sum = True, 0.0
        self._save()
        return scores

    def _save(self) -> None:
        """Keep the state, unless it is past use already: the step that finds out says so."""
        if self.processes.rank:
            return
        if not all(bool(t.isfinite().all()) for t in self.network.state_dict().values()):
            return
        self.checkpoints.write(
            {
                "state": asdict(self.state),
                "threads": torch.get_num_threads(),
                "network": self.network.state_dict(),
                "loss": self.loss.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "average": None if self.average is None else self.average.state_dict(),
                "neighbours": torch.from_numpy(self.hardness.neighbours),
                "pairs": torch.from_numpy(self.hardness.pairs),
            }
        )

    def _restore(self, *, overwrite: bool) -> None:
        """Go on from the last checkpoint, with as many threads as it was written with."""
        found = self.checkpoints.read(overwrite=overwrite)
        if found is None:
            self.curves.forget_all()
            return
        try:
            self.network.load_state_dict(found["network"])
            self.loss.load_state_dict(found["loss"])
            self.optimizer.load_state_dict(found["optimizer"])
            if self.average is not None:
                self.average.load_state_dict(found["average"])
            history = [EpochScores(**scores) for scores in found["state"].pop("history")]
            self.state = _State(**found["state"], history=history)
            self.hardness = Hardness(found["neighbours"].numpy(), found["pairs"].numpy())
            # Sums of another number of threads are other sums.
            torch.set_num_threads(found["threads"])
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise ModelError(
                f"{self.checkpoints.folder}: the checkpoint does not fit ({error}); begin anew "
                "with --overwrite"
            ) from None
        self.curves.forget_after(self.state.step)

    def _notes(self) -> tuple[str, ...]:
        notes = [*self.checked.faces.notes, *self.split.notes]
        if self.settings.exclude:
            count = len(self.vetoes.pairs)
            told = f"{count:,} excluded pairs are of training faces, and count as no negatives"
            if self.loss.kind.learns or self.loss.classifier is not None:
                told += " between pictures; centres and a classifier know no pairs"
            notes.append(f"{told}.")
        if self.config.hard_negatives.name != "none" and self.hardness.is_empty:
            notes.append("Nothing hard was found within the rules: batches were random.")
        if self.plan.count_lone:
            notes.append(
                f"{self.plan.count_lone:,} training identities have one picture: they have no "
                "positive, and serve as negatives alone."
            )
        return tuple(notes)


def _on_cpu(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in module.state_dict().items()}
