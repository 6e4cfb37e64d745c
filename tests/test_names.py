"""Rules of the house that a file's name or a function's size can break."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from mining.cli import app as program

ROOT = Path(__file__).parent.parent
FILES = [
    path
    for package in ("mining", "pairsets", "indexes")
    for path in sorted((ROOT / package).rglob("*.py"))
]
# A ranking is a thing; so are what commands are called as a user types them.
NO_NOUN = re.compile(r"(?!.*ranking$|assembly$)(.*ing|.*ly|[a-z]+ed|how|together|what)")
LONGEST, MOST_PARAMETERS = 90, 12
# It tells the stages of a benchmark in their order.
STORY = {"mining/commands/build.py build": 130}


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    return [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize(
    ("name", "breaks"),
    [
        ("wording", True),
        ("compressed", True),
        ("together", True),
        ("model_ranking", False),
        ("fused_negatives", False),
        ("embeddings", False),
        ("assembly", False),
    ],
)
def test_a_name_that_is_no_noun_is_found(name: str, breaks: bool) -> None:
    assert bool(NO_NOUN.fullmatch(name)) == breaks


def test_a_file_is_called_by_a_noun() -> None:
    places = [path for path in FILES if path.parent.name != "commands"]
    assert [str(path) for path in places if NO_NOUN.fullmatch(path.stem)] == []


def test_a_command_is_a_file_of_its_name() -> None:
    commands = {
        (command.name or getattr(command.callback, "__name__", "")).replace("-", "_")
        for command in program.registered_commands
        if not command.hidden
    }
    files = {path.stem for path in FILES if path.parent.name == "commands"}
    # A module of the library is called random, and import is a word of Python's.
    known = {"random": "random_pairs", "import": "import_vectors"}
    assert {known.get(name, name) for name in commands} <= files


def test_functions_are_short_and_take_few_arguments() -> None:
    long, wide = {}, {}
    for path in FILES:
        for node in functions(path):
            name = f"{path.relative_to(ROOT).as_posix()} {node.name}"
            lines = (node.end_lineno or 0) - node.lineno + 1
            arguments = node.args
            count = len(arguments.posonlyargs + arguments.args + arguments.kwonlyargs)
            if lines > STORY.get(name, LONGEST):
                long[name] = lines
            if count > MOST_PARAMETERS:
                wide[name] = count
    assert (long, wide) == ({}, {})


def test_progress_has_one_definition_a_package() -> None:
    found = [
        path.relative_to(ROOT).parts[0]
        for path in FILES
        if re.search(r"^(Progress|Step) = ", path.read_text("utf-8"), re.M)
    ]
    assert sorted(found) == ["indexes", "pairsets"]


def test_sql_of_a_review_is_in_its_store_alone() -> None:
    """`storage/resume.py` keeps the finished work of commands, which is no review."""
    asks = re.compile(r"\"(SELECT|INSERT|UPDATE|DELETE|CREATE) ")
    found = {
        path.relative_to(ROOT).parent.as_posix()
        for path in FILES
        if asks.search(path.read_text("utf-8")) and path.name != "resume.py"
    }
    assert found == {"pairsets/review/store"}
