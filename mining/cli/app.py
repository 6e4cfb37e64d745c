"""The program: its commands, and how it ends."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any

import typer

from mining.failures import message_of, user_errors

INTERRUPTED = 130

app = typer.Typer(
    name="lookalikes",
    help="Find the pairs of different identities that a model confuses most, and make them a "
    "benchmark.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def main(run: Callable[[], Any] = app) -> None:
    """Entry point: exit status 0, 1 after one clear message, 2 for wrong usage, 130 interrupted."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal cannot show is no reason to fail after the work.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        run()
    except KeyboardInterrupt:
        _say_interrupted()
    except SystemExit as stop:
        if stop.code != INTERRUPTED:
            raise
        _say_interrupted()
    except Exception as error:
        if not isinstance(error, user_errors()):
            raise
        sys.stderr.write(f"lookalikes: {message_of(error)}\n")
        sys.exit(1)


def _say_interrupted() -> None:
    sys.stderr.write(
        "\nInterrupted. Nothing is half-written; the same command goes on with what it kept.\n"
    )
    sys.exit(INTERRUPTED)
