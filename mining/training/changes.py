"""Configuration that a preset, a file and single options make together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from mining.errors import TrainingError
from mining.training.config_files import read_config
from mining.training.configuration import LossSettings, TrainingConfig
from mining.training.network import TrunkSource
from mining.training.presets import preset

# An epoch of those who ask for no other: a pass over the pictures, within these.
_LEAST, _MOST = 1024, 100_000


@dataclass(frozen=True)
class ConfigChoice:
    """Choice of a configuration: a preset or a file, a trunk, and single values.

    Attributes:
        preset: name of one; None for none.
        file: of a configuration; None for none.
        trunk: network to begin with, with its weights behind an `@`; None for the
            configuration's, with the library's weights.
        scratch: begin with random weights.
        changes: values by name, of inner settings with a dot (`optimizer.lr`); None is no change.

    Raises:
        TrainingError: a preset and a file.
    """

    preset: str | None = None
    file: Path | None = None
    trunk: str | None = None
    scratch: bool = False
    changes: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.preset is not None and self.file is not None:
            raise TrainingError("--preset and --config: give one of them")

    def resolve(self, pictures: int) -> ResolvedConfig:
        """The configuration, the network it begins with, and notes for the user.

        Args:
            pictures: number of them, which an epoch is a pass over where nothing says otherwise.

        Raises:
            TrainingError: a value out of range; a trunk that is none.
        """
        notes: tuple[str, ...] = ()
        config = TrainingConfig()
        if self.preset is not None:
            found = preset(self.preset)
            config, notes = found.config, tuple(found.differences)
        elif self.file is not None:
            read = read_config(self.file)
            config, notes = read.config, tuple(read.notes)
        config = changed(config, self.changes)
        stated = self.preset or self.file or self.changes.get("images_per_epoch")
        if not stated:
            least = max(_LEAST, config.batch_size)
            config = replace(config, images_per_epoch=min(_MOST, max(least, pictures)))
        source = TrunkSource.parse(self.trunk or config.trunk, scratch=self.scratch)
        if self.preset is not None and source.architecture != config.trunk:
            notes = (
                f"The preset's trunk is {config.trunk}; this one is {source.architecture}.",
                *notes,
            )
        return ResolvedConfig(replace(config, trunk=source.architecture), source, notes)


@dataclass(frozen=True)
class ResolvedConfig:
    """Configuration with the network that it begins with, and notes for the user."""

    config: TrainingConfig
    source: TrunkSource
    notes: tuple[str, ...]


def changed(config: TrainingConfig, changes: Mapping[str, object]) -> TrainingConfig:
    """A configuration with other values.

    Options of a loss go when another one is taken.

    Args:
        config: to change.
        changes: values by name, of inner settings with a dot; None is no change.

    Raises:
        TrainingError: a value out of range.

    >>> changed(TrainingConfig(), {"dim": 64, "optimizer.lr": 0.01}).optimizer.lr
    0.01
    """
    wanted = {name: value for name, value in changes.items() if value is not None}
    other = wanted.get("loss.name")
    if other is not None and other != config.loss.name:
        config = replace(config, loss=replace(config.loss, name=_loss(other), options={}))
    outer: dict[str, Any] = {}
    for one in fields(config):
        value = getattr(config, one.name)
        if is_dataclass(value) and not isinstance(value, type):
            prefix = f"{one.name}."
            inner: dict[str, Any] = {
                key.removeprefix(prefix): given
                for key, given in wanted.items()
                if key.startswith(prefix)
            }
            if inner:
                outer[one.name] = replace(value, **inner)
        elif one.name in wanted:
            outer[one.name] = wanted[one.name]
    return replace(config, **outer)


def _loss(name: object) -> Any:
    return LossSettings(name).name  # type: ignore[arg-type]
