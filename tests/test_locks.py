"""What is installed: every package pinned, with hashes, within the bounds of the project."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.command_line import HANGS

ROOT = Path(__file__).parent.parent
MAIN, BUILD, CUDA = (ROOT / f"requirements{kind}.lock" for kind in ("", ".build", ".cuda"))
AUDIT = ROOT / ".ci" / "audit.py"


def pinned(path: Path) -> dict[str, Requirement]:
    """The packages of a lock file; each has to be pinned, and followed by hashes alone."""
    text = "".join(line for line in path.read_text("utf-8").splitlines(True) if line[0] != "#")
    found = {}
    for line in text.replace("\\\n", " ").splitlines():
        named, *hashes = re.split(r"\s+--hash=", line.strip())
        one = Requirement(named)
        assert re.fullmatch(r"==[\w.]+", str(one.specifier)), line[:80]
        assert hashes, line[:80]
        assert len(hashes) == len({*hashes}), line[:80]
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", value) for value in hashes), line[:80]
        assert found.setdefault(canonicalize_name(one.name), one) is one, f"{one.name} twice"
    return found


def project() -> tuple[list[Requirement], list[Requirement]]:
    """What the project needs, but for the GPU's FAISS; and what builds it."""
    content = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = content["project"]["optional-dependencies"]
    needed = content["project"]["dependencies"] + [
        line for name, lines in extras.items() if name != "gpu" for line in lines
    ]
    build = content["build-system"]["requires"]
    return [*map(Requirement, needed)], [*map(Requirement, build)]


def test_every_pin_is_within_the_bounds_of_the_project() -> None:
    needed, build = project()
    for wanted, lock in ((needed, pinned(MAIN)), (build, pinned(BUILD))):
        assert len(wanted) >= 1
        for one in wanted:
            (pin,) = lock[canonicalize_name(one.name)].specifier
            assert one.specifier.contains(pin.version), f"{one} is pinned to {pin.version}"


def test_lower_bounds_are_told_of_all_that_is_needed() -> None:
    for one in (*project()[0], *project()[1]):
        assert {said.operator for said in one.specifier} & {">=", "=="}, str(one)


def test_lock_files_agree() -> None:
    main, build, cuda = map(pinned, (MAIN, BUILD, CUDA))
    for name in main.keys() & build.keys():
        assert str(main[name].specifier) == str(build[name].specifier)
    assert not main.keys() & cuda.keys()
    assert {"torch", "torchvision", "setuptools"} <= main.keys()
    assert {"setuptools", "hatchling", "editables"} <= build.keys()
    assert all("linux" in str(one.marker) for one in cuda.values())


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ("raise SystemExit('no route')", 2, "Not audited: .*no route"),
        ("print('{}')", 2, "Not audited: "),
        ("print(dump([one]))", 0, "1 packages, no known flaw"),
        (
            "print(dump([one | {'skip_reason': 'unknown'}]))",
            2,
            "nothing could be found out.* pillow",
        ),
        (
            "print(dump([one | {'vulns': [{'id': 'F-1', 'fix_versions': ['2']}]}])); sys.exit(1)",
            1,
            "pillow 1: F-1 , mended in 2",
        ),
    ],
)
def test_audit_is_clean_only_where_somebody_answered(
    tmp_path: Path, body: str, status: int, told: str
) -> None:
    (tmp_path / "pip_audit.py").write_text(
        "import json, sys\n"
        "dump = lambda ones: json.dumps({'dependencies': ones})\n"
        "one = {'name': 'pillow', 'version': '1', 'vulns': []}\n"
        f"{body}\n"
    )
    done = subprocess.run(
        [sys.executable, AUDIT, MAIN],
        capture_output=True,
        text=True,
        timeout=HANGS,
        env={"PYTHONPATH": str(tmp_path)},
        check=False,
    )
    assert (done.returncode, done.stderr) == (status, "")
    assert re.search(told, done.stdout), done.stdout
