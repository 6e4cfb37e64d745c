"""Paths as they are typed: `.` gets the name of its folder, and a URL a place of this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from pairsets.storage.remote_files import is_remote

if TYPE_CHECKING:
    from pairsets.storage.remote_arguments import Roles

# Commands that take URLs.
_REMOTE = frozenset(
    {"build", "compare", "embed", "evaluate", "explain", "export_scores", "mine", "neighbours"}
    | {"power", "random", "show", "suspects"}
)


def name_paths(program: typer.Typer) -> None:
    """Give every command of a program, and of those below it, paths of this machine with a name.

    Titles and messages call a folder by its path, and files beside another are named after it:
    neither can be done with `.`.
    """
    for command in program.registered_commands:
        if command.callback is not None:
            command.callback = _taking_named_paths(command.callback, command.name)
    for group in program.registered_groups:
        if group.typer_instance is not None:
            name_paths(group.typer_instance)


def _taking_named_paths(command: Callable[..., Any], name: str | None) -> Callable[..., Any]:
    @wraps(command)
    def run(**options: Any) -> Any:
        # Where it is written is left as it is: what `.` may be there, each command says itself.
        named = {name: value if name == "out" else _named(value) for name, value in options.items()}
        if not any(isinstance(value, str | Path | list) for value in named.values()):
            return command(**named)  # nothing is imported for a command that takes no paths
        from pairsets.storage.remote_arguments import any_remote, staged

        if not any_remote(named):
            return command(**named)
        if command.__name__ not in _REMOTE:
            raise typer.BadParameter(
                f"{name or command.__name__.replace('_', '-')} takes files of this machine alone, "
                "no URL; fetch them first"
            )
        _refuse_unwritten(command.__name__, named)
        with staged(named, _roles(command.__name__)) as local:
            return command(**local)

    return run


def _roles(command: str) -> Roles:
    """Roles of the URLs that a command is given."""
    from pairsets.storage.remote_arguments import Roles

    roles = Roles()
    if command != "neighbours":
        return roles
    # What other commands read is written here.
    return replace(roles, refused={**roles.refused, "scores": "--out-scores"})


def _refuse_unwritten(command: str, options: dict[str, Any]) -> None:
    """Refuse to write beside a file that is only a copy here."""
    if command == "suspects" and options["out"] is None and is_remote(options["pairs"]):
        raise typer.BadParameter("PAIRS is a URL; name with --out where the suspects go")


def _named(value: object) -> object:
    if isinstance(value, list):
        return [_named(one) for one in value]
    if not isinstance(value, Path) or value.name not in ("", ".."):
        return value
    found = value.resolve()
    if not found.name:
        raise typer.BadParameter(f"{value}: the root of all files; expected a path below it")
    return found
