"""Configuration files: JSON of ours, or of the published models' training.

Ours has the keys of `TrainingConfig.content`, any of them. The other is that of
github.com/kosuke1701/optuna-metric-learning, from which the models published with ZACI-20 come: it
has `trunk_model` and `_fix_params`. A key `""` is a comment in both, as often as one likes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from mining.errors import TrainingError
from mining.training.config_content import read_content, refuse_unknown
from mining.training.configuration import TrainingConfig
from mining.training.original_config import KEYS, MARKS, read_original
from mining.training.search_parameters import Value, parameters_of
from pairsets.storage.artefacts import write_json
from pairsets.storage.json_files import read_json, short

WHAT = "the configuration of a training"
# Bytes that such a file may have.
MOST = 2**20
COMMENT = ""
# Of ours, in the first level.
OWN = tuple(one.name for one in fields(TrainingConfig))


@dataclass(frozen=True)
class ReadConfig:
    """A configuration that was read from a file.

    Attributes:
        config: with the defaults of what the file leaves open.
        notes: what was left out, or stands for something else; a sentence each.
        fixed: paths of the parameters that the file states, which a search leaves alone.
        choices: what a search chooses of, by path, where the file says it.
        fold_trials: folds that a trial of a search is trained on, where the file says it.
    """

    config: TrainingConfig
    notes: tuple[str, ...] = ()
    fixed: frozenset[str] = frozenset()
    choices: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    fold_trials: int | None = None


def read_config(path: str | Path, *, searched: bool = False) -> ReadConfig:
    """Read a configuration file of either form.

    Args:
        path: of the JSON file, of 1 MiB at most.
        searched: whether a search follows, which chooses what the file leaves open. Otherwise a
            file of the published models' form must state all that their search chose.

    Raises:
        TrainingError: no such file, not JSON, no object, a mixture of both forms, an unknown or
            lacking key, a value of another kind or out of range; it names the file and the key.
    """
    path = Path(path)
    try:
        found = read_json(path, WHAT, error=TrainingError, most=MOST, comment=COMMENT)
    except OSError as error:
        raise TrainingError(
            f"{path}: cannot be read: {error.strerror}; expected {WHAT}, a JSON file"
        ) from None
    if not isinstance(found, dict):
        raise TrainingError(f"{path}: {short(found)}; expected {WHAT}, an object")
    content = _without_comments(found)
    try:
        if any(mark in content for mark in MARKS):
            _refuse_mixture(content)
            return ReadConfig(**vars(read_original(content, searched=searched)))
        return _read_own(content)
    except TrainingError as error:
        raise TrainingError(f"{path}: {error}") from None


def write_config(path: str | Path, config: TrainingConfig) -> Path:
    """Write a configuration as JSON that `read_config` reads back equal; returns the path."""
    return write_json(Path(path), config.content)


def _read_own(content: Mapping[str, Any]) -> ReadConfig:
    """The configuration of a file of our form."""
    foreign = [key for key in content if key in KEYS and key not in OWN]
    if foreign:
        raise TrainingError(
            f"{foreign[0]}: a key of the published models' configurations, which have "
            f"{' and '.join(MARKS)} too; is one lost, or did you mean a key of ours "
            f"({', '.join(OWN[:4])}, ...)?"
        )
    config = read_content(content)
    stated = _paths(content)
    return ReadConfig(
        config, fixed=frozenset(one.path for one in parameters_of(config) if one.path in stated)
    )


def _refuse_mixture(content: Mapping[str, Any]) -> None:
    """Refuse keys of ours in a file of the published models' form."""
    ours = [key for key in content if key in OWN and key not in KEYS]
    if ours:
        marks = " and ".join(mark for mark in MARKS if mark in content)
        raise TrainingError(
            f"{', '.join(ours)} beside {marks}: keys of our form and of the published models' in "
            "one file; expected those of one"
        )
    refuse_unknown(content, KEYS)


def _without_comments(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _without_comments(value) for key, value in content.items() if key != COMMENT}
    return content


def _paths(content: Mapping[str, Any], front: str = "") -> set[str]:
    """Paths of all values within."""
    found: set[str] = set()
    for key, value in content.items():
        found |= _paths(value, f"{front}{key}.") if isinstance(value, Mapping) else {front + key}
    return found
