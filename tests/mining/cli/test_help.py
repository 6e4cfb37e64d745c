"""What a new user asks first: help at any width, versions, completion; shares given as percent."""

from __future__ import annotations

import platform
import re
from importlib.metadata import version

import pytest
import typer
from support.command_line import COMMANDS, lookalikes, lookalikes_apart, what_reaches

from mining.cli.options import share_from

HEAVY = {"torch", "faiss", "pandas", "numpy", "matplotlib", "PIL", "timm"}
# Tells what was imported, after all else.
TELL_MODULES = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))"


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
        ("lookalikes mine E --max-per-id", ["--max-per-identity", "--max-per-identity-pair"]),
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
        "--far", "--fnir", "--fpir", "--held-out", "--max-overlap", "--min-confidence",
        "--overlap", "--pad", "--power", "--relative-margin", "--repeat", "--target-fnr",
        "--target-fpr", "--validation-fnr",
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


def test_a_percentage_beyond_the_most_gets_no_advice():
    for text, meant in (("5%", "; did you mean 0.05 (5 %)?"), ("60%", ""), ("60", "")):
        with pytest.raises(typer.BadParameter) as refused:
            share_from(0.5)(text)
        assert str(refused.value) == f"{text!r} is no share from 0 to 0.5{meant}"


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


# --- words


OPTIONS = [
    (name, parameter)
    for name, command in COMMANDS.items()
    for parameter in command.params
    if parameter.opts[0].startswith("--")
]
# What stands for a file or folder, for a name, and for a number.
ALIKE = {"PATH": "FILE", "FOLDER": "FILE", "MODEL": "NAME", "TEXT": "NAME", "K|FILE": "K"}
# The commands whose options once had other names, and the new ones.
RENAMED = {
    name: command.old_names
    for name, command in COMMANDS.items()
    if getattr(command, "old_names", 0)
}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_a_users_words(monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "80")
    shown = " ".join(help_of(name).out.replace("│", " ").split())
    types = r"<(list|str|int|float|bool|path|file|text)\b|\blist\[|\bLIST\[|\bint range\b"
    assert re.findall(types, shown) == []
    told = [one for one in COMMANDS[name].params if one.opts[0].startswith("--")]
    assert [one.opts[0] for one in told if not one.help] == []
    assert [
        one.help for one in told if re.match(r"(Of|What|How|Where|Whose|The same)\b", one.help)
    ] == []


def kind_of(parameter):
    """What is typed after an option, however many there may be of it."""
    word = (parameter.metavar or "").removeprefix("[NAME=]")
    return ALIKE.get(word, word)


def test_an_option_has_one_meaning():
    """Choices may be fewer in one command than in another; else what is typed is of one kind."""
    kinds = {}
    for name, parameter in OPTIONS:
        kinds.setdefault(parameter.opts[0], {}).setdefault(kind_of(parameter), []).append(name)
    several = {option: found for option, found in kinds.items() if len(found) > 1}
    # A plan is of so many faces; there is no folder of them yet.
    assert set(several) == {"--missing", "--faces"}
    assert set(several["--faces"]) == {"FILE", "N"}
    assert set(several["--missing"]) == {"fail|reject|drop", "fail|reject"}


def test_an_old_name_is_none_of_the_new_ones():
    assert RENAMED
    for name, names in RENAMED.items():
        mine = {
            option
            for parameter in COMMANDS[name].params
            for option in [*parameter.opts, *parameter.secondary_opts]
        }
        assert {*names.values()} <= mine
        assert not {*names} & mine
        shown = help_of(name).out.split()
        assert [old for old in names if old in shown] == []


@pytest.mark.parametrize(
    ("step", "old", "new"),
    [
        ("evaluate.evaluate_pairs", "evaluate P --folds F", "evaluate P --fold-file F"),
        (
            "evaluate.evaluate_pairs",
            "evaluate P --published random",
            "evaluate P --published-set random",
        ),
        (
            "compare.compare_models",
            "compare F --pairs P --pairs=Q --out O",
            "compare F --pair-file P --pair-file Q --out O",
        ),
        (
            "export_scores.export",
            "submit P --scores S --out O",
            "export-scores P --scores S --out O",
        ),
        (
            "power.plan",
            "power P --points 2 --model A --model B",
            "power P --points 2 --only-model A --only-model B",
        ),
        (
            "convert.convert_pairs",
            "convert S --out O --format lfw --to n-tuples --negatives 2",
            "convert S --out O --from-format lfw --to-format n-tuples --negatives-per-row 2",
        ),
        (
            "pool.pool_templates",
            "pool E --templates T --pairs P --out O",
            "pool E --templates T --pair-file P --out O",
        ),
        (
            "show.show_pairs",
            "show P --faces F --out O --scores S --model M --label 1",
            "show P --faces F --out O --scores S --only-model M --label positive",
        ),
        (
            "show.show_pairs",
            "show P --faces F --out O --names",
            "show P --faces F --out O --with-names",
        ),
        (
            "show.show_pairs",
            "show P --faces F --out O --label 0",
            "show P --faces F --out O --label negative",
        ),
        (
            "neighbours.show_neighbours",
            "neighbours X --embeddings E --scores S --per-character 2",
            "neighbours X --embeddings E --out-scores S --per-identity 2",
        ),
        (
            "build.build",
            "build F --reference M --out O --max-per-character 3 --max-per-character-pair 2",
            "build F --reference M --out O --max-per-identity 3 --max-per-identity-pair 2",
        ),
        (
            "mine.mine_pairs",
            "mine E --out O --max-per-character 3 --max-per-character-pair 2",
            "mine E --out O --max-per-identity 3 --max-per-identity-pair 2",
        ),
        (
            "arrange.arrange_faces",
            "arrange S --out O --character-column C",
            "arrange S --out O --identity-column C",
        ),
        (
            "power.plan",
            "power P --points 2 --clusters character",
            "power P --points 2 --clusters identity",
        ),
        (
            "select.select_faces",
            "select --faces F --min-score 0.5 --out O",
            "select --boxes F --min-face-score 0.5 --out O",
        ),
        (
            "detect.detect_faces",
            "detect P --detector D --out O --min-score 0.5 --overlap 0.5",
            "detect P --detector D --out O --min-confidence 0.5 --max-overlap 0.5",
        ),
        (
            "check_overlap.find_overlap",
            "check-overlap --train A --test B --no-pictures",
            "check-overlap --train A --test B --names-only",
        ),
        (
            "check_overlap.find_overlap",
            "check-overlap --train A --test B --pictures",
            "check-overlap --train A --test B --with-pictures",
        ),
        (
            "threshold.find_threshold",
            "threshold P --out O --fmr 0.01",
            "threshold P --out O --target-fpr 0.01",
        ),
        (
            "review.export_tasks",
            "review export P --format label-studio --out O",
            "review export P --to-format label-studio --out O",
        ),
    ],
    ids=lambda value: value if " " not in value else "",
)
def test_what_had_another_name_works_under_it_too(monkeypatch, tmp_path, step, old, new):
    monkeypatch.chdir(tmp_path)
    reached = [what_reaches(monkeypatch, step, command) for command in (old, new)]
    assert reached[0] == reached[1]


def test_every_old_name_is_tried():
    marks = test_what_had_another_name_works_under_it_too.pytestmark
    tried = " ".join(old for _, old, _ in marks[0].args[1])
    names = {old for names in RENAMED.values() for old in names}
    assert [name for name in names if name not in tried] == []
