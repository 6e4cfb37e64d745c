"""What a new user asks first: help at any width, versions, completion; shares given as percent."""

from __future__ import annotations

import platform
import re
from importlib.metadata import version

import pytest
import typer
from support.command_line import lookalikes, lookalikes_apart

from mining.cli import app
from mining.cli.options import share_from

HEAVY = {"torch", "faiss", "pandas", "numpy", "matplotlib", "PIL", "timm"}
# Tells what was imported, after all else.
TELL_MODULES = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))"


def commands(command, path=()):
    """Every command below one, itself too: its name as it is typed, and what it takes."""
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*path, name))


COMMANDS = {" ".join(path) or "lookalikes": c for path, c in commands(typer.main.get_command(app))}


def help_of(name, flag="--help"):
    return lookalikes(*(name.split() if name != "lookalikes" else ()), flag)


@pytest.mark.parametrize("columns", ["80", "120"])
@pytest.mark.parametrize("name", COMMANDS)
def test_no_name_is_cut(monkeypatch, name, columns):
    """If a new option fails here: a shorter `metavar=` leaves more room for its panel's names."""
    monkeypatch.setenv("COLUMNS", columns)
    shown = help_of(name).out
    words = shown.split()
    options = [
        option
        for parameter in COMMANDS[name].params
        for option in [*parameter.opts, *parameter.secondary_opts]
        if option.startswith("-")
    ]
    assert "--help" in words
    assert [option for option in options if option not in words] == []
    assert "float range [0<=x<=1]" not in " ".join(words)  # a share: see `share_from`
    # Nor anything else: a file's name, a default.
    assert [line for line in shown.splitlines() if "…" in line] == []
    assert max(map(len, shown.splitlines())) <= int(columns)


@pytest.mark.parametrize("name", COMMANDS)
def test_h_is_help(name):
    assert help_of(name, "-h") == help_of(name)
    assert help_of(name).out.count("Usage: lookalikes") == 1


def test_version_tells_what_computes_and_imports_nothing():
    outcome = lookalikes_apart("--version", before=TELL_MODULES)
    lines = outcome.out.splitlines()
    assert outcome.code == 0
    assert lines[:2] == [
        f"lookalikes {version('lookalikes')}",
        f"Python {platform.python_version()}",
    ]
    assert f"torch {version('torch')}" in lines
    assert any(re.fullmatch(r"faiss-[cg]pu [\d.]+\S*", line) for line in lines)
    assert not HEAVY & {*outcome.err.split()}


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("lookalikes mi", ["mine"]),
        ("lookalikes mine E --max-per-c", ["--max-per-character", "--max-per-character-pair"]),
        ("lookalikes review pairs.csv --suspects", ["--suspects", "--suspects-first"]),
        ("lookalikes review ex", ["export"]),
    ],
    ids=["command", "option", "option of review", "command of review"],
)  # fmt: skip
def test_completion(typed, offered):
    told = {"COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    outcome = lookalikes_apart(
        before=TELL_MODULES, environment={"_LOOKALIKES_COMPLETE": "complete_bash", **told}
    )
    assert (outcome.code, outcome.out.split()) == (0, offered)
    assert not HEAVY & {*outcome.err.split()}


# --- shares


SHARES = [
    (name, parameter.opts[0])
    for name, command in COMMANDS.items()
    for parameter in command.params
    if "SHARE" in str(parameter.metavar)
]


def test_which_options_are_shares():
    assert {option for _, option in SHARES} == {
        "--far", "--min-score", "--overlap", "--pad", "--power", "--relative-margin",
        "--target-fnr",
    }  # fmt: skip


@pytest.mark.parametrize(("name", "option"), SHARES, ids=" ".join)
def test_a_percentage_is_answered_with_the_share(name, option):
    usage = lookalikes(*name.split(), option, "13.9").usage
    assert f"Invalid value for '{option}': '13.9' is " in usage
    assert "; did you mean 0.139 (13.9 %)?" in usage


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("13.9", "0.139 (13.9 %)"),
        ("5%", "0.05 (5 %)"),
        ("0.5%", "0.005 (0.5 %)"),
        ("1.0001", "0.010001 (1.0001 %)"),
        ("100", "1 (100 %)"),
    ],
)
def test_what_a_percentage_means(text, meant):
    with pytest.raises(typer.BadParameter) as refused:
        share_from()(text)
    assert str(refused.value) == f"{text!r} is no share from 0 to 1; did you mean {meant}?"


@pytest.mark.parametrize("text", ["nan", "inf", "-0.1", "101", "x", "", "1e999", "200%", "%"])
def test_what_is_no_share_gets_no_advice(text):
    with pytest.raises(typer.BadParameter) as refused:
        share_from()(text)
    assert str(refused.value) == f"{text!r} is no share from 0 to 1"


def test_shares_are_read_as_they_are():
    read = share_from()
    assert [read(text) for text in ("0", "1", "0.139", "1e-4")] == [0, 1, 0.139, 1e-4]
    assert share_from(4)("2.5") == 2.5


@pytest.mark.parametrize("name", ["evaluate --far", "evaluate --target-fnr", "build --target-fnr"])
def test_all_pairs_are_no_target(name):
    """Whoever writes 1 means one percent: at a rate of 1 every model is the same."""
    assert "'1' is all pairs" in lookalikes(*name.split(), "1").usage
