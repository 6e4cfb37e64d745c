"""Paths as they are typed: `.` and `..` get the name of the folder that they stand for."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import typer


def name_paths(program: typer.Typer) -> None:
    """Give every command of a program, and of those below it, paths that have a name.

    Titles and messages call a folder by its path, and files beside another are named after it:
    neither can be done with `.`.
    """
    for command in program.registered_commands:
        if command.callback is not None:
            command.callback = _taking_named_paths(command.callback)
    for group in program.registered_groups:
        if group.typer_instance is not None:
            name_paths(group.typer_instance)


def _taking_named_paths(command: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(command)
    def run(**options: Any) -> Any:
        # Where it is written is left as it is: what `.` may be there, each command says itself.
        return command(
            **{name: value if name == "out" else _named(value) for name, value in options.items()}
        )

    return run


def _named(value: object) -> object:
    if isinstance(value, list):
        return [_named(one) for one in value]
    if not isinstance(value, Path) or value.name not in ("", ".."):
        return value
    found = value.resolve()
    if not found.name:
        raise typer.BadParameter(f"{value}: the root of all files; expected a path below it")
    return found
