"""Packages by their metadata: what lacks, what is too old, what is there twice."""

from __future__ import annotations

import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from mining.diagnosis.packages import Packages, Requirement

ROOT = Path(__file__).parents[3]


def packages(*lines, own="0.1.0", names=()):
    return Packages(own, [Requirement.parse(line) for line in lines], frozenset(names))


def told(found):
    return [(one.what, one.remedy, one.broken) for one in found.findings()]


def test_requirements_are_those_of_the_project():
    """Extras and limits are read from the installation, which is made of `pyproject.toml`."""
    written = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    found = Packages.here()
    assert {one.name for one in found.extras} == {*written["optional-dependencies"]} - {
        "dev",
        "docs",
    }
    assert {one.name for one in found.core} == {
        Requirement.parse(line).name for line in written["dependencies"]
    }
    assert found.versions["numpy"] == version("numpy")
    assert found.findings() == []


@pytest.mark.parametrize(
    ("line", "name", "limits", "extra"),
    [
        ("numpy>=2.0", "numpy", ">=2.0", ""),
        ("ray[default] (>=2.60) ; extra == 'cluster'", "ray", ">=2.60", "cluster"),
        ('optuna<6,>=5.0; extra == "train"', "optuna", "<6,>=5.0", "train"),
        ("pandas", "pandas", "", ""),
    ],
)
def test_a_line_of_metadata(line, name, limits, extra):
    assert Requirement.parse(line) == Requirement(name, limits, extra)


def test_what_lacks_is_named_with_its_command():
    assert told(packages("no-such-package>=2.0")) == [
        ("no-such-package is not installed", "pip install 'no-such-package>=2.0'", True)
    ]


def test_what_is_too_old_is_broken_and_of_an_extra_a_note():
    mine = version("numpy")
    found = packages("numpy>=99", "numpy<1; extra == 'old'", "numpy>=99; extra == 'half'",
                     "no-such-package; extra == 'half'")  # fmt: skip
    assert told(found) == [
        (
            f"numpy {mine} is not of the versions that lookalikes needs, >=99",
            "pip install 'numpy>=99'",
            True,
        ),
        (
            f"numpy {mine} is not of the versions that the extra old needs, <1",
            "pip install 'numpy<1'",
            False,
        ),
    ]


@pytest.mark.parametrize("other", ["faiss-gpu", "faiss-gpu-cu12", "faiss"])
def test_two_packages_of_faiss_are_a_fault(other):
    ((what, remedy, broken),) = told(packages(names=["faiss-cpu", other, "numpy"]))
    assert "are both installed, and both own the module faiss" in what
    assert {other, "faiss-cpu"} <= {*what.split()}
    assert remedy.startswith(f"pip uninstall {' '.join(sorted(['faiss-cpu', other]))}; ")
    assert broken


def test_one_of_them_is_none():
    assert told(packages(names=["faiss-cpu", "faiss-stubs", "onnxruntime"])) == []


def test_from_its_source_nothing_is_known_and_that_is_said():
    ((what, remedy, broken),) = told(packages(own=None))
    assert "not installed" in what
    assert remedy.endswith("pip install -e '.[cpu]'")
    assert not broken
