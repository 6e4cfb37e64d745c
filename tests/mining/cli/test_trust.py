"""The commands suspects and review, and mining without suspects, as a user meets them."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import typer
from PIL import Image, ImageOps
from support.command_line import HANGS, contents, lookalikes

from mining.cli import app
from pairsets import PairSet
from pairsets.files.suspects import Suspects
from pairsets.review.store.store import Store
from pairsets.review.store.verdicts import Verdict

BLANK, COPY = "blank girl/1.png", "rei_(summer)_(eva)/copy.jpg"


@pytest.fixture(scope="module")
def planted(demo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn faces with a mirrored copy, a blank crop and an identity under two names; embedded."""
    home = tmp_path_factory.mktemp("planted")
    shutil.copytree(demo_folder / "sample" / "faces", home / "faces")
    first, second = sorted(path for path in (home / "faces").iterdir())[:2]
    first.rename(home / "faces" / "rei_(eva)")
    second.rename(home / "faces" / "rei_(summer)_(eva)")
    face = sorted((home / "faces" / "rei_(eva)").iterdir())[0]
    picture = ImageOps.mirror(Image.open(face).convert("RGB"))
    picture.save(home / "faces" / COPY, quality=80)
    (home / "faces" / BLANK).parent.mkdir()
    Image.new("RGB", (96, 96), "white").save(home / "faces" / BLANK)
    os.chdir(home)
    assert lookalikes("embed", "faces", "--model", "pixels", "--out", "embeddings").code == 0
    reis = [f"rei_(eva)/{path.name}" for path in sorted((home / "faces/rei_(eva)").iterdir())]
    others = sorted(
        path.relative_to(home / "faces").as_posix()
        for path in (home / "faces").rglob("*.png")
        if "rei" not in path.parent.name and path.parent.name != "blank girl"
    )
    PairSet.of(
        [reis[0], BLANK, others[0], reis[0]],
        [COPY, others[0], others[-1], reis[1]],
        [0, 0, 0, 1],
        [-1, 1, -1, -1],
        [0, 0, 1, 0],
    ).write(home / "pairs.csv")
    return home


@pytest.fixture
def home(planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to work in."""
    shutil.copytree(planted, tmp_path / "home")
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


def rows(path: str) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_suspects_are_flagged_listed_and_drawn(home):
    text = lookalikes(
        *("suspects", "pairs.csv", "--faces", "faces", "--embeddings", "embeddings"),
        *("--figure", "suspects.png"),
    ).summary
    found = rows("pairs.suspects.csv")
    assert list(found[0]) == [
        "pathA", "pathB", "label", "suspect", "duplicate", "variant", "source", "alias",
        "mislabel", "crop", "dropped", "reason",
    ]  # fmt: skip
    kinds = [set(row["suspect"].split("+")) - {""} for row in found]
    assert kinds[0] >= {"duplicate", "alias"}
    assert kinds[1] == {"crop"}
    assert "mirrored" in found[0]["reason"]
    assert BLANK in found[1]["reason"]
    assert {row["dropped"] for row in found} == {"0"}
    assert "4 pairs looked at 1 duplicate picture (duplicate)" in text
    assert "Not looked for: positive for another model (veto), which needs --veto" in text
    with Image.open("suspects.png") as picture:
        assert picture.width > 600
    assert lookalikes("suspects", "pairs.csv", "--faces", "faces").message == (
        "pairs.suspects.csv: exists; choose another --out, or replace it with --overwrite"
    )


def test_names_alone_need_nothing_else(home):
    (home / "aliases.csv").write_text(f"identity,alias\nblank girl,{first_other(home)}\n")
    command = ("suspects", "pairs.csv", "--kinds", "alias", "--overwrite")
    lookalikes(*command, "--aliases", "aliases.csv").summary  # noqa: B018
    assert [row["suspect"] for row in rows("pairs.suspects.csv")] == ["alias", "alias", "", ""]
    assert "one identity by the list" in rows("pairs.suspects.csv")[1]["reason"]
    lookalikes(*command).summary  # noqa: B018
    assert [row["suspect"] for row in rows("pairs.suspects.csv")] == ["alias", "", "", ""]


def first_other(home):
    return rows("pairs.csv")[1]["pathB"].partition("/")[0]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--kinds", "crop"), "bad crop (crop) cannot be looked for without --faces"),
        (("--kinds", "veto"), "positive for another model (veto) cannot be looked for without"),
        (("--faces", "nowhere"), "nowhere: no such folder of faces"),
        (("--figure", "x.png"), "x.png: a picture of the suspects needs their faces; give --faces"),
        (("--out", "pairs.csv"), "pairs.csv: is read by this command; choose another --out"),
        (("--faces", "faces", "--figure", "x.jpg"), "x.jpg: a figure is written as .png or .svg"),
        (
            ("--faces", "faces", "--figure", "x.png", "--out", "x.png"),
            "x.png: the name of the list, too; choose another --figure",
        ),
        (
            ("--kinds", "alias", "--veto", "embeddings"),
            "--veto is for suspects of the kind veto, which are not looked for",
        ),
        (
            ("--kinds", "veto", "--veto", "embeddings", "--embeddings", "embeddings"),
            "pixels cannot veto: it is the model by whose vectors pairs are mined or compared",
        ),
        (("--faces", "faces", "--out", "faces/s.csv"), "faces/s.csv: inside the faces folder"),
        (("--aliases", "none.csv", "--kinds", "alias"), "none.csv: no such"),
        (("--embeddings", "faces"), "faces: not a finished folder of embeddings"),
    ],
)
def test_what_cannot_be_looked_for(home, arguments, told):
    before = contents(home)
    assert told in lookalikes("suspects", "pairs.csv", *arguments).message
    assert contents(home) == before


def test_kinds_are_checked_by_name(home):
    usage = lookalikes("suspects", "pairs.csv", "--kinds", "duplicate,ghost").usage
    assert "'ghost' is none of duplicate, variant, source, alias, mislabel, crop, veto" in usage
    usage = lookalikes("suspects", "pairs.csv", "--kinds", "duplicate,").usage
    assert "an empty kind; is there a comma too many?" in usage
    usage = lookalikes("mine", "embeddings", "--out", "x.csv", "--faces", "faces").usage
    assert "--faces without --drop-suspects, which it is for" in usage


def test_mining_on_without_suspects(home):
    command = ("mine", "embeddings", "--pairs", 40)
    assert lookalikes(*command, "--out", "plain.csv").code == 0
    text = lookalikes(
        *command, "--drop-suspects", "duplicate,alias", "--faces", "faces", "--out", "clean.csv"
    ).summary
    plain, clean = (PairSet.read(f"{name}.csv") for name in ("plain", "clean"))
    assert int(clean.negatives.sum()) == int(plain.negatives.sum()) == 40
    bad = {key for key in plain.keys if any("rei" in a for a in key) and clean_of(key)}
    assert bad, "the copy and its original should be among the best pairs"
    assert not bad & {*clean.keys}
    found = Suspects.read("clean.suspects.csv")
    dropped = int(found.dropped.sum())
    assert not found.flagged[~found.dropped].any()
    assert len(found) == 40 + dropped
    manifest = json.loads(Path("clean.json").read_text("utf-8"))
    assert manifest["parameters"]["drop_suspects"] == ["duplicate", "alias"]
    funnel = {row["what"]: row["count"] for row in manifest["funnel"]}
    counted = [count for what, count in funnel.items() if "suspect (" in what and "else" in what]
    assert sum(counted) == dropped
    assert f"{dropped} suspects that other pairs replaced (duplicate picture" in text
    assert not list(Path().glob("*partial*"))
    assert lookalikes(*command, "--out", "clean.csv", "--overwrite").code == 0
    assert not Path("clean.suspects.csv").exists(), "the list of other pairs stays"
    # Those that were dropped are what the plain set has, and the clean one has not.
    ranked = {*plain.take(plain.label == 0).keys}
    kept = {*clean.take(clean.label == 0).keys}
    assert len(ranked - kept) <= dropped


def clean_of(key):
    return {path.partition("/")[0] for path in key} == {"rei_(eva)", "rei_(summer)_(eva)"}


def test_building_without_suspects(home):
    text = lookalikes(
        *("build", "faces", "--reference", "pixels", "--no-floor", "--pairs", 30, "--out", "run"),
        *("--drop-suspects", "crop,alias"),
    ).summary
    found = Suspects.read("run/adversarial.suspects.csv")
    pairs = PairSet.read("run/adversarial.csv")
    assert not {BLANK} & {*pairs.take(pairs.label == 0).paths}
    assert {BLANK} <= {*found.path_a[found.dropped], *found.path_b[found.dropped]}
    assert "suspects that other pairs replaced (same identity" in text
    assert "suspects run/adversarial.suspects.csv" in text
    manifest = json.loads(Path("run/adversarial.json").read_text("utf-8"))
    assert manifest["parameters"]["drop_suspects"] == ["crop", "alias"]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (
            ("mine", "embeddings", "--out", "x.csv", "--drop-suspects", "duplicate"),
            "duplicate picture (duplicate) cannot be looked for without --faces",
        ),
        (
            ("mine", "embeddings", "--out", "x.csv", "--drop-suspects", "veto"),
            "positive for another model (veto) cannot be looked for without --veto",
        ),
        (
            ("mine", "embeddings", "--out", "x.csv", "--drop-suspects", "alias", "--detector",
             "none.onnx"),
            "--detector is for suspects of the kind crop, which are not looked for",
        ),
        (
            ("mine", "embeddings", "--out", "x.csv", "--drop-suspects", "veto", "--veto",
             "embeddings"),
            "pixels cannot veto: it is the model by whose vectors pairs are mined or compared",
        ),
        (
            ("build", "faces", "--reference", "pixels", "--model", "pixels", "--out", "x",
             "--drop-suspects", "veto"),
            "--drop-suspects veto needs a second model, beside those that mine, and --model pixels "
            "is a reference itself; name one with --model",
        ),
        (
            ("mine", "embeddings", "--out", "x.csv", "--drop-suspects", "alias", "--index", "Flat"),
            "suspects cannot be dropped with an approximate index",
        ),
        (
            ("mine", "embeddings", "--out", "x.csv", "--drop-suspects", "veto", "--label",
             "positive", "--veto", "embeddings"),
            "veto: a doubt about pairs of different identities, and hard positives are of one",
        ),
        (
            ("build", "faces", "--reference", "pixels", "--out", "x", "--drop-suspects", "veto"),
            "--drop-suspects veto needs a second model, beside those that mine, and there is none; "
            "name one with --model",
        ),
        (
            ("build", "faces", "--reference", "pixels", "--out", "x", "--drop-suspects", "alias",
             "--aliases", "none.csv"),
            "none.csv: no such",
        ),
    ],
)  # fmt: skip
def test_suspects_that_cannot_be_dropped_are_told_before_the_work(home, command, told):
    before = contents(home)
    assert told in lookalikes(*command).message
    assert contents(home) == before


def judged(home: Path, **said: list[str]) -> None:
    """Verdicts by person, one a pair; `-` is none."""
    with Store.begin(home / "pairs.review.sqlite", PairSet.read(home / "pairs.csv")) as store:
        for name, words in said.items():
            for pair, word in enumerate(words):
                if word != "-":
                    verdict = Verdict.of(word)
                    key = f"{name}-{pair}-{len(store.events_after(0))}"
                    store.judge(store.annotator(name), pair, verdict, key=key)


def test_export_tells_what_was_judged(home):
    judged(home, Rei=["same", "-", "-", "same"], Asuka=["different", "-", "-", "same"])
    text = lookalikes("review", "export", "pairs.csv", "--out", "judged.csv").summary
    assert PairSet.read("judged.csv").human_prediction.tolist() == [-1, 1, -1, 1]
    assert PairSet.read("judged.csv").invalid.tolist() == [0, 0, 1, 0]
    assert "1 people disagree: not judged until decided" in text
    assert "Cohen's kappa" in text
    assert "FPR N/A 0 FNR 0.00 [0.00, " in text
    assert "1 of all, invalid" in text
    for name in ("judged.csv", "judged.json", "judged.judgements.csv"):
        assert f"written {name}" in text
    assert "judged.csv: exists" in lookalikes(
        "review", "export", "pairs.csv", "--out", "judged.csv"
    ).message  # fmt: skip
    one = lookalikes("review", "export", "pairs.csv", "--who", "Asuka", "--out", "asuka.csv")
    assert one.code == 0
    assert PairSet.read("asuka.csv").human_prediction.tolist() == [0, -1, -1, 1]


def test_import_and_back(home):
    PairSet.of(
        *(PairSet.read("pairs.csv").path_a, PairSet.read("pairs.csv").path_b),
        [0, 0, 0, 1], [1, 0, 0, 1], [0, 0, 1, 0],
    ).write(home / "ann.csv")  # fmt: skip
    text = lookalikes("review", "import", "pairs.csv", "ann.csv", "--as", "Ann").summary
    assert "4 verdicts and decisions added" in text
    assert "Of Ann" in text
    assert "4 known already" in lookalikes(
        "review", "import", "pairs.csv", "ann.csv", "--as", "Ann"
    ).summary  # fmt: skip
    assert lookalikes("review", "export", "pairs.csv", "--out", "out.csv").code == 0
    assert PairSet.read("out.csv") == PairSet.read("ann.csv")
    judged(home, Rei=["different", "same", "-", "-"])
    assert lookalikes(
        "review", "import", "pairs.csv", "pairs.review.sqlite", "--store", "other.sqlite"
    ).code == 0  # fmt: skip
    with Store.open(Path("other.sqlite")) as other:
        assert {*other.annotators.values()} == {"Ann", "Rei"}


def test_an_import_that_fails_begins_no_review(home):
    (home / "other.csv").write_text("pathA,pathB,label,human_prediction,invalid\nx/1,y/1,0,1,0\n")
    told = lookalikes("review", "import", "pairs.csv", "other.csv").message
    assert "none of its 1 pairs is among the 4" in told
    assert not list(home.glob("pairs.review*"))


def test_the_export_says_who_mined_the_pairs(home):
    assert lookalikes("mine", "embeddings", "--pairs", 20, "--out", "mined.csv").code == 0
    assert lookalikes("review", "import", "mined.csv", "mined.csv", "--as", "A").code == 1
    text = Path("mined.csv").read_text("utf-8").replace(",-1,0\n", ",0,0\n")
    Path("ann.csv").write_text(text, "utf-8")
    assert lookalikes("review", "import", "mined.csv", "ann.csv").code == 0
    assert lookalikes("review", "export", "mined.csv", "--out", "judged.csv").code == 0
    manifests = [
        json.loads(Path(f"{name}.json").read_text("utf-8")) for name in ("mined", "judged")
    ]
    assert manifests[0]["reference"] == manifests[1]["reference"]
    text = lookalikes(
        "evaluate", "judged.csv", "--scores", "mined.scores.csv", "--draws", 0
    ).summary
    assert "mined this set" in text


def test_label_studio_tasks(home):
    judged(home, Rei=["same", "-", "-", "-"])
    command = (
        "review",
        "export",
        "pairs.csv",
        "--to-format",
        "label-studio",
        "--out",
        "tasks.json",
    )
    assert "written tasks.json" in lookalikes(*command, "--prefix", "https://faces/").summary
    tasks = json.loads(Path("tasks.json").read_text("utf-8"))
    assert "https://faces/" in json.dumps(tasks[0]["data"])
    assert "--prefix is that of addresses" in lookalikes(
        *command[:3], "--prefix", "x", "--out", "a.csv"
    ).usage  # fmt: skip


def test_one_persons_verdicts_in_every_format(home):
    """What one person said goes by each format into a fresh review, and is the same there."""
    judged(home, Rei=["same", "different", "-", "invalid"], Asuka=["different", "-", "-", "same"])
    export = ("review", "export", "pairs.csv", "--who", "Rei")
    assert lookalikes(*export, "--out", "rei.csv").code == 0
    tasks = ("--to-format", "label-studio", "--out", "tasks.json")
    assert "written tasks.json" in lookalikes(*export, *tasks).summary
    fresh = ("--store", "fresh.sqlite")
    taken = lookalikes("review", "import", "pairs.csv", "tasks.json", "--as", "Rei", *fresh)
    assert "Of Rei" in taken.summary
    again = lookalikes(*export, "--out", "again.csv", *fresh)
    assert again.code == 0
    assert Path("again.csv").read_bytes() == Path("rei.csv").read_bytes()
    said = [
        [line.split(",")[:6] for line in Path(f"{name}.judgements.csv").read_text().splitlines()]
        for name in ("rei", "again")
    ]
    assert said[0] == said[1]
    assert len(said[0]) == 4
    for form in (("--out", "x.csv"), (*tasks[:2], "--out", "x.json")):
        told = lookalikes("review", "export", "pairs.csv", "--who", "rei", *form)
        assert told.code == 1
        assert "expected one of Asuka, Rei; did you mean Rei?" in told.message
    assert not list(Path().glob("x.*"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("export", "pairs.csv", "--out", "o.csv"), "no such database of a review; begin one with"),
        (("pairs.csv", "--faces", "nowhere"), "nowhere: no such folder of faces"),
        (("pairs.csv", "--faces", "embeddings"), "none of the 6 faces is in it"),
        (("none.csv", "--faces", "faces"), "none.csv: no such pair file"),
        (("pairs.csv", "--faces", "faces", "--as", "a\tb"), "characters that cannot be shown"),
        (("pairs.csv", "--faces", "faces", "--store", "pairs.csv"), "is read by this command"),
        (("pairs.csv", "--faces", "faces", "--store", "faces/x"), "inside the faces folder"),
        (("pairs.csv", "--faces", "faces", "--suspects-first"), "make it with: lookalikes suspec"),
        (("pairs.csv", "--faces", "faces", "--scores", "none.csv"), "none.csv"),
        (("import", "pairs.csv", "none.csv"), "none.csv: no such"),
    ],
)
def test_a_review_that_cannot_begin(home, arguments, told):
    before = contents(home)
    assert told in lookalikes("review", *arguments).message
    after = contents(home)
    new = after.keys() - before.keys()
    assert {name.partition(".sqlite")[0] for name in new} <= {"pairs.review"}
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize("command", ["judge", "export", "import"])
def test_help_of_the_review_has_an_example_that_parses(command):
    group = typer.main.get_command(app).commands["review"]
    text = lookalikes("review", *([] if command == "judge" else [command]), "--help").summary
    example = text.partition("Example: lookalikes review ")[2].split()
    arguments = example if command == "judge" else example[1:]
    with group.commands[command].make_context(command, arguments) as context:
        assert context.params["pairs"] == Path("adversarial.csv")


def serving(home: Path, *arguments: str) -> tuple[subprocess.Popen[str], str, list[str]]:
    """The review in a process of its own, its link, and what it said before."""
    done = subprocess.Popen(
        [sys.executable, "-c", "from mining.cli import main\nmain()", "review", "pairs.csv",
         "--faces", "faces", "--port", "0", *arguments],
        cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    said = []
    assert done.stdout is not None
    for line in done.stdout:
        said.append(line.strip())
        link = re.search(r"http://\S+", line)
        if link:
            return done, link[0], said
    raise AssertionError(done.communicate())


def test_the_page_is_served_until_interrupted(home):
    (home / "pairs.scores.csv").write_text(
        "pathA,pathB,rank,score,model\n" + f"{rows('pairs.csv')[0]['pathA']},{COPY},1,0.75,pixels\n"
    )
    assert lookalikes("suspects", "pairs.csv", "--kinds", "alias").code == 0
    process, link, said = serving(home, "--as", "Rei", "--suspects-first")
    try:
        assert link.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(link + "api/set", timeout=HANGS) as answer:
            told = json.load(answer)
        assert told["as"] == "Rei"
        assert (told["pairs"], told["to_judge"], told["suspects"]) == (4, 3, 1)
        assert told["suspects_first"] is True
        assert any("pairs.review.sqlite" in line for line in said)
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=HANGS)
    assert (process.returncode, err) == (0, "")
    with Store.open(home / "pairs.review.sqlite") as store:
        assert list(store.annotators.values()) == ["Rei"]
        assert list(store.suspects()) == [0]
