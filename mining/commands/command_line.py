"""The command line that a command was called by, for what it makes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from mining.diagnosis.privacy import hidden
from pairsets.storage.remote_files import hushed

# What says where a result goes, or what becomes of an older one, and nothing of what is in it.
_PLACES = ("--out", "-o")
_FLAGS = ("--overwrite", "--debug")
_typed: list[str] = []


def remember_command(arguments: Sequence[str]) -> None:
    """Remember what the user typed behind the name of the program."""
    _typed[:] = arguments


def typed_command() -> str:
    """Command line of this program, as a shell takes it; empty where it was called from Python.

    Without where the result goes, so that the same work says the same; and without the home folder,
    the user's name and the passwords of URLs, since pages are sent to others.
    """
    kept: list[str] = []
    arguments = iter(_typed)
    for one in arguments:
        if one in _PLACES:
            next(arguments, None)
        elif one not in _FLAGS and one.partition("=")[0] not in _PLACES:
            kept.append(one)
    return hidden(hushed(shlex.join(["lookalikes", *kept]))) if kept else ""
