"""A kill before every change of the disk, two commands in one folder, a full disk: a few commands.

`benchmarks/durability.py` does the same with all of them, and sees what libraries do to the disk.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="it forks")


def found_by(folder: Path, *checks: str) -> dict[str, Any]:
    """What checks count, after checking that nothing was wrong."""
    program = Path(__file__).with_name("crash_cases.py")
    done = subprocess.run(
        [sys.executable, str(program), str(folder), *checks],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    wrong = [one for check in checks for one in found[check]["failures"]]
    assert not wrong, "\n".join(
        f"{one['case']}, {one['disturbed']}: {one['kind']}: {one['wrong']}" for one in wrong
    )
    return {check: found[check]["counts"] for check in checks}


def test_killed_before_any_change_a_command_ends_the_same_when_run_again(tmp_path: Path) -> None:
    cases = ("mine --overwrite", "convert to jsonl", "select")
    for check, counts in found_by(tmp_path, *(f"kills/{case}" for case in cases)).items():
        assert counts["kills"] >= 10, check
        assert "ended before its kill" not in counts, check


def test_two_commands_or_a_full_disk_leave_one_whole_result(tmp_path: Path) -> None:
    pairs = ("mine | other settings --overwrite", "random | mine")
    full = ("submit --overwrite",)
    checks = [*(f"together/{pair}" for pair in pairs), *(f"disk/{case}" for case in full)]
    found = found_by(tmp_path, *checks)
    for check in checks[:2]:
        assert found[check]["paused"] >= 3, check
        assert "waited" not in found[check], check
    for check in checks[2:]:
        assert found[check]["full disks"] >= 6, check
