"""The program: its commands, and how it ends."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer

from mining.cli import user_errors
from mining.cli.user_words import UserGroup
from mining.commands.command_line import remember_command

INTERRUPTED = 130
# As sysexits.h calls an error within a program: neither the user's nor the system's.
DEFECT = 70
DEBUG = "LOOKALIKES_DEBUG"
# Whose versions tell two machines apart; read from their metadata, for to import them takes long.
_TOLD = ("torch", "faiss-cpu", "faiss-gpu", "numpy", "timm", "onnxruntime")

app = typer.Typer(
    name="lookalikes",
    help="Find the pairs of different identities that a model confuses most, and make them a "
    "benchmark.",
    cls=UserGroup,
    no_args_is_help=True,
    context_settings={"help_option_names": ["--help", "-h"]},
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo("\n".join(version_lines()))
        raise typer.Exit


def version_lines() -> list[str]:
    """The version of lookalikes, of Python, and of those packages that are installed, a line each.

    None of them is imported.
    """
    import platform
    from importlib.metadata import PackageNotFoundError, version

    lines = []
    for name in ("lookalikes", *_TOLD):
        try:
            lines.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return [*lines[:1], f"Python {platform.python_version()}", *lines[1:]]


def _set_debug(wanted: bool) -> None:
    if wanted:
        user_errors.shown = True


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Show the versions of lookalikes and of what it computes with, and exit.",
        ),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug",
            callback=_set_debug,
            is_eager=True,
            help="Show where an error came from: the traceback, for reports of defects. "
            f"{DEBUG}=1 does the same.",
        ),
    ] = False,
) -> None:
    """Take the options that come before a command."""


# The name of the program, however it was started.
_run = partial(app, prog_name="lookalikes")


def main(run: Callable[[], Any] = _run) -> None:
    """Entry point: exit status 0, 1 after one clear message, 2 for wrong usage, 130 interrupted.

    70 is that of an error which nobody thought of: its name in one line, the traceback in a file.
    """
    user_errors.shown = os.environ.get(DEBUG, "") not in ("", "0")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal cannot show is no reason to fail after the work.
        sys.stdout.reconfigure(errors="backslashreplace")
    remember_command(sys.argv[1:])
    try:
        run()
    except KeyboardInterrupt:
        _say_interrupted()
    except SystemExit as stop:
        if stop.code != INTERRUPTED:
            raise
        _say_interrupted()
    # Panics of libraries in Rust are no `Exception`.
    except BaseException as error:
        known = isinstance(error, user_errors.mendable()) or user_errors.is_memory(error)
        if user_errors.shown:
            sys.stderr.write("".join(traceback.format_exception(error)))
        said = (
            user_errors.message_of(error) if known else user_errors.report(error, version_lines())
        )
        sys.stderr.write(f"lookalikes: {said}\n")
        sys.exit(1 if known else DEFECT)
    finally:
        remember_command([])


def _say_interrupted() -> None:
    sys.stderr.write(
        "\nInterrupted. Nothing is half-written; the same command goes on with what it kept.\n"
    )
    sys.exit(INTERRUPTED)
