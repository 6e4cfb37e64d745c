"""`--json`: one document on standard output in place of tables, in one way for every command.

Each `print_X` of `mining.cli.summary` and its like says by `or_json` what its document holds. What
else is printed meanwhile, by libraries too, goes to standard error.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from contextvars import ContextVar
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from inspect import Parameter, signature
from json import dumps
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

SCHEMA = 1
Made = TypeVar("Made")
# Commands that print no result: one that serves a page until it is stopped.
WITHOUT = frozenset({"review judge"})
_Flag = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document, numbers unrounded, in place of tables."),
]


@dataclass
class _Held:
    """The document of a command under way; None until there is one."""

    content: dict[str, object] | None = None


_asked: ContextVar[_Held | None] = ContextVar("asked", default=None)


def or_json(
    content: Callable[[Made], Mapping[str, object]],
) -> Callable[[Callable[[Made], None]], Callable[[Made], None]]:
    """Decorator of a function that prints a result: with `--json` it gives a document instead.

    Args:
        content: makes the document's own part of the result; numbers, texts, paths, dataclasses,
            arrays, lists and mappings of them.
    """

    def decorate(show: Callable[[Made], None]) -> Callable[[Made], None]:
        @wraps(show)
        def run(made: Made) -> None:
            held = _asked.get()
            if held is None:
                show(made)
            else:
                held.content = {**content(made)}

        run.document = content  # type: ignore[attr-defined]
        return run

    return decorate


def offer_json(program: typer.Typer, path: str = "") -> None:
    """Give every command of a program, and of those below it, the option `--json`."""
    for command in program.registered_commands:
        if command.callback is None:
            continue
        name = command.name or str(getattr(command.callback, "__name__", "")).replace("_", "-")
        if f"{path}{name}" not in WITHOUT:
            command.callback = _offering(command.callback, f"{path}{name}")
    for group in program.registered_groups:
        if group.typer_instance is not None:
            offer_json(group.typer_instance, f"{path}{group.name} ")


def _offering(command: Callable[..., Any], name: str) -> Callable[..., Any]:
    @wraps(command)
    def run(*, json: bool = False, **options: Any) -> Any:
        if not json:
            return command(**options)
        held, stopped = _Held(), None
        token = _asked.set(held)
        try:
            with _standard_output_apart():
                command(**options)
        except typer.Exit as stop:  # something was found, which is told all the same
            stopped = stop
        finally:
            _asked.reset(token)
        # Nothing, where another process of a training tells it.
        if held.content is not None:
            _print(name, held.content)
        if stopped is not None:
            raise stopped
        return None

    given = signature(command)
    flag = Parameter("json", Parameter.KEYWORD_ONLY, default=False, annotation=_Flag)
    parameters = [*given.parameters.values(), flag]
    run.__signature__ = given.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {**command.__annotations__, "json": _Flag}
    return run


def _print(name: str, content: Mapping[str, object]) -> None:
    """Print a document; what a user should know is told on standard error, too."""
    from pairsets.storage.json_files import json_text

    whole = {"schema": SCHEMA, "command": name, **content}
    document = plain(whole)
    assert isinstance(document, dict)
    for warning in document.get("warnings", ()):
        sys.stderr.write(f"lookalikes: note: {warning}\n")
    text = json_text(document)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # the stream would put escapes of Python's in, which are no JSON
        text = dumps(document, indent=2) + "\n"
    sys.stdout.write(text)
    sys.stdout.flush()


def plain(value: object) -> object:
    """A value as JSON has it: paths and URLs as text, what is no finite number as null.

    Raises:
        TypeError: a value of a kind that no document holds.

    >>> plain({"a": float("nan"), "b": (1, Path("x/y"))})
    {'a': None, 'b': [1, 'x/y']}
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str | Path):
        text = value.as_posix() if isinstance(value, Path) else value
        # Where nobody imported it, no place stands for a URL.
        mirrors = sys.modules.get("pairsets.storage.mirrors")
        return text if mirrors is None else mirrors.told(text)
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if hasattr(value, "tolist"):  # NumPy's arrays and numbers
        return plain(value.tolist())
    raise TypeError(f"{type(value).__name__}: no value of a JSON document")


@contextmanager
def _standard_output_apart() -> Iterator[None]:
    """Send to standard error what is printed, by code in C and by processes that are started."""
    sys.stdout.flush()
    with ExitStack() as stack:
        with suppress(OSError, ValueError):  # a stream in memory has no number
            out, error = sys.stdout.fileno(), sys.stderr.fileno()
            kept = os.dup(out)
            stack.callback(os.close, kept)
            os.dup2(error, out)
            stack.callback(os.dup2, kept, out)
        stack.enter_context(redirect_stdout(sys.stderr))
        yield
