"""`import lookalikes` and `python -m lookalikes`: the packages' names in one place, at no cost."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

import lookalikes

PACKAGES = ("indexes", "mining", "pairsets")
HEAVY = ("torch", "faiss", "pandas", "numpy", "matplotlib", "PIL", "timm", "typer")


def test_it_has_each_public_name_of_the_packages_and_no_other():
    offered = {name: package for package in PACKAGES for name in import_module(package).__all__}
    assert sorted(lookalikes.__all__) == sorted([*offered, "__version__"])
    for name, package in offered.items():
        assert getattr(lookalikes, name) is getattr(import_module(package), name)


def test_no_two_packages_offer_one_name():
    """Two things of one name need a name each before the face can show them."""
    names = [name for package in PACKAGES for name in import_module(package).__all__]
    assert sorted(names) == sorted(set(names))


def test_editors_and_types_see_the_names_that_are_there():
    """Those imported for types alone are those that are found when it runs, and so is the list."""
    source = ast.parse(Path(str(lookalikes.__file__)).read_text("utf-8"))
    seen = {
        alias.name: node.module
        for block in source.body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == {
        name: package for package in PACKAGES for name in import_module(package).__all__
    }
    assert dir(lookalikes) == sorted(lookalikes.__all__)


def test_version():
    assert lookalikes.__version__ == version("lookalikes")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'lookalikes' has no attribute 'mine'"):
        lookalikes.mine  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'mine'"):
        from lookalikes import mine  # noqa: F401


def test_importing_it_loads_nothing_and_the_program_starts_from_it():
    code = f"import sys, lookalikes; print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    run = {"capture_output": True, "text": True, "check": False}
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], **run)
    assert (done.stdout, done.stderr) == ("[]\n", "")
    done = subprocess.run([sys.executable, "-m", "lookalikes", "mine", "--bogus"], **run)
    assert done.returncode == 2
    assert "Usage: lookalikes mine [OPTIONS]" in done.stderr
