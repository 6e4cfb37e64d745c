"""A docstring's first line is read alone, in an editor's tip or a list: it names its subject."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Begins of a line that says nothing without the name above it.
LEANING = re.compile(r"(What|Of|The same|Those|As|How|Which|Where)\b")
Documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def first_lines(source: str) -> Iterator[str]:
    """First line of every docstring in a file."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Documented) and (text := ast.get_docstring(node)):
            yield text.splitlines()[0]


def leaning(source: str) -> list[str]:
    """First lines that begin as if their subject had been named."""
    return [line for line in first_lines(source) if LEANING.match(line)]


def modules() -> dict[str, str]:
    """Text of each module of the three packages and of `support`, by path."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
        for package in ("mining", "pairsets", "indexes", "tests/support")
        for path in sorted((ROOT / package).rglob("*.py"))
    }


@pytest.mark.parametrize(
    ("line", "leans"),
    [
        ("What the tile holds.", True),
        ("Of both kinds.", True),
        ("The same for all pairs.", True),
        ("As many as there are.", True),
        ("Whereabouts of the file.", False),
        ("Assignment of pairs to people.", False),
        ("Number of pairs, positives and negatives together.", False),
    ],
)
def test_a_leaning_line_is_found(line: str, leans: bool) -> None:
    assert leaning(f'def f():\n    """{line}\n\n    More of it.\n    """\n') == [line] * leans


def test_first_lines_name_their_subject() -> None:
    found = {path: leaning(text) for path, text in modules().items()}
    assert {path: lines for path, lines in found.items() if lines} == {}
