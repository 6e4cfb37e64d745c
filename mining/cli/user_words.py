"""Help in a user's words: what stands for a value, and options that once had another name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args, get_origin

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from mining.cli.option_groups import with_groups

# What stands for a value of a type, where its option says nothing else.
_WORDS: Mapping[object, str] = {Path: "PATH", int: "N", float: "NUMBER", str: "TEXT"}


class _PlainHelp:
    """Commands, and groups of them, whose help names no type of Python's."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, without a type where nothing is typed, or their own word says it."""
        found: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for one in found:
            if isinstance(one, TyperArgument):
                one.display_type_rich = lambda ctx: ""  # type: ignore[method-assign]
            elif one.metavar is None and getattr(one, "is_flag", False):
                one.metavar = ""
        return found


class UserGroup(_PlainHelp, TyperGroup):
    """A command with commands below it."""


class UserCommand(_PlainHelp, TyperCommand):
    """A command that knows older names of its options."""

    old_names: ClassVar[Mapping[str, str]] = {}

    def make_parser(self, ctx: Any) -> Any:
        """The parser of what is typed; an older name is another one of the same option."""
        parser = super().make_parser(ctx)
        for old, new in self.old_names.items():
            parser._long_opt[old] = parser._long_opt[new]
        return parser


def accepting(names: Mapping[str, str]) -> type[UserCommand]:
    """Class of a command that takes options by older names, too, which its help does not show."""
    return type("RenamedCommand", (UserCommand,), {"old_names": names})


def taking_bare(options: Mapping[str, tuple[str, Sequence[str]]]) -> type[UserCommand]:
    """Class of a command with options that may stand without their value.

    Args:
        options: by name, the value that is meant then, and all values that there are.
    """

    class BareCommand(UserCommand):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            """Put in what is meant where a value is left out."""
            whole: list[str] = []
            for at, word in enumerate(args):
                whole.append(word)
                if word in options and args[at + 1 : at + 2] not in [[v] for v in options[word][1]]:
                    whole.append(options[word][0])
            return super().parse_args(ctx, whole)

    return BareCommand


def name_values(program: typer.Typer) -> None:
    """Flatten the groups of options of every command, and give values a user's words."""
    for command in program.registered_commands:
        if command.cls is TyperCommand:
            command.cls = UserCommand
        if command.callback is not None:
            command.callback = with_groups(command.callback)
            for kind, info in map(get_args, command.callback.__annotations__.values()):
                if info.metavar is None:
                    info.metavar = _word(kind)
    for group in program.registered_groups:
        if group.typer_instance is not None:
            name_values(group.typer_instance)


def _word(kind: Any) -> str | None:
    """A word for a value of this type: alternatives as they are typed; nothing for a flag."""
    inner = [one for one in get_args(kind) if one is not type(None)]
    if get_origin(kind) is Literal:
        return "|".join(map(str, inner))
    return _word(inner[0]) if inner else _WORDS.get(kind)
