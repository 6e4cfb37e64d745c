"""Parameters of a training that a search may choose, and the ranges that it chooses from.

The ranges are those of the published models' search (github.com/kosuke1701/optuna-metric-learning),
but that a scale is searched by its logarithm.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mining.errors import TrainingError
from mining.training.config_content import read_content
from mining.training.configuration import TrainingConfig

# Value of a parameter, as a database of trials holds it.
Value = float | int | bool | None

# Pictures of an identity in a batch, of which a search chooses.
CANDIDATES = (2, 4, 8, 16)


@dataclass(frozen=True)
class Parameter:
    """A parameter, and what may be chosen for it.

    Attributes:
        path: of its value in the content of a configuration, joined by dots.
        original: its name in the published models' configuration.
        low, high: ends of the range that it is chosen from, both included.
        log: whether its logarithm is, evenly.
        whole: whether it is a whole number.
        choices: what it is one of, instead of a range.
        below: the value in the configuration is this less the parameter's; None, the parameter's.
    """

    path: str
    original: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    whole: bool = False
    choices: tuple[Value, ...] = ()
    below: float | None = None

    @property
    def name(self) -> str:
        """Name in a study, a plot and a message: the path, or 1 less it."""
        return self.path if self.below is None else f"{self.below:g} - {self.path}"

    def configured(self, value: Value) -> Value:
        """The value in the configuration where the parameter has this one."""
        if self.below is None or value is None:
            return value
        # A share of 1 leaves 0, and rounding nothing below it.
        return max(0.0, self.below - value)

    @property
    def content(self) -> dict[str, object]:
        """Range or choices, as JSON-able values."""
        if self.choices:
            return {"choices": [*self.choices]}
        return {"low": self.low, "high": self.high, "log": self.log}


POS_MARGIN = Parameter("loss.options.pos_margin", "pos_margin", 0.0, 2.0)
NEG_MARGIN = Parameter("loss.options.neg_margin", "neg_margin", 0.0, 2.0)
TRIPLET_MARGIN = Parameter("loss.options.margin", "margin", 0.0, 2.0)
ARC_MARGIN = Parameter("loss.options.margin", "arc_margin", 0.0, 90.0)
SCALE = Parameter("loss.options.scale", "scale", 0.01, 100.0, log=True)
OF_LOSSES: Mapping[str, tuple[Parameter, ...]] = {
    "contrastive": (POS_MARGIN, NEG_MARGIN),
    "triplet": (TRIPLET_MARGIN,),
    "arcface": (ARC_MARGIN, SCALE),
    "subcenter-arcface": (ARC_MARGIN, SCALE),
    "proxy-nca": (SCALE,),
}
LOSS_LR = Parameter("loss.lr", "loss_lr", 1e-5, 1e-2, log=True)
# Losses that learn.
LEARNING = ("arcface", "subcenter-arcface", "proxy-nca")
CLASSIFIER = Parameter("loss.classifier_weight", "cls_weight", 0.01, 100.0, log=True)
M = Parameter("m", "m", choices=CANDIDATES)
OF_ALL = (
    M,
    Parameter("dropout", "p_dropout", 0.0, 0.999),  # of which 1 would leave nothing
    Parameter("optimizer.lr", "model_lr", 1e-5, 1e-3, log=True),
    Parameter("optimizer.weight_decay", "model_decay", 1e-10, 1e-2, log=True),
    Parameter("optimizer.beta1", "model_beta1", 1e-3, 1.0, log=True, below=1.0),
    Parameter("optimizer.beta2", "model_beta2", 1e-4, 1.0, log=True, below=1.0),
    Parameter("optimizer.eps", "model_eps", 1e-8, 1.0, log=True),
)
OF_AUGMENTATIONS: Mapping[str, tuple[Parameter, ...]] = {
    "randaugment": (
        Parameter("augmentation.operations", "randaug_N", 0, 10, whole=True),
        Parameter("augmentation.magnitude", "randaug_M", 0, 30, whole=True),
    ),
    "affine": (
        Parameter("augmentation.flip", "augment_flip", choices=(False, True)),
        Parameter("augmentation.rotation", "augment_rot", 0.0, 180.0),
        Parameter("augmentation.shift", "augment_trans", 0.0, 0.3),
        Parameter("augmentation.scale", "augment_scale", 1.0, 1.3),
        Parameter("augmentation.erase", "augment_erase", choices=(False, True)),
    ),
    "none": (),
}


def parameters_of(config: TrainingConfig) -> tuple[Parameter, ...]:
    """Parameters that a search may choose for such a configuration.

    They are those of its loss, of the loss's own learning rate where it learns, of its classifier
    where it has one, of its augmentation, of the optimizer, dropout, and `m` where batches allow
    more than one.
    """
    found = [*OF_LOSSES.get(config.loss.name, ())]
    if config.loss.name in LEARNING:
        found.append(LOSS_LR)
    if config.loss.classifier_weight > 0:
        found.append(CLASSIFIER)
    return (*found, *OF_ALL, *OF_AUGMENTATIONS[config.augmentation.name])


def space_of(
    config: TrainingConfig,
    fixed: Collection[str] = (),
    choices: Mapping[str, tuple[Value, ...]] | None = None,
) -> tuple[Parameter, ...]:
    """Parameters that a search chooses around a configuration, with what it chooses from.

    Args:
        config: whose loss, augmentation and batches say which parameters there are.
        fixed: paths of those that stand as they are in `config`.
        choices: by path, values to choose from instead of a parameter's own range; of `m` those
            alone that make up batches.

    Raises:
        TrainingError: nothing is left to choose.
    """
    given, found = {**(choices or {})}, []
    given["m"] = m_candidates(given.get("m", CANDIDATES), config.batch_size)
    for one in parameters_of(config):
        if one.path in fixed or not given.get(one.path, True):
            continue
        values = given.get(one.path)
        found.append(one if values is None else replace(one, choices=values, below=None))
    if all(len(one.choices) == 1 for one in found):
        raise TrainingError(
            "nothing is left to search: the configuration states every parameter; leave out "
            "those that are to be chosen, or train with it as it is: lookalikes train"
        )
    return tuple(found)


def with_values(config: TrainingConfig, values: Mapping[str, Any]) -> TrainingConfig:
    """The configuration with other values at the paths of some parameters.

    Args:
        config: which stays as it is.
        values: by path, as the configuration holds them.

    Raises:
        TrainingError: a value out of range.
    """
    content = _copy(config.content)
    for path, value in values.items():
        *above, last = path.split(".")
        place = content
        for name in above:
            place = place[name]
        place[last] = value
    return read_content(content)


def content_without(config: TrainingConfig, paths: Iterable[str]) -> dict[str, Any]:
    """The content of a configuration less the values at some paths."""
    content = _copy(config.content)
    for path in paths:
        *above, last = path.split(".")
        place = content
        for name in above:
            place = place[name]
        place.pop(last, None)
    return content


def m_candidates(candidates: Sequence[Value], batch_size: int) -> tuple[Value, ...]:
    """Numbers of pictures of an identity that make up batches of two identities or more.

    >>> m_candidates((2, 4, 8, 16), 24)
    (2, 4, 8)
    """
    return tuple(
        one for one in candidates if one and batch_size % one == 0 and batch_size >= 2 * one
    )


def _copy(content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _copy(value) if isinstance(value, Mapping) else value
        for name, value in content.items()
    }
