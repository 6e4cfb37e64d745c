"""Groups of options: each field is an option, and the command gets the group."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from mining.cli.option_groups import with_groups


@dataclass(frozen=True)
class Cups:
    tea: Annotated[int, typer.Option("--cups-of-tea", min=0, help="How many.")] = 1
    milk: Annotated[list[Path] | None, typer.Option("--milk")] = None


def program(default: Cups, seen: list[object]) -> typer.Typer:
    app = typer.Typer()

    @app.command()
    @with_groups
    def serve(
        guest: Annotated[str, typer.Argument()],
        cups: Cups = default,
        sugar: Annotated[bool, typer.Option("--sugar")] = False,
    ) -> None:
        """Serve tea."""
        seen.extend([guest, cups, sugar])

    return app


def test_fields_are_options_and_the_command_gets_the_group() -> None:
    seen: list[object] = []
    text = ["Rei", "--cups-of-tea", "3", "--sugar", "--milk", "a", "--milk", "b"]
    assert CliRunner().invoke(program(Cups(), seen), text).exit_code == 0
    assert seen == ["Rei", Cups(3, [Path("a"), Path("b")]), True]


def test_a_command_may_have_defaults_of_its_own() -> None:
    seen: list[object] = []
    assert CliRunner().invoke(program(Cups(tea=7), seen), ["Rei"]).exit_code == 0
    assert seen == ["Rei", Cups(7), False]


def test_what_typer_checks_of_an_option_is_checked() -> None:
    result = CliRunner().invoke(program(Cups(), []), ["Rei", "--cups-of-tea", "-1"])
    assert result.exit_code == 2
    assert "--cups-of-tea" in result.output


def test_the_help_says_what_the_command_and_its_options_say() -> None:
    text = CliRunner().invoke(program(Cups(), []), ["--help"]).output
    assert "Serve tea." in text
    assert "How many." in text


def test_a_group_without_its_values_and_two_options_of_one_name_are_refused() -> None:
    def without(cups: Cups) -> None: ...

    def twice(tea: int = 1, cups: Cups = Cups()) -> None: ...

    with pytest.raises(TypeError, match="no default"):
        with_groups(without)
    with pytest.raises(TypeError, match="tea twice"):
        with_groups(twice)
