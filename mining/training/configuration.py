"""Configuration of a training: what is trained on what, and how; it checks itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal, get_args

from mining.errors import TrainingError
from mining.models.base import digest

LossName = Literal[
    "contrastive",
    "triplet",
    "multi-similarity",
    "arcface",
    "subcenter-arcface",
    "proxy-nca",
    "supcon",
]
AugmentationName = Literal["none", "randaugment", "affine"]
ScheduleName = Literal["constant", "cosine"]
HardNegativesName = Literal["none", "identities", "pairs"]
SelectionName = Literal["map@r", "fpr-random", "fpr-adversarial", "last"]


@dataclass(frozen=True)
class LossSettings:
    """Loss between the vectors of a batch, and the classifier beside it.

    Attributes:
        name: which loss.
        options: its parameters by name, as `mining.training.losses` lists them; those that are
            not named stand at their defaults there.
        lr: learning rate of what the loss itself learns (proxies, centres of identities); of
            losses without parameters it is not used.
        classifier_weight: weight of the cross entropy of a linear classifier over the training
            identities, without bias, on the vectors; 0 is none.
        regularizer: p of the mean p-norm of the vectors that is added to the loss; None is none.
        regularizer_weight: its weight.
    """

    name: LossName = "contrastive"
    options: Mapping[str, float] = field(default_factory=dict)
    lr: float = 1e-3
    classifier_weight: float = 0.0
    regularizer: Literal[1, 2] | None = None
    regularizer_weight: float = 1.0

    def __post_init__(self) -> None:
        _one_of("loss.name", self.name, get_args(LossName))
        for name, value in self.options.items():
            _number(f"loss.options.{name}", value, -math.inf, math.inf)
        _number("loss.lr", self.lr, 0, 10)
        _number("loss.classifier_weight", self.classifier_weight, 0, 1e6)
        if self.regularizer is not None:
            _one_of("loss.regularizer", self.regularizer, (1, 2))
        _number("loss.regularizer_weight", self.regularizer_weight, 0, 1e6)


@dataclass(frozen=True)
class OptimizerSettings:
    """RAdam with decoupled weight decay, its schedule, and the average of the weights.

    Attributes:
        lr: learning rate of trunk, embedder and classifier.
        weight_decay: decoupled, as the package `radam` of the published models has it.
        beta1, beta2, eps: of RAdam.
        schedule: of the learning rate over all epochs, in steps of one batch.
        warmup: epochs in which the rate rises from nearly 0, within the schedule.
        ema: decay a step of the exponential average of the weights, which is then what is
            validated and written; None is no average.
    """

    lr: float = 4.01253e-5
    weight_decay: float = 2.90147e-5
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    schedule: ScheduleName = "constant"
    warmup: float = 0.0
    ema: float | None = None

    def __post_init__(self) -> None:
        _number("optimizer.lr", self.lr, 0, 10)
        _number("optimizer.weight_decay", self.weight_decay, 0, 10)
        _number("optimizer.beta1", self.beta1, 0, 1, below=True)
        _number("optimizer.beta2", self.beta2, 0, 1, below=True)
        _number("optimizer.eps", self.eps, 0, 1)
        _one_of("optimizer.schedule", self.schedule, get_args(ScheduleName))
        _number("optimizer.warmup", self.warmup, 0, 1000)
        if self.ema is not None:
            _number("optimizer.ema", self.ema, 0, 1, below=True)


@dataclass(frozen=True)
class AugmentationSettings:
    """Changes of a training picture before it is seen.

    Attributes:
        name: `randaugment`, that of the published models; `affine`, flips, turns and shifts;
            `none`.
        operations: how many operations RandAugment applies to a picture, 0 to 10 (its N).
        magnitude: how strongly, 0 to 30 (its M).
        flip, erase: whether `affine` mirrors half of the pictures, and blots out a rectangle.
        rotation: degrees that `affine` turns by, at most.
        shift: share of the side that it moves by, at most.
        scale: factor that it scales by at most, and its inverse at least.
    """

    name: AugmentationName = "randaugment"
    operations: int = 1
    magnitude: int = 26
    flip: bool = True
    erase: bool = False
    rotation: float = 0.0
    shift: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        _one_of("augmentation.name", self.name, get_args(AugmentationName))
        _whole("augmentation.operations", self.operations, 0, 10)
        _whole("augmentation.magnitude", self.magnitude, 0, 30)
        _truth("augmentation.flip", self.flip)
        _truth("augmentation.erase", self.erase)
        _number("augmentation.rotation", self.rotation, 0, 180)
        _number("augmentation.shift", self.shift, 0, 1)
        _number("augmentation.scale", self.scale, 1, 10)


@dataclass(frozen=True)
class HardNegativeSettings:
    """Mined negatives in the batches; see `mining.training.hard_negatives`.

    Attributes:
        name: `identities`, batches of identities that the current model confuses; `pairs`, batches
            of pairs that it confuses; `none`.
        share: share of a batch's identities that is hard; the others are random.
        warmup: epochs before the first mining, in which batches are random.
        every: epochs between minings; None is as often as costs at most 5 % of the training.
        neighbours: of how many nearest identities the hard ones of a batch are drawn.
        group: identities of one neighbourhood in a batch. Graph Sampling takes a whole batch of
            one; the pictures are then all alike, and batch normalisation takes their statistics
            for those of all.
        faces: pictures of an identity that are embedded for a mining, drawn anew each time.
        margin: how far below its faces' positives a mined pair stays.
        max_per_identity: in how many mined pairs an identity may be; None spreads them: twice as
            many as if all identities were in equally many.
    """

    name: HardNegativesName = "none"
    share: float = 0.5
    warmup: int = 1
    every: int | None = None
    neighbours: int = 15
    group: int = 2
    faces: int = 4
    margin: float = 0.05
    max_per_identity: int | None = None

    def __post_init__(self) -> None:
        _one_of("hard_negatives.name", self.name, get_args(HardNegativesName))
        _number("hard_negatives.share", self.share, 0, 1)
        _whole("hard_negatives.warmup", self.warmup, 0, 1000)
        if self.every is not None:
            _whole("hard_negatives.every", self.every, 1, 1000)
        _whole("hard_negatives.neighbours", self.neighbours, 1, 10_000)
        _whole("hard_negatives.group", self.group, 2, 10_000)
        _whole("hard_negatives.faces", self.faces, 1, 10_000)
        _number("hard_negatives.margin", self.margin, 0, 2)
        if self.max_per_identity is not None:
            _whole("hard_negatives.max_per_identity", self.max_per_identity, 1, 1_000_000)


@dataclass(frozen=True)
class ValidationSettings:
    """Held-out identities, and what they are asked after each epoch.

    Attributes:
        folds: of how many folds of identities one is held out.
        fold: which, from 0.
        select: what the best epoch is best in: MAP@R, or the false positive rate on random or on
            the fold's own adversarial negatives; `last` takes the last, and never stops early.
        target_fnr: false negative rate that those rates stand at.
        patience: epochs without a better one after which training stops.
        pairs: how many positives and negatives, at most, each of the two sets has.
    """

    folds: int = 10
    fold: int = 0
    select: SelectionName = "map@r"
    target_fnr: float = 0.139
    patience: int = 3
    pairs: int = 3000

    def __post_init__(self) -> None:
        _whole("validation.folds", self.folds, 2, 100_000)
        _whole("validation.fold", self.fold, 0, self.folds - 1)
        _one_of("validation.select", self.select, get_args(SelectionName))
        _number("validation.target_fnr", self.target_fnr, 0, 1, below=True)
        _whole("validation.patience", self.patience, 1, 100_000)
        _whole("validation.pairs", self.pairs, 1, 10_000_000)


@dataclass(frozen=True)
class TrainingConfig:
    """Configuration of a training; all of it, with the seed and the pictures, decides the result.

    Attributes:
        trunk: `ResNet-18`, -34, -50, -101, -152 of torchvision, or `timm:NAME`.
        dim: length of the vectors.
        input_size: side in pixels that pictures are resized to.
        dropout: share of a vector's components that is dropped, after the linear layer.
        m: pictures of an identity in a batch.
        batch_size: pictures in a batch; a multiple of `m`.
        images_per_epoch: pictures between two validations.
        epochs: at most so many.
        loss, optimizer, augmentation, hard_negatives, validation: each their settings.

    Raises:
        TrainingError: a value of another kind or out of range; the message names it.

    >>> TrainingConfig(batch_size=64, images_per_epoch=1000).steps_per_epoch
    15
    """

    trunk: str = "ResNet-18"
    dim: int = 500
    input_size: int = 224
    dropout: float = 0.367399
    m: int = 8
    batch_size: int = 64
    images_per_epoch: int = 100_000
    epochs: int = 60
    loss: LossSettings = field(default_factory=LossSettings)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)
    hard_negatives: HardNegativeSettings = field(default_factory=HardNegativeSettings)
    validation: ValidationSettings = field(default_factory=ValidationSettings)

    def __post_init__(self) -> None:
        if not isinstance(self.trunk, str) or not self.trunk:
            raise TrainingError(f"trunk: {self.trunk!r}; expected ResNet-18 or timm:NAME")
        _whole("dim", self.dim, 1, 65536)
        _whole("input_size", self.input_size, 16, 4096)
        _number("dropout", self.dropout, 0, 1, below=True)
        _whole("m", self.m, 2, 100_000)
        _whole("batch_size", self.batch_size, 4, 1_000_000)
        _whole("images_per_epoch", self.images_per_epoch, self.batch_size, 10**12)
        _whole("epochs", self.epochs, 1, 1_000_000)
        if self.optimizer.warmup >= self.epochs:
            raise TrainingError(
                f"optimizer.warmup: {self.optimizer.warmup:g} epochs; expected fewer than the "
                f"{self.epochs} of the training"
            )
        if self.hard_negatives.name == "pairs" and self.hard_negatives.faces < 2:
            raise TrainingError(
                "hard_negatives.faces: 1; expected 2 or more for pairs, which have to stay below "
                "the score of a face with another of its own identity"
            )
        if self.batch_size % self.m or self.batch_size < 2 * self.m:
            raise TrainingError(
                f"batch_size: {self.batch_size}; expected a multiple of m = {self.m}, of at least "
                "two identities"
            )

    @property
    def identities_per_batch(self) -> int:
        """Number of identities in a batch."""
        return self.batch_size // self.m

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches between two validations."""
        return self.images_per_epoch // self.batch_size

    @property
    def steps(self) -> int:
        """Number of batches of all epochs."""
        return self.epochs * self.steps_per_epoch

    @property
    def content(self) -> dict[str, object]:
        """The configuration as JSON-able values, as `mining.training.config_files` reads it."""
        return asdict(self)

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of the configuration."""
        return digest(self.content)


def _one_of(name: str, value: object, known: tuple[object, ...]) -> None:
    if value not in known or isinstance(value, bool):
        raise TrainingError(f"{name}: {value!r} is none of {', '.join(map(str, known))}")


def _truth(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise TrainingError(f"{name}: {value!r}; expected true or false")


def _whole(name: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise TrainingError(
            f"{name}: {value!r}; expected a whole number from {least:,} to {most:,}"
        )


def _number(name: str, value: object, least: float, most: float, *, below: bool = False) -> None:
    """Refuse what is no finite number from `least` to `most`, `most` itself too where `below`."""
    known = isinstance(value, int | float) and not isinstance(value, bool)
    number = float(value) if known else math.nan  # type: ignore[arg-type]
    if not (math.isfinite(number) and least <= number <= most) or (below and number == most):
        end = f"below {most:g}" if below else f"to {most:g}"
        span = "" if math.isinf(most) else f" from {least:g} {end}"
        raise TrainingError(f"{name}: {value!r}; expected a number{span}")
