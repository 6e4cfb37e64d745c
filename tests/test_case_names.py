"""Two workers that collect the suite must find the same cases, under names that can be read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from support.case_names import fault_of

TESTS = Path(__file__).parent
# Collects as a worker does that was started some hours later.
COLLECT = """
import json, sys, time
from pathlib import Path
import pytest

_, tests, names, ahead = sys.argv
for clock, second in (("time", 1), ("time_ns", 10**9)):
    setattr(time, clock, lambda now=getattr(time, clock), by=int(ahead) * second: now() + by)


class Names:
    def pytest_collection_finish(self, session):
        Path(names).write_text(json.dumps([item.nodeid for item in session.items]))


options = ["--collect-only", "-qq", "-p", "no:cacheprovider", "-p", "no:xdist"]
sys.exit(pytest.main([tests, *options], plugins=[Names()]))
"""


def collected(file: Path, *, ahead: int, seed: int) -> list[str]:
    """Names of all cases, as another process finds them."""
    apart = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, "-c", COLLECT, str(TESTS), str(file), str(ahead)],
        cwd=TESTS.parent,
        env={**apart, "PYTHONHASHSEED": str(seed)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    names: list[str] = json.loads(file.read_text())
    return names


def test_every_process_finds_the_same_cases(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Here, and under another clock and hash seed."""
    there = collected(tmp_path / "there.json", ahead=10_000, seed=1)
    here = [item.nodeid for item in request.session.items if item.path.is_relative_to(TESTS)]
    if len(here) < len(there) / 2:  # only some files are run: a second process stands in
        here = collected(tmp_path / "here.json", ahead=0, seed=2)
    wanted = set(here)
    assert [name for name in there if name in wanted] == here
    faults = {name: fault for name in there if (fault := fault_of(name))}
    assert not faults, "give these a short name, as pytest.param(..., id=) does"


def test_no_property_has_a_time_limit(request: pytest.FixtureRequest) -> None:
    """Neither in its examples nor in making them: a busy machine is no fault of the code."""
    found = [settings.default]
    for item in request.session.items:
        test = getattr(item, "obj", None)
        found.extend(
            case for case in (getattr(test, "_hypothesis_internal_use_settings", None),) if case
        )
    assert all(one.deadline is None for one in found)
    assert all(HealthCheck.too_slow in one.suppress_health_check for one in found)
