"""A hook below Python: what every library of a process asks of the disk (Linux, a C compiler)."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path

SOURCE = Path(__file__).parent / "durability_changes.c"


def compiled(folder: Path) -> Path | None:
    """The library to preload, made in `folder`; None where it cannot be made."""
    made = folder / "changes.so"
    for compiler in (os.environ.get("CC"), "cc", "gcc", "clang"):
        if compiler is None:
            continue
        call = [compiler, "-O1", "-shared", "-fPIC", "-w", "-o", str(made), str(SOURCE), "-ldl"]
        try:
            done = subprocess.run(call, capture_output=True, check=False)
        except FileNotFoundError:
            continue
        if done.returncode == 0:
            return made
    return None


class Preloaded:
    """A hook for a process that was started with the library of `compiled` in LD_PRELOAD."""

    def __init__(self, library: Path) -> None:
        """`library`: the very file that is preloaded."""
        self._arm = ctypes.CDLL(str(library)).durability_arm
        self._arm.argtypes = [ctypes.c_char_p, ctypes.c_long, ctypes.c_int, ctypes.c_char_p]

    def arm(self, root: Path, act: int, at: int, told: Path) -> None:
        """From now on count below `root`, write each into `told`, and do `act` at number `at`."""
        if self._arm(os.fsencode(root), at, act, os.fsencode(told)):
            raise RuntimeError("the changes of the disk cannot be counted")
