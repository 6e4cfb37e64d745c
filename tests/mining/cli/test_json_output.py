"""`--json`: of every command one document and nothing else, with what its tables and files hold."""

from __future__ import annotations

import ast
import csv
import importlib
import json
from pathlib import Path

import numpy as np
import pytest
import typer
from support.command_line import COMMANDS, lookalikes, lookalikes_apart

import mining.cli
from mining.cli.json_output import WITHOUT, or_json, plain

FILES = sorted(Path(mining.cli.__file__).parent.glob("*.py"))
# Commands in the order in which each finds what it needs, by name.
RUNS = {
    "embed": "embed faces --model pixels --out embeddings",
    "random": "random faces --out random.csv",
    "mine": "mine embeddings --pairs 20 --out adversarial.csv",
    "learn-whitening": "learn-whitening embeddings --by centre --out whitening.safetensors",
    "build": "build faces --reference pixels --pairs 10 --out run --no-all-pairs",
    "export-scores": "export-scores adversarial.csv --embeddings embeddings --name P --out s.csv",
    "evaluate": "evaluate random.csv --embeddings embeddings --scores A=random.a.csv --far 0.5 "
    "--out tables",
    "compare": "compare faces --pair-file random.csv --embeddings embeddings --scores "
    "A=random.a.csv --out compared",
    "power": "power large.csv --points 2 --scores P=large.p.csv --scores A=large.a.csv",
    "identify": "identify embeddings --held-out 0.34 --out identified",
    "threshold": "threshold embeddings --target-fpr 0.2 --out threshold",
    "suspects": "suspects adversarial.csv --embeddings embeddings --kinds mislabel --out sus.csv",
    "audit": "audit faces --kinds few,crop --out audited",
    "show": "show adversarial.csv --faces faces --count 2 --out shown.png",
    "neighbours": "neighbours asuka --embeddings embeddings --count 3",
    "explain": "explain {first} {second} --faces faces --model pixels --masks 8 --out why.png",
    "align": "align faces --landmarks points.csv --out aligned",
    "arrange": "arrange faces --kind folders --out arranged",
    "convert": "convert random.csv --to-format jsonl --out random.jsonl",
    "export-pack": "export-pack random.csv --faces faces --layout insightface --out pack",
    "export-tuples": "export-tuples adversarial.csv --faces faces --out tuples.jsonl",
    "sample": "sample sampled --characters 2",
    "cluster plan": "cluster plan --faces 1000 --dim 8 --no-measure --out plan.json",
    "review import": "review import random.csv ann.csv --as Ann",
    "review export": "review export random.csv --out judged.csv",
}
# Their documents are made by functions that others use; they need a detector, pictures, templates,
# metadata, or a training.
NOT_RUN = {"crop", "detect", "pool", "select", "submit", "train", "tune"}
# Run by tests of their own, with what they end with.
APART = {"doctor", "check-overlap"}


def document(outcome, code=0):
    """The document, after checking that standard output holds nothing else."""
    assert outcome.code == code, (outcome.out, outcome.err)

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    found, end = json.JSONDecoder(parse_constant=refuse).raw_decode(outcome.out)
    assert outcome.out[end:] == "\n"
    return found


@pytest.fixture(scope="module")
def ran(faces_folder, tmp_path_factory):
    """Documents of all commands of `RUNS`, and the folder in which they ran."""
    home = faces_folder.parent
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        for name, words in RUNS.items():
            paths = sorted(str(one.relative_to("faces")) for one in Path("faces").glob("*/*.*"))
            words = words.format(first=paths[0], second=paths[-1])
            found[name] = document(lookalikes(*words.split(), "--json"))
            if name == "random":
                prepare(home)
    return found, home


def prepare(home):
    """Scores of two models for `random.csv` and a larger set, and a person's verdicts."""
    with (home / "random.csv").open() as stream:
        header, *rows = csv.reader(stream)
    judged = [",".join([a, b, label, "0", "0"]) for a, b, label, *_ in rows]
    (home / "ann.csv").write_text("\n".join([",".join(header), *judged]) + "\n")
    points = "8,10,22,10,15,16,9,24,21,24"
    lines = [
        f'"{one.relative_to("faces").as_posix()}",{points}' for one in Path("faces").rglob("*.png")
    ]
    header_of_points = ",".join(f"{axis}{at}" for at in range(1, 6) for axis in "xy")
    (home / "points.csv").write_text("\n".join([f"path,{header_of_points}", *lines]) + "\n")
    large = [(f"{one}/1.png", f"{one}/2.png", "1") for one in range(60)]
    large += [(f"{one}/1.png", f"{(one + by) % 60}/2.png", "0") for one in range(60)
              for by in (1, 7, 19)]  # fmt: skip
    lines = [",".join(header), *(",".join([*row, "-1", "0"]) for row in large)]
    (home / "large.csv").write_text("\n".join(lines) + "\n")
    rng = np.random.default_rng(0)
    for name, pairs in (("random", rows), ("large", large)):
        for model in "ap":
            lines = [f"{a},{b},{float(label) + rng.normal()}" for a, b, label, *_ in pairs]
            text = "\n".join(["pathA,pathB,score", *lines]) + "\n"
            (home / f"{name}.{model}.csv").write_text(text)


@pytest.fixture(scope="module")
def faces_folder(tmp_path_factory):
    """A folder of 6 identities with 3 faces each, that all commands of this file share."""
    from support.drawn import draw_face

    faces = tmp_path_factory.mktemp("json") / "faces"
    for number in range(18):
        name = ("asuka", "rei", "misato", "ritsuko", "kaworu", "shinji")[number // 3]
        (faces / name).mkdir(parents=True, exist_ok=True)
        draw_face(number).save(faces / name / f"{number}.png")
    return faces


# --- every command


def test_every_command_has_the_option_or_prints_no_result():
    without = {
        name
        for name, command in COMMANDS.items()
        if not hasattr(command, "commands")
        and "--json" not in {option for one in command.params for option in one.opts}
    }
    assert without == WITHOUT


def test_what_is_run_here_are_commands():
    """A command that is not among them is looked at by the test below alone."""
    known = {name for name, command in COMMANDS.items() if not hasattr(command, "commands")}
    assert {*RUNS} | NOT_RUN | APART | WITHOUT <= known


def commands_of(file):
    """Name and body of each function in a file that is a command."""
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef) and any(
            isinstance(one, ast.Call) and ast.unparse(one.func).endswith(".command")
            for one in node.decorator_list
        ):
            yield node.name, node


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_command_ends_with_what_has_a_document(file):
    """If a new command fails here: print its result by a function that `or_json` decorates."""
    for name, node in commands_of(file):
        printed = {
            one.func.id
            for one in ast.walk(node)
            if isinstance(one, ast.Call)
            and isinstance(one.func, ast.Name)
            and one.func.id.startswith("print_")
        }
        homes = [importlib.import_module(f"mining.cli.{place.stem}") for place in FILES
                 if place.stem not in ("__init__", "__main__")]  # fmt: skip
        shown = [getattr(home, one) for one in printed for home in homes if hasattr(home, one)]
        assert name == "judge" or (shown and all(hasattr(one, "document") for one in shown)), name


@pytest.mark.parametrize("name", RUNS)
def test_a_command_prints_one_document(ran, name):
    found = ran[0][name]
    assert [*found][:2] == ["schema", "command"]
    assert (found["schema"], found["command"]) == (1, name)
    assert [one for one in found.get("files", []) if not (ran[1] / one).exists()] == []


# --- what it holds


def written(home, name):
    return json.loads((home / name).read_text("utf-8"))


def cells(path):
    """Rows of a CSV as a document has them: numbers as numbers, what is empty as null."""
    with path.open() as stream:
        return [
            {name: number(cell) for name, cell in row.items()} for row in csv.DictReader(stream)
        ]


def number(cell):
    try:
        return float(cell) if cell else None
    except ValueError:
        return cell


def test_tables_are_those_of_the_files(ran):
    found, home = ran
    evaluated, compared = found["evaluate"], found["compare"]
    assert evaluated["leaderboard"] == written(home, "tables.json")
    assert evaluated["differences"] == cells(home / "tables.differences.csv")
    assert evaluated["differences"]
    assert evaluated["protocols"] == written(home, "tables.protocols.json")
    assert compared["leaderboard"] == written(home, "compared/leaderboard.json")
    assert compared["differences"] == cells(home / "compared/differences.csv")
    assert found["build"]["leaderboard"] == written(home, "run/leaderboard.json")


def test_what_is_written_as_json_is_printed_as_it_is(ran):
    found, home = ran
    assert found["identify"]["identification"] == written(home, "identified/identification.json")
    assert found["threshold"]["threshold"] == written(home, "threshold/threshold.json")
    assert found["cluster plan"]["plan"] == written(home, "plan.json")
    judged, audit = written(home, "judged.json"), written(home, "audited/audit.json")
    assert judged.pop("files")  # digests, known when the files are written
    assert found["review export"]["review"] == judged
    assert audit.pop("faces")
    assert audit.pop("files")
    assert found["audit"]["audit"] == audit
    assert [row["count"] for row in found["mine"]["funnel"]] == [
        row["count"] for row in written(home, "adversarial.json")["funnel"]
    ]
    (hubness,) = found["mine"]["hubness"].values()
    assert hubness["pairs"] == 20


def test_all_pairs_are_those_of_the_file(ran, monkeypatch):
    monkeypatch.chdir(ran[1])
    words = "evaluate embeddings --all-pairs --out all --json"
    found = document(lookalikes(*words.split()))
    assert found["all_pairs"] == written(ran[1], "all.json")
    assert found["all_pairs_differences"] == []


def test_numbers_are_not_rounded(ran):
    from mining import Embeddings

    found, home = ran
    first = found["neighbours"]["impostors"][0]
    space = Embeddings.load(home / "embeddings")
    scores = space.vectors.astype(float) @ space.vectors.astype(float).T
    mine = space.faces.identities == "asuka"
    assert first["score"] == pytest.approx(scores[mine][:, ~mine].max(), abs=1e-12)
    assert len(str(first["score"])) > 10


def test_power_and_imports_tell_their_numbers(ran):
    found = ran[0]
    (plan,) = found["power"]["plans"]
    assert (plan["first"], plan["second"]) == ("P", "A")
    assert plan["present"]["negatives"] > 0
    assert found["review import"]["added"] > 0
    assert found["review import"]["people"] == ["Ann"]


# --- what else is printed, and errors


NOISY = """
import os, subprocess, sys
import numpy as np

class Noisy:
    name = "noisy"
    similarity = "cosine"
    provenance = {"family": "noisy"}
    fingerprint = "0" * 64
    notes = ()
    def preprocess(self, image):
        return np.asarray(image.convert("L").resize((8, 8)))
    def encode(self, batch):
        print("printed by Python")
        os.write(1, b"printed by C\\n")
        subprocess.run([sys.executable, "-c", "print('printed by a process')"], check=True)
        return batch.reshape(len(batch), -1).astype(np.float32) + 1

def make():
    return Noisy()
"""


def test_what_libraries_print_goes_to_standard_error(ran, tmp_path):
    (tmp_path / "noisy.py").write_text(NOISY)
    outcome = lookalikes_apart(
        *["embed", "faces", "--model", "python:noisy:make", "--json", "--out"],
        tmp_path / "made",
        before=f"import sys; sys.path.insert(0, {str(tmp_path)!r})",
        cwd=ran[1],
    )
    assert document(outcome)["command"] == "embed"
    for who in ("Python", "C", "a process"):
        assert f"printed by {who}" in outcome.err


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
def test_a_name_comes_back_whatever_the_pipe_can_hold(ran, tmp_path, encoding):
    """Beyond what the encoding has, and beyond 16 bits, where Python's own escapes are no JSON."""
    out = tmp_path / "é アスカ 😀.csv"
    outcome = lookalikes_apart(
        *("random", "faces", "--json", "--out", out),
        environment={"PYTHONIOENCODING": encoding},
        cwd=ran[1],
    )
    assert document(outcome)["files"][0] == str(out)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("evaluate nothing.csv --embeddings embeddings --json", 1, "nothing.csv"),
        ("evaluate random.csv --no-such --json", 2, "No such option"),
        ("power random.csv --points 200 --json", 2, "expected more than 0 and less than 100"),
        ("cluster plan --faces 9 --dim 8 --json plan2.json", 2, "write it with --out plan2.json"),
        ("cluster plan --faces 9 --dim 8 --json=plan2.json", 2, "write it with --out plan2.json"),
        ("review judge random.csv --faces faces --json", 2, "No such option"),
    ],
)
def test_errors_leave_standard_output_empty(ran, monkeypatch, words, code, said):
    monkeypatch.chdir(ran[1])
    outcome = lookalikes(*words.split())
    assert (outcome.code, outcome.out) == (code, "")
    assert said in " ".join(outcome.err.replace("│", " ").split())


def test_what_was_found_is_printed_with_its_status(ran, monkeypatch):
    monkeypatch.chdir(ran[1])
    words = "check-overlap --train faces --test faces --names-only --json"
    outcome = lookalikes(*words.split())
    found = document(outcome, code=3)
    assert found["command"] == "check-overlap"
    assert sum(row["count"] for row in found["funnel"])


def test_notes_are_told_on_standard_error_too(ran, monkeypatch):
    monkeypatch.chdir(ran[1])
    words = "evaluate adversarial.csv --embeddings embeddings --far 0.000001 --json"
    outcome = lookalikes(*words.split())
    found = document(outcome)
    assert found["warnings"]
    for warning in found["warnings"]:
        assert f"lookalikes: note: {warning}\n" in outcome.err


def test_without_the_option_tables_are_printed_again(ran, monkeypatch):
    monkeypatch.chdir(ran[1])
    assert "random pairs" in lookalikes("evaluate", "random.csv", "--embeddings", "embeddings").out


# --- values


def test_values_of_a_document():
    given = {
        "nan": np.float64("nan"),
        "inf": [float("inf"), -np.inf],
        "numbers": (np.float32(0.5), np.int64(3), 1e-300, True, None),
        "array": np.array([[1.0, np.nan]]),
        "path": Path("a") / "b",
        1: {"x"},
    }
    assert plain(given) == {
        "nan": None,
        "inf": [None, None],
        "numbers": [0.5, 3, 1e-300, True, None],
        "array": [[1.0, None]],
        "path": "a/b",
        "1": ["x"],
    }
    with pytest.raises(TypeError, match="object: no value of a JSON document"):
        plain([object()])


def test_a_function_prints_as_before_where_nobody_asks(capsys):
    @or_json(lambda made: {"made": made})
    def show(made: int) -> None:
        """Show it."""
        typer.echo(f"{made} made")

    show(3)
    assert capsys.readouterr().out == "3 made\n"
