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
TESTS = Path(__file__).parent


def test_a_kill_another_command_or_a_full_disk_leaves_one_whole_result(tmp_path: Path) -> None:
    kills = ("kills/export-scores --overwrite", "kills/convert to jsonl")
    full, together = "disk/mine --overwrite", "together/random | mine"
    done = subprocess.run(
        [sys.executable, "-m", "support.crash_cases", str(tmp_path), *kills, full, together],
        cwd=TESTS.parent,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    wrong = [one for check in found.values() for one in check["failures"]]
    assert not wrong, "\n".join(
        f"{one['case']}, {one['disturbed']}: {one['kind']}: {one['wrong']}" for one in wrong
    )
    counts = {check: of["counts"] for check, of in found.items()}
    for check in kills:
        assert counts[check]["kills"] >= 10
        assert "ended before its kill" not in counts[check]
    assert counts[full]["full disks"] >= 6
    assert counts[together]["paused"] >= 3
    assert "waited" not in counts[together]
