"""A kill before every change of the disk, two commands in one folder, a full disk: a few commands.

`benchmarks/durability.py` does the same with all of them, and sees what libraries do to the disk.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="it forks")
CHEAP = (
    *("random", "mine --overwrite", "convert csv to csv", "evaluate --overwrite"),
    *("submit --overwrite", "select"),
)
PAIRS = (
    *("mine | other settings --overwrite", "random | mine --overwrite"),
    *("submit | other settings", "select | other settings"),
)


def checked(part: str, names: tuple[str, ...], folder: Path) -> dict[str, int]:
    """What was counted, after checking that nothing was wrong."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("crash_cases.py")), part, folder, *names],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert not found["failures"], "\n".join(
        f"{one['case']}, {one['disturbed']}: {one['wrong']}" for one in found["failures"]
    )
    return found["counts"]


def test_killed_before_any_change_a_command_ends_the_same_when_run_again(tmp_path: Path) -> None:
    counts = checked("kills", CHEAP, tmp_path)
    assert counts["kills"] >= 60
    assert "ended before its kill" not in counts


def test_two_commands_in_one_folder_are_as_one_after_the_other(tmp_path: Path) -> None:
    counts = checked("together", PAIRS, tmp_path)
    assert counts["paused"] >= 8
    assert "waited" not in counts


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    assert checked("disk", CHEAP[:5], tmp_path)["full disks"] >= 25
