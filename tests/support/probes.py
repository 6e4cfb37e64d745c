"""Probes that do what broken libraries do, for the tests of trials."""

from __future__ import annotations

import os
import signal
import sys
import threading


class Panic(BaseException):
    """Panic of a library in Rust."""


def fine() -> dict[str, int]:
    """Answer as asked."""
    return {"answer": 42}


def prints() -> dict[str, bool]:
    """Print to where answers go, too."""
    print("hello")
    os.write(1, b'{"name": "prints", "facts": {}}\n')
    return {"printed": True}


def raises() -> None:
    """Fail as a library without its CUDA."""
    raise ImportError("libcudart.so.99: cannot open\n  shared object file")


def lacks() -> None:
    """Fail as a library that is not there."""
    import nothing_of_this_name.inside  # type: ignore[import-not-found]  # noqa: F401


def panics() -> None:
    """Raise what is no `Exception`."""
    raise Panic("a library in Rust gave up")


def leaves() -> None:
    """Leave by Python's own way."""
    sys.exit(3)


def aborts() -> None:
    """Abort with a word about it."""
    os.write(2, b"first line\nOMP: Error #15: two of them\n")
    os.abort()


def is_for_another_processor() -> None:
    """End as by an instruction that the processor lacks."""
    os.kill(os.getpid(), signal.SIGILL)


def exits() -> None:
    """End without a word."""
    os._exit(9)


def waits() -> None:
    """Wait for what never comes."""
    threading.Event().wait()
