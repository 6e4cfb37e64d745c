"""Tests reach what they test by its arguments, not by what its modules keep to themselves.

A private name that a test replaces may not change its name or its meaning without the test, though
nobody who calls the module would notice. The few that are left stand where no argument belongs.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
LIMIT = 14
REPLACERS = {"setattr", "delattr", "patch", "object", "multiple"}


def is_private(name: str) -> bool:
    """Whether a name has one leading underscore; `__init__` and its like belong to everybody."""
    return name.startswith("_") and not name.startswith("__")


def names_replaced(call: ast.Call) -> list[str]:
    """Parts of the dotted name that a call of monkeypatch or mock replaces; none for others."""
    called = ast.unparse(call.func).split(".")
    if called[-1] not in REPLACERS or (
        called[-1] in ("object", "multiple") and "patch" not in called
    ):
        return []
    names: list[str] = []
    for argument in call.args[:2]:
        if isinstance(argument, ast.Constant):
            names += str(argument.value).split(".")
        for part in ast.walk(argument):
            if isinstance(part, ast.Attribute):
                names.append(part.attr)
            elif isinstance(part, ast.Name):
                names.append(part.id)
    if called[-1] == "multiple":
        names += [keyword.arg for keyword in call.keywords if keyword.arg]
    return names


def private_patches(source: str) -> list[int]:
    """Lines of the calls that replace a private name."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and any(map(is_private, names_replaced(node)))
    ]


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("monkeypatch.setattr(module, '_LIMIT', 3)", 1),
        ("monkeypatch.setattr('package._module.LIMIT', 3)", 1),
        ("patch.setattr(module._Private, 'method', stop)", 1),
        ("mock.patch.multiple(module, _FIRST=16)", 1),
        ("mock.patch.object(module, '_first', 16)", 1),
        ("mock.patch('package.module._first')", 1),
        ("monkeypatch.setattr(module, 'LIMIT', 3)", 0),
        ("monkeypatch.setattr(module.Kind, '__init__', stop)", 0),
        ("monkeypatch.setattr(module, 'limit', lambda self: self._limit)", 0),
        ("found.patch(module, 1)._other()", 0),
    ],
)
def test_private_patches_are_found(line: str, count: int) -> None:
    assert len(private_patches(line)) == count


def test_few_private_names_are_replaced() -> None:
    """Give what a test needs to change an argument or a public attribute instead."""
    found = [
        f"{path.relative_to(TESTS)}:{line}"
        for path in sorted(TESTS.rglob("*.py"))
        for line in private_patches(path.read_text("utf-8"))
    ]
    assert len(found) <= LIMIT, found
