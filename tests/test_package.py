"""What a user installs: the wheel's contents, its metadata, and the names of the public face."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from email.message import Message
from email.parser import Parser
from importlib import import_module
from pathlib import Path

import pytest
from support.command_line import HANGS

ROOT = Path(__file__).parent.parent
PACKAGES = ("indexes", "mining", "pairsets")
FACE = "lookalikes.py"
PUBLIC = {
    "indexes": [
        "AllPairs",
        "ApproximateIndex",
        "BottomPairs",
        "FlatIndex",
        "Index",
        "IndexesError",
        "LabelledPairs",
        "Neighbours",
        "PairsBetween",
        "TopPairs",
        "TwoSets",
        "pair_scores",
        "top_pairs",
    ],
    "mining": [
        "Embeddings",
        "Rules",
        "ScoreSources",
        "TrainingConfig",
        "adversarial_pairs",
        "audit",
        "build",
        "choose_threshold",
        "compare_models",
        "embed",
        "explain",
        "identify",
        "load_model",
        "mine_negatives",
        "mine_positives",
        "mine_together",
        "score_pairs",
        "take_census",
        "train",
    ],
    "pairsets": [
        "ByLevel",
        "ByList",
        "ByPattern",
        "Census",
        "CensusComparison",
        "Comparison",
        "Evaluation",
        "Exclusions",
        "Faces",
        "FacesError",
        "Hubness",
        "HumanRates",
        "Identification",
        "IdentificationComparison",
        "IdentificationTargets",
        "Interval",
        "IntervalOptions",
        "Leaderboard",
        "PairSet",
        "PairSetError",
        "PairsetsError",
        "Rate",
        "ScoresError",
        "Threshold",
        "compare",
        "compare_census",
        "evaluate",
        "human_rates",
        "random_pairs",
        "read_ignore_list",
    ],
}
# Folders of one machine that would tell where a file was made. Joined here, so that this file
# does not hold what it looks for.
MACHINE = re.compile(
    rb"(?<![\w.~$}>-])/(?:" + rb"|".join([b"work", b"root", b"home", b"tmp", b"Users"]) + rb")/\w"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        capture_output=True,
        text=True,
        timeout=HANGS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    assert built.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(built) as archive:
        yield archive


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return Parser().parsestr(wheel.read(name).decode())


def project_files() -> list[str]:
    """Files that are committed, or would be by `git add .`."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(name for name in done.stdout.split("\0") if (ROOT / name).is_file())


def test_wheel_holds_the_three_packages_their_face_and_nothing_else(
    wheel: zipfile.ZipFile,
) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    (info,) = tops - {*PACKAGES, FACE}
    assert re.fullmatch(r"lookalikes-[\d.]+\.dist-info", info)
    assert {*PACKAGES, FACE} < tops
    assert wheel.read(FACE) == (ROOT / FACE).read_bytes()


def test_wheel_holds_each_file_of_the_packages(wheel: zipfile.ZipFile) -> None:
    """No file is lost (templates, styles, scripts, `py.typed`), and none is left lying about."""
    packed = {name for name in wheel.namelist() if name.partition("/")[0] in PACKAGES}
    assert packed == {name for name in project_files() if name.partition("/")[0] in PACKAGES}
    assert {f"{package}/py.typed" for package in PACKAGES} < packed
    assets = ("report.html.jinja", "page.css", "page.js")
    assert {f"pairsets/report/assets/{name}" for name in assets} < packed
    assert not [name for name in packed if "__pycache__" in name or name.endswith((".pyc", "~"))]


def test_metadata_has_extras_licence_and_readme(metadata: Message) -> None:
    assert metadata["Name"] == "lookalikes"
    assert metadata["License-Expression"] == "MIT"
    assert {"cpu", "gpu", "onnx", "sample"} <= set(metadata.get_all("Provides-Extra", []))
    required = metadata.get_all("Requires-Dist", [])
    for extra, package in (("cpu", "faiss-cpu"), ("gpu", "faiss-gpu"), ("onnx", "onnxruntime")):
        (line,) = (line for line in required if re.match(rf"{package}\b", line))
        assert re.search(rf"extra == ['\"]{extra}['\"]", line), line
    assert metadata.get_payload() == (ROOT / "README.md").read_text("utf-8")


def test_entry_point_is_the_command_line(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    points = ConfigParser()
    points.read_string(wheel.read(name).decode())
    assert dict(points["console_scripts"]) == {"lookalikes": "mining.cli:main"}
    assert callable(import_module("mining.cli").main)


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names(package: str) -> None:
    module = import_module(package)
    assert module.__all__ == PUBLIC[package]
    for name in module.__all__:
        assert getattr(module, name).__doc__, name
        assert getattr(module, name).__module__.partition(".")[0] == package


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'mining' has no attribute 'mine'"):
        import_module("mining").mine  # noqa: B018


def test_no_file_names_a_folder_of_one_machine() -> None:
    found = []
    for name in project_files():
        content = (ROOT / name).read_bytes()
        if b"\0" in content[:8192]:
            continue
        for number, line in enumerate(content.splitlines(), 1):
            if MACHINE.search(line):
                found.append(f"{name}:{number}: {line.strip()[:100]!r}")
    assert not found


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"path = '%swork/main'", True),
        (b'"%shome/anna/faces"', True),
        (b"file://%stmp/x", True),
        (b"https://host%shome/page", False),
        (b"$HOME%swork/x", False),
        (b"a%stmp/b", False),
    ],
)
def test_what_counts_as_a_folder_of_one_machine(line: bytes, told: bool) -> None:
    assert bool(MACHINE.search(line % b"/")) is told
