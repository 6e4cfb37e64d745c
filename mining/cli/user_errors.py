"""Errors in one message that a user can act on. Nothing heavy is imported."""

from __future__ import annotations

import errno
import shlex
import sys
import tempfile
import traceback
from collections.abc import Sequence

_FULL = "; nothing half-written is left: make room, then run the same command again"
# Characters of the message of an error that nobody thought of.
_LONGEST = 200
_HINTS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EACCES: "; may you read and write there?",
    errno.EROFS: "; choose another --out",
}


# Whether tracebacks are shown on the terminal.
shown = False


def mendable() -> tuple[type[Exception], ...]:
    """Errors that a user can mend: shown as one message, without a traceback."""
    from indexes import IndexesError
    from mining.errors import MiningError
    from pairsets import PairsetsError

    return PairsetsError, MiningError, IndexesError, OSError, MemoryError


def is_memory(error: BaseException) -> bool:
    """Whether there was too little memory, which torch says with an error of its own."""
    if isinstance(error, MemoryError):
        return True
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return "OutOfMemoryError" in kinds or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def message_of(error: BaseException) -> str:
    """The message of one of `mendable`, or of too little memory."""
    if is_memory(error):
        return "out of memory; a smaller --batch-size needs less, and so do fewer --pairs"
    from pairsets.storage.mirrors import told

    if isinstance(error, OSError) and error.strerror:
        file = f"{error.filename}: " if error.filename else ""
        return told(f"{file}{error.strerror}{_HINTS.get(error.errno or 0, '')}")
    return told(error)


def report(error: BaseException, versions: Sequence[str]) -> str:
    """One line on an error that nobody thought of; its traceback goes into a file, or was shown.

    Args:
        error: of any kind.
        versions: a line each, for the file.
    """
    from pairsets.storage.remote_files import hushed
    from pairsets.storage.remote_files import shown as shown_url

    try:
        text = hushed(" ".join(str(error).split()))
    except Exception:  # of an error that cannot even be shown
        text = ""
    what = f"{type(error).__name__}: {text[:_LONGEST]}".removesuffix(": ")
    begin = f"an error within lookalikes itself, which should not happen: {what}. Please report it"
    if shown:
        return f"{begin} with the lines above"
    trace = "".join(traceback.format_exception(error))
    try:
        # Users, passwords and queries of URLs are nobody's to be sent.
        typed = shlex.join(shown_url(one) if "://" in one else one for one in sys.argv)
        kept = _keep("\n".join([*versions, typed, "", hushed(trace)]))
    except OSError:
        sys.stderr.write(hushed(trace))
        return f"{begin} with the lines above"
    return (
        f"{begin} with {kept}, which says where it came from (it holds the command and paths of "
        "yours); lookalikes --debug shows it here"
    )


def _keep(text: str) -> str:
    """Write a file that only this user can read; its path."""
    handle, path = tempfile.mkstemp(prefix="lookalikes-", suffix=".txt")
    with open(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:  # noqa: PTH123
        stream.write(text)
    return path
