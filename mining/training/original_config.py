"""Configurations of the published models' training, as settings of ours.

Form: `examples/tuned_configs/*.json` of github.com/kosuke1701/optuna-metric-learning, and what its
`examples/*.py` make of them. What a search there chose stands in `_fix_params` once it is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mining.errors import TrainingError
from mining.training.config_content import nested, read_content, refuse_unknown
from mining.training.configuration import TrainingConfig
from mining.training.search_parameters import (
    CANDIDATES,
    Parameter,
    Value,
    m_candidates,
    parameters_of,
)
from pairsets.storage.json_files import is_number, short

# By which a file is of this form.
MARKS = ("trunk_model", "_fix_params")
# Keys of it, and the paths of ours that they are.
SAME = {
    "trunk_model": "trunk",
    "dim": "dim",
    "input_size": "input_size",
    "batch_size": "batch_size",
    "data_per_epoch": "images_per_epoch",
    "n_fold": "validation.folds",
}
NEEDED = (*MARKS, "dim", "batch_size", "data_per_epoch", "loss_type")
KEYS = (
    *(*SAME, "_fix_params", "fold_trials", "data_dir", "m_cands", "loss_type"),
    *("use_randaug", "use_augmentation", "search_space"),
)
LOSSES = {
    "Contrastive": "contrastive",
    "Triplet": "triplet",
    "ArcFace": "arcface",
    "ProxyNCA": "proxy-nca",
}
# What only one of its two definitions of a model searches, and the other's values.
STANDING = {"model_beta1": 0.1, "model_beta2": 0.001, "model_eps": 1e-8}
REGULARIZER = ("reg_type", "reg_p", "reg_weight")
PARAMETERS = (
    *("m", "p_dropout", "model_lr", "model_decay", *STANDING, "loss_lr", "cls_weight", "gray_p"),
    *("pos_margin", "neg_margin", "margin", "arc_margin", "scale", *REGULARIZER),
    *("randaug_N", "randaug_M", "augment_flip", "augment_rot", "augment_trans"),
    *("augment_scale", "augment_erase"),
)


@dataclass(frozen=True)
class ReadOriginal:
    """A configuration of this form: attributes as those of `mining.training.config_files`."""

    config: TrainingConfig
    notes: tuple[str, ...] = ()
    fixed: frozenset[str] = frozenset()
    choices: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    fold_trials: int | None = None


def read_original(content: dict[str, Any], *, searched: bool) -> ReadOriginal:
    """The configuration that the content of a file, without its comments, describes.

    Args:
        content: by keys that are all among `KEYS`.
        searched: whether a search follows; see `mining.training.config_files.read_config`.

    Raises:
        TrainingError: a lacking or unknown key, a value of another kind or out of range.
    """
    lacking = [key for key in NEEDED if key not in content]
    if lacking:
        raise TrainingError(
            f"lacks {', '.join(lacking)}, which the published models' configurations have"
        )
    stated = _object("_fix_params", content["_fix_params"])
    refuse_unknown(stated, PARAMETERS, "_fix_params.")
    settings = {path: content[key] for key, path in SAME.items() if key in content}
    settings |= _loss(content["loss_type"], stated, searched=searched)
    settings["augmentation.name"], notes = _augmentation(content)
    grid = _object("search_space", content.get("search_space", {}))
    refuse_unknown(grid, PARAMETERS, "search_space.")
    candidates = _candidates(content | {"m_cands": grid["m"]} if "m" in grid else content, stated)
    settings["m"] = candidates[0]
    try:
        known = parameters_of(read_content(nested(settings)))
        missing = _add_parameters(settings, known, stated, searched=searched)
        config = read_content(nested(settings))
    except TrainingError as error:
        raise TrainingError(_in_its_words(str(error), settings["loss.name"])) from None
    if len(candidates) > 1 and not searched:
        missing.insert(0, "m")
    if missing and not searched:
        raise TrainingError(
            f"_fix_params lacks {', '.join(missing)}, which the search of the published models "
            "chose; state them there, or let lookalikes tune choose"
        )
    fixed = frozenset(one.path for one in known if one.path in settings and one.path != "m")
    return ReadOriginal(
        config=config,
        notes=(*notes, *_ignored(content, stated, known, searched=searched)),
        fixed=fixed if len(candidates) > 1 else fixed | {"m"},
        choices=_choices(grid, known, candidates, stated),
        fold_trials=_fold_trials(content),
    )


def _in_its_words(message: str, loss: str) -> str:
    """A message that begins with a path of ours, with the name that it has in this form."""
    names = {path: key for key, path in SAME.items()}
    for augmentation in ("randaugment", "affine"):
        kind = {"loss.name": loss, "augmentation.name": augmentation, "loss.classifier_weight": 1}
        known = parameters_of(read_content(nested(kind)))
        names |= {one.path: f"_fix_params.{one.original}" for one in known}
    names["loss.regularizer"] = "_fix_params.reg_p"
    names["loss.regularizer_weight"] = "_fix_params.reg_weight"
    path, colon, rest = message.partition(": ")
    return f"{names.get(path, path)}{colon}{rest}"


def _loss(loss_type: object, stated: Mapping[str, Any], *, searched: bool) -> dict[str, Any]:
    """Settings of the loss, of what regularizes it, and of the classifier."""
    if not isinstance(loss_type, str) or loss_type not in LOSSES:
        raise TrainingError(f"loss_type: {short(loss_type)} is none of {', '.join(LOSSES)}")
    settings: dict[str, Any] = {"loss.name": LOSSES[loss_type]}
    if stated.get("gray_p", 0) != 0:
        raise TrainingError(
            f"_fix_params.gray_p: {short(stated['gray_p'])}; expected 0, as the published code "
            "has nothing that it would turn grey"
        )
    if "cls_weight" in stated:
        settings["loss.classifier_weight"] = stated["cls_weight"]
    kind = stated.get("reg_type", "None" if searched else "")
    if kind == "":
        raise TrainingError('_fix_params.reg_type is missing; expected "None" or "Lp"')
    if kind not in ("None", "Lp"):
        raise TrainingError(f"_fix_params.reg_type: {short(kind)} is none of None, Lp")
    if kind == "Lp":
        lacking = [name for name in ("reg_p", "reg_weight") if name not in stated]
        if lacking:
            raise TrainingError(f"_fix_params lacks {', '.join(lacking)}, which reg_type Lp needs")
        settings["loss.regularizer"] = stated["reg_p"]
        settings["loss.regularizer_weight"] = stated["reg_weight"]
    return settings


def _augmentation(content: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Name of the augmentation, and what is to be said of it."""
    wanted = {}
    for key, name in (("use_augmentation", "affine"), ("use_randaug", "randaugment")):
        value = content.get(key, False)
        if not isinstance(value, bool):
            raise TrainingError(f"{key}: {short(value)}; expected true or false")
        wanted[name] = value
    if all(wanted.values()):
        return "affine", ["use_augmentation goes before use_randaug, as in the published code"]
    return next((name for name, is_so in wanted.items() if is_so), "none"), []


def _candidates(content: Mapping[str, Any], stated: Mapping[str, Any]) -> tuple[Value, ...]:
    """Numbers that `m` may be: the one stated, else those candidates that make up batches."""
    if "m" in stated:
        return (stated["m"],)
    found = content.get("m_cands", [*CANDIDATES])
    whole = isinstance(found, list) and all(type(one) is int and one > 1 for one in found)
    if not whole or not found:
        raise TrainingError(f"m_cands: {short(found)}; expected a list of whole numbers, 2 or more")
    size = content["batch_size"]
    fitting = m_candidates(found, size) if type(size) is int else tuple(found)
    if not fitting:
        raise TrainingError(
            f"m_cands: {short(found)}; expected one that divides batch_size {size} into two "
            "identities or more"
        )
    return tuple(dict.fromkeys(fitting))


def _add_parameters(
    settings: dict[str, Any],
    known: Iterable[Parameter],
    stated: Mapping[str, Any],
    *,
    searched: bool,
) -> list[str]:
    """Add the stated parameters to the settings; the names of those that are not."""
    missing = []
    for one in known:
        if one.path == "m":
            continue
        standing = {} if searched else STANDING
        if one.original in stated or one.original in standing:
            value = stated.get(one.original, standing.get(one.original))
            settings[one.path] = _value(one, value)
        else:
            missing.append(one.original)
    return missing


def _value(parameter: Parameter, value: Any) -> Value:
    """A stated value, as our configuration holds it."""
    name = f"_fix_params.{parameter.original}"
    if parameter.choices == (False, True):
        if value not in (0, 1):
            raise TrainingError(f"{name}: {short(value)}; expected 0 or 1")
        return bool(value)
    if not is_number(value):
        raise TrainingError(f"{name}: {short(value)}; expected a number")
    if parameter.below is not None and not 0 < value <= parameter.below:
        raise TrainingError(
            f"{name}: {short(value)}; expected a number above 0, to {parameter.below:g}: it is "
            f"{parameter.below:g} less what RAdam is given"
        )
    return parameter.configured(value)


def _ignored(
    content: Mapping[str, Any],
    stated: Mapping[str, Any],
    known: Iterable[Parameter],
    *,
    searched: bool,
) -> list[str]:
    """Sentences on what is in the file and not used, or used without being there."""
    names = [*(one.original for one in known), *REGULARIZER, "gray_p", "cls_weight"]
    told = []
    if "data_dir" in content:
        told.append(f"data_dir {short(content['data_dir'])} is not read: FACES is what is trained")
    for key in ("fold_trials", "search_space"):
        if content.get(key) and not searched:
            told.append(f"{key} counts in lookalikes tune alone")
    left = [one for one in stated if one not in names]
    if left:
        told.append(f"_fix_params: {', '.join(left)} belong to nothing that is used here")
    standing = [one for one in STANDING if one not in stated]
    if standing and not searched:
        told.append(
            f"_fix_params lacks {', '.join(standing)}: as in the published code that does not "
            "search them, beta1 is 0.9, beta2 0.999 and eps 1e-8"
        )
    if searched and "reg_type" not in stated:
        told.append("_fix_params lacks reg_type, which is not searched: no regularizer is used")
    return told


def _choices(
    grid: Mapping[str, Any],
    known: Iterable[Parameter],
    candidates: tuple[Value, ...],
    stated: Mapping[str, Any],
) -> dict[str, tuple[Value, ...]]:
    """Values that a search chooses of, by path: the candidates for `m`, and `search_space`."""
    found: dict[str, tuple[Value, ...]] = {"m": candidates} if len(candidates) > 1 else {}
    for one in known:
        values = grid.get(one.original)
        if values is None or one.path == "m" or one.original in stated:
            continue
        if not isinstance(values, list) or not values:
            raise TrainingError(f"search_space.{one.original}: {short(values)}; expected a list")
        found[one.path] = tuple(dict.fromkeys(_value(one, value) for value in values))
    return found


def _fold_trials(content: Mapping[str, Any]) -> int | None:
    value = content.get("fold_trials")
    if value is None:
        return None
    if type(value) is not int or value < 1:
        raise TrainingError(f"fold_trials: {short(value)}; expected a whole number, 1 or more")
    return value


def _object(key: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TrainingError(f"{key}: {short(value)}; expected an object")
    return value
