"""Models compared on pair files, as the command and the stage offer it."""

from __future__ import annotations

import csv
import json
import sys
from hashlib import sha256
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from support.command_line import contents, lookalikes
from support.flat_calls import compare_models
from support.rates import rates_at

import mining.commands.compare
from mining import Embeddings, score_pairs
from mining.embeddings.options import EmbeddingOptions
from mining.errors import RunError
from mining.models import load_model
from pairsets import Faces, PairSet, evaluate, random_pairs
from pairsets.errors import OutputError
from pairsets.files.side_files import Named
from pairsets.funnel import FunnelRow

ROWS = "python:means:rows"
FIRST = ("--model", "pixels", "--model", ROWS)


@pytest.fixture
def home(faces_folder, tmp_path, monkeypatch):
    """A folder with `faces`, two pair sets of them, and a model beside `pixels`."""
    (tmp_path / "means.py").write_text(
        "import numpy as np\n"
        "def rows():\n"
        "    return lambda images: np.array(\n"
        "        [np.asarray(i, float).mean(1).ravel() - 99 for i in images])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "means", raising=False)
    monkeypatch.chdir(faces_folder.parent)
    faces = Faces.scan(faces_folder)
    random_pairs(faces, positives=18, negatives=30, seed=1).write("random.csv")
    other = random_pairs(faces, positives=18, negatives=90, seed=2)
    human = np.where(np.arange(len(other)) % 7 == 0, 1 - other.label, other.label)
    judged = PairSet.of(other.path_a, other.path_b, other.label, human)
    judged.write("hard.csv")
    return faces_folder.parent


@pytest.fixture
def undrawn(monkeypatch):
    """The reports that would have been written; figures and pages take most of the time."""
    reports = []
    monkeypatch.setattr(mining.commands.compare, "draw_figures", lambda *_: [])

    def keep(report, path):
        reports.append(report)
        return path

    monkeypatch.setattr(mining.commands.compare, "write_report", keep)
    return reports


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def made_up(a, b):
    """A score that hangs on the pair alone."""
    return crc32(" ".join(sorted((a, b))).encode()) % 97


def scored(pairs, file, model=None, value=None):
    """A score file of made-up scores, or of those that `value` gives a row."""
    lines = ["pathA,pathB,score" + (",model" if model else "")]
    for row, (a, b) in enumerate(zip(pairs.path_a, pairs.path_b, strict=True)):
        score = made_up(a, b) if value is None else value(row)
        lines.append(f"{a},{b},{score}" + (f",{model}" if model else ""))
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def test_the_command_makes_everything(home):
    pairs = ("--pairs", "random.csv", "--pairs", "hard.csv")
    text = lookalikes("compare", "faces", *FIRST, *pairs, "--out", "run", "--published").summary
    files = contents(home / "run")
    assert {
        "leaderboard.md", "leaderboard.csv", "leaderboard.json", "differences.md",
        "differences.csv", "random.scores.csv", "hard.scores.csv", "random.verdicts.csv",
        "hard.verdicts.csv", "hard.curves.csv", "report.html", "compare.json",
    } <= files.keys()  # fmt: skip
    figures = {name.removeprefix("figures/") for name in files if name.startswith("figures/")}
    assert {
        f"{name}.{end}"
        for name in ("leaderboard-random", "det-hard", "roc-hard", "scores-1", "scores-2")
        for end in ("png", "svg")
    } <= figures
    assert "UNFINISHED" not in files
    assert "hard pairs: difference in FPR at an FNR of" in text
    assert "published; by kosuke1701" in text
    sets = {name: PairSet.read(f"{name}.csv") for name in ("random", "hard")}
    for name, one in sets.items():
        rows = read_csv(home / "run" / f"{name}.scores.csv")
        values = np.array([float(row["score"]) for row in rows]).reshape(2, -1)
        truth = [evaluate(one, values[at]) for at in range(2)]
        table = [row for row in read_csv(home / "run" / "leaderboard.csv") if row["set"] == name]
        models = {r["model"]: r for r in table if r["published"] == r["human"] == "False"}
        best = min((0, 1), key=lambda at: (truth[at].fpr_achieved, truth[at].eer))
        assert list(models) == [("pixels", ROWS)[best], ("pixels", ROWS)[1 - best]]
        for model, found in zip(("pixels", ROWS), truth, strict=True):
            row = models[model]
            assert float(row["fpr"]) == found.fpr_achieved
            assert float(row["fnr"]) == found.fnr_achieved
            assert float(row["fpr_interpolated"]) == found.fpr_interpolated
            assert float(row["auc"]) == found.auc
            assert float(row["fpr_at_threshold_high"]) == found.fpr_rate.high
        verdicts = read_csv(home / "run" / f"{name}.verdicts.csv")
        for at, model in enumerate(("pixels", ROWS)):
            right = (values[at] >= truth[at].threshold) == (one.label == 1)
            assert [int(row[f"right:{model}"]) for row in verdicts] == right.astype(int).tolist()
    (difference,) = [
        row
        for row in read_csv(home / "run" / "differences.csv")
        if (row["set"], row["statistic"]) == ("hard", "fpr")
    ]
    right = [[int(row[f"right:{m}"]) for row in verdicts] for m in ("pixels", ROWS)]
    only = [sum(a > b for a, b in zip(*two, strict=True)) for two in (right, right[::-1])]
    assert [int(difference[f"only_{end}_right"]) for end in ("first", "second")] == only
    manifest = json.loads(files["compare.json"])
    assert manifest["models"]["pixels"] == load_model("pixels").fingerprint


def test_the_threshold_of_the_random_set_is_carried(home, undrawn):
    found = compare_models("faces", ["hard.csv", "random.csv"], out="run", models=["pixels"])
    hard, random = (board.comparison for board in found.leaderboards)
    assert (hard.name, random.name) == ("hard", "random")
    carried = hard.evaluations["pixels"].carried
    assert (carried.threshold, carried.source) == (random.thresholds["pixels"], "random")
    point = rates_at(hard.pairs.label, hard.scores["pixels"], carried.threshold)
    assert (carried.fpr.value, carried.fnr.value) == (point.fpr, point.fnr)
    assert random.evaluations["pixels"].carried is None
    assert hard.target_fnr == pytest.approx(
        (hard.pairs.human_prediction[hard.pairs.label == 1] == 0).mean()
    )
    assert random.target_fnr == 0.139


def test_scores_from_elsewhere_join_in(home, undrawn):
    """Given by set or all together, under the file's name, the column's, or the user's."""
    sets = [PairSet.read("random.csv"), PairSet.read("hard.csv")]
    for at, pairs in enumerate(sets):
        scored(pairs, home / f"{at}.csv")
    scored(sets[0], home / "both.csv", "Column")
    more = scored(sets[1], home / "more.csv", "Column").read_text("utf-8").split("\n", 1)[1]
    with (home / "both.csv").open("a", encoding="utf-8") as stream:
        known = {frozenset(ends) for ends in zip(sets[0].path_a, sets[0].path_b, strict=True)}
        for line in more.splitlines():
            if frozenset(line.split(",")[:2]) not in known:
                stream.write(line + "\n")
    found = compare_models(
        "faces",
        ["random.csv", "hard.csv"],
        out="run",
        scores=[Named.parse(text) for text in ("CCIP=0.csv", "CCIP=1.csv", "both.csv")],
    )
    for at, board in enumerate(found.leaderboards):
        assert list(board.comparison.scores) == ["CCIP", "Column"]
        expected = list(map(made_up, sets[at].path_a, sets[at].path_b))
        for scores in board.comparison.scores.values():
            assert scores.tolist() == expected


def test_embeddings_and_models_give_the_same(home, undrawn):
    assert lookalikes("embed", "faces", "--model", "pixels", "--out", "vectors").code == 0
    given = compare_models(
        "faces", ["hard.csv"], out="one", models=[ROWS], embeddings=[home / "vectors"]
    )
    run = compare_models("faces", ["hard.csv"], out="two", models=["pixels", ROWS])
    truth = score_pairs(PairSet.read("hard.csv"), Embeddings.load(home / "vectors"))
    for found in (given, run):
        assert found.leaderboards[0].comparison.scores["pixels"].tolist() == truth.tolist()


def test_the_miner_is_marked_and_its_ranks_are_shown(home, undrawn):
    assert lookalikes("embed", "faces", "--model", "pixels", "--out", "vectors").code == 0
    assert lookalikes("mine", "vectors", "--pairs", 60, "--out", "mined.csv").code == 0
    found = compare_models("faces", ["mined.csv"], out="run", models=["pixels", ROWS])
    entries = {entry.model: entry for entry in found.leaderboards[0].entries}
    assert not entries["pixels"].comparable
    assert entries[ROWS].comparable
    (report,) = undrawn
    ranks = [pair.rank for pair in report.gallery if pair.rank]
    assert ranks == list(range(1, 61))
    assert {name: len(one) for name, one in report.hardness.items()} == {"mined": 60}


def test_published_rows_stand_below_sets_of_their_name(home, undrawn):
    """The pairs are others: no published row is among those run here, in the table or the files."""
    found = compare_models(
        "faces", ["hard.csv", "random.csv"], out="run", models=["pixels"], published=True
    )
    hard, random = found.leaderboards
    assert (hard.apart, hard.beside_published, random.beside_published) == (None, False, False)
    assert [entry.model for entry in random.entries] == ["pixels"]
    assert len(random.apart.entries) == 6
    rows = [row for row in read_csv(home / "run" / "leaderboard.csv") if row["published"] == "True"]
    assert {row["set"] for row in rows} == {"ZACI-20 random"}
    assert not [text for text in found.warnings if "published" in text]
    alone = compare_models("faces", ["hard.csv"], out="alone", models=["pixels"], published=True)
    assert "No published rows" in alone.warnings[-1]


def test_several_people(home, undrawn):
    pairs = PairSet.read("hard.csv")
    said = np.where(np.arange(len(pairs)) % 5 == 0, 1 - pairs.label, pairs.label)
    PairSet.of(pairs.path_b[::-1], pairs.path_a[::-1], pairs.label[::-1], said[::-1]).write(
        "ann.csv"
    )
    found = compare_models(
        "faces",
        ["random.csv", "hard.csv"],
        out="run",
        models=["pixels"],
        annotators=[Named.parse("Ann=ann.csv")],
    )
    random, hard = found.leaderboards
    assert [entry.model for entry in hard.entries] == ["Human", "Ann", "pixels"]
    # The two sets have pairs in common, their positives among them.
    assert [entry.model for entry in random.entries] == ["Ann", "pixels"]
    assert "not judged" in random.entries[0].note
    wrong = (said != pairs.label)[pairs.label == 0]
    assert hard.entries[1].fpr == wrong.mean()
    assert found.agreement.keys() == {"hard"}
    assert found.agreement["hard"].people == ("Human", "Ann")


def test_the_page_says_what_it_was_made_of(home, undrawn, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1796083200")
    compare_models("faces", ["random.csv", "hard.csv"], out="run", models=["pixels", ROWS], seed=5)
    (report,) = undrawn
    made = report.provenance
    assert (made.day, made.command, made.seed) == ("2026-12-01", "", 5)
    assert made.sets == {
        name: sha256(Path(f"{name}.csv").read_bytes()).hexdigest() for name in ("random", "hard")
    }
    content = json.loads(Path("run/compare.json").read_text("utf-8"))
    assert made.models == content["models"]
    assert all(made.models.values())
    assert [one.measure for one in report.scores] == ["cosine", "cosine"]


def test_a_day_that_is_none_is_refused_before_the_work(home, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "today")
    with pytest.raises(OutputError, match="SOURCE_DATE_EPOCH='today': expected whole seconds"):
        compare_models("faces", ["random.csv"], out="run", models=["pixels"])
    assert not Path("run").exists()


def test_what_was_left_out_of_the_sets_is_on_the_page(home, undrawn):
    """Of each set what its manifest tells; of sets of one run it stands there once."""
    funnel = [
        {"stage": "mine", "what": "over the cap", "count": 12, "kept": False},
        {"stage": "mine", "what": "negatives", "count": 90, "kept": True},
    ]
    for name, rows in (("random", funnel), ("hard", funnel)):
        Path(f"{name}.json").write_text(json.dumps({"funnel": rows}), encoding="utf-8")
    compare_models("faces", ["random.csv", "hard.csv"], out="run", models=["pixels"])
    Path("hard.json").write_text('{"funnel": [{"stage": "mine", "count": -1}]}', encoding="utf-8")
    Path("random.json").write_text("[", encoding="utf-8")
    compare_models("faces", ["random.csv", "hard.csv"], out="other", models=["pixels"])
    told, silent = undrawn
    assert told.funnel[:2] == [
        FunnelRow("random pairs, when made: mine", "over the cap", 12),
        FunnelRow("random pairs, when made: mine", "negatives", 90, kept=True),
    ]
    assert told.funnel[2:] == silent.funnel
    assert [row.what for row in silent.funnel] == ["pairs evaluated", "pairs evaluated"]


def test_an_interrupted_comparison_goes_on(home, monkeypatch, undrawn):
    command = ("compare", "faces", *FIRST, "--pairs", "hard.csv", "--out", "run")

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(mining.commands.compare, "write_leaderboards", stop)
        assert lookalikes(*command).code == 130
    assert (home / "run" / "UNFINISHED").exists()
    made = contents(home / "run" / "embeddings")
    assert lookalikes(*command).code == 0
    assert not (home / "run" / "UNFINISHED").exists()
    assert contents(home / "run" / "embeddings") == made
    assert "exists and is not empty" in lookalikes(*command).message
    assert lookalikes(*command, "--overwrite").code == 0


def test_the_same_command_gives_the_same_bytes(home, undrawn):
    for out in ("one", "two"):
        compare_models("faces", ["random.csv", "hard.csv"], out=out, models=["pixels", ROWS])
    first, second = ({**contents(home / out)} for out in ("one", "two"))
    for files in (first, second):
        for name in [name for name in files if name.endswith("status.csv")]:
            del files[name]
    assert first == second


def test_images_that_cannot_be_read_are_left_out_and_counted(home, undrawn):
    pairs = PairSet.read("hard.csv")
    bad = pairs.path_a[0]
    (home / "faces" / bad).write_bytes(b"")
    command = ("compare", "faces", "--model", "pixels", "--pairs", "hard.csv", "--out", "run")
    assert bad in lookalikes(*command).message
    text = lookalikes(*command, "--on-error", "skip").summary
    lost = sum(bad in ends for ends in zip(pairs.path_a, pairs.path_b, strict=True))
    assert f"{lost} left out: pairs with an image that cannot be read" in text
    assert f"{len(pairs) - lost} pairs evaluated" in text


def test_people_and_ranks_keep_to_their_pairs_where_images_are_left_out(home, undrawn):
    assert lookalikes("embed", "faces", "--model", "pixels", "--out", "vectors").code == 0
    assert lookalikes("mine", "vectors", "--pairs", 60, "--out", "mined.csv").code == 0
    pairs = PairSet.read("mined.csv")
    bad = pairs.path_a[3]
    lost = np.array([bad in ends for ends in zip(pairs.path_a, pairs.path_b, strict=True)])
    # Ann errs on the pairs left out alone, Ben on every fifth of all.
    said = np.where(np.arange(len(pairs)) % 5 == 0, 1 - pairs.label, pairs.label)
    for name, verdicts in (("ann", np.where(lost, 1 - pairs.label, pairs.label)), ("ben", said)):
        PairSet.of(pairs.path_a, pairs.path_b, pairs.label, verdicts).write(f"{name}.csv")
    rows = read_csv(home / "mined.scores.csv")
    ranks = {(row["pathA"], row["pathB"]): int(row["rank"] or 0) for row in rows}
    (home / "faces" / bad).write_bytes(b"")
    found = compare_models(
        "faces",
        ["mined.csv"],
        out="run",
        models=[ROWS],
        annotators=[Named.parse("ann.csv"), Named.parse("ben.csv")],
        encoding=EmbeddingOptions(on_error="skip"),
    )
    ann, ben, _ = found.leaderboards[0].entries
    assert (ann.fpr, ann.fnr) == (0, 0)
    assert ben.fpr == (said != pairs.label)[(pairs.label == 0) & ~lost].mean()
    assert found.agreement["mined"].pairs == (~lost).sum()
    (report,) = undrawn
    shown = {(pair.path_a, pair.path_b): pair.rank for pair in report.gallery}
    assert len(shown) == (~lost).sum()
    assert shown.items() <= ranks.items()


def test_an_older_comparison_leaves_nothing_behind(home):
    two = ("--pairs", "random.csv", "--pairs", "hard.csv")
    assert lookalikes("compare", "faces", *FIRST, *two, "--out", "run").code == 0
    (home / "run" / "notes.txt").write_text("mine")
    one = ("compare", "faces", "--model", ROWS, "--pairs", "hard.csv", "--draws", 0)
    assert lookalikes(*one, "--out", "run", "--overwrite").code == 0
    assert lookalikes(*one, "--out", "fresh").code == 0
    assert contents(home / "run").keys() == contents(home / "fresh").keys() | {"notes.txt"}


def test_a_build_is_no_place_for_a_comparison(home, undrawn):
    assert (
        lookalikes("build", "faces", "--reference", "pixels", "--pairs", 9, "--out", "b").code == 0
    )
    command = ("compare", "faces", "--model", ROWS, "--pairs", "hard.csv", "--overwrite")
    before = contents(home)
    assert lookalikes(*command, "--out", "b").message.startswith("b: holds a build")
    assert contents(home) == before
    assert lookalikes(*command, "--out", "run").code == 0
    message = lookalikes(
        "build", "faces", "--reference", "pixels", "--pairs", 9, "--out", "run", "--overwrite"
    ).message
    assert message.startswith("run: holds a comparison")


def test_vectors_that_nobody_compared_with_stay(home, undrawn):
    """In a folder of the user's own, and those given, by whatever way to them."""
    assert lookalikes("embed", "faces", "--model", "pixels", "--out", "run/embeddings/x").code == 0
    command = ("compare", "faces", "--pairs", "hard.csv", "--out", "run", "--overwrite")
    assert lookalikes(*command, "--model", ROWS).code == 0
    given = home / "run" / "embeddings" / "x"
    assert (given / "vectors.npy").exists()
    assert lookalikes(*command, "--embeddings", given.resolve()).code == 0
    assert [path.name for path in (home / "run" / "embeddings").iterdir()] == ["x"]


def test_what_is_written_of_invalid_pairs_can_be_read_again(home, undrawn):
    pairs = PairSet.read("hard.csv")
    marked = PairSet.of(pairs.path_a, pairs.path_b, pairs.label, invalid=np.arange(len(pairs)) == 4)
    marked.write("marked.csv")
    scored(pairs.take(np.arange(len(pairs)) != 4), home / "s.csv")
    compare_models("faces", ["marked.csv"], out="run", scores=[Named.parse("s.csv")])
    text = lookalikes("evaluate", "marked.csv", "--scores", "run/marked.scores.csv").summary
    assert "left out: pairs marked invalid" in text


def refused(home, *more):
    """The message; nothing is written but what was there."""
    before = contents(home)
    message = lookalikes("compare", "faces", *more, "--out", "run").message
    after = contents(home)
    assert {*after} == {*before}
    return message


HARD = ("--pairs", "hard.csv")


def test_refusals(home):
    pairs = PairSet.read("hard.csv")
    assert "no model to compare" in refused(home, *HARD)
    (home / "sub").mkdir()
    pairs.write(home / "sub" / "hard.csv")
    message = refused(home, *HARD, "--pairs", "sub/hard.csv", "--model", "pixels")
    assert message.startswith("sub/hard.csv: a second set called hard, beside hard.csv")
    scored(pairs.take(np.arange(5, len(pairs))), home / "few.csv")
    message = refused(home, *HARD, "--scores", "few.csv")
    assert message.startswith(f"few.csv: 5 of {len(pairs)} valid pairs have no score of few")
    assert f"{pairs.path_a[0]}, {pairs.path_b[0]}" in message
    scored(pairs, home / "flat.csv", value=lambda row: 0.5)
    message = refused(home, *HARD, "--scores", "flat.csv")
    assert f"flat: all {len(pairs)} scores are 0.5" in message
    scored(pairs, home / "nan.csv", value=lambda row: "nan" if row == 3 else row)
    message = refused(home, *HARD, "--scores", "nan.csv")
    assert message.startswith(
        "nan.csv, line 5 (score 'nan'): 1 of 108 valid pairs have no score of"
    )
    assert "--missing reject" in message
    assert "--missing drop" in message
    scored(pairs, home / "a.csv")
    scored(pairs, home / "b.csv", value=lambda row: row)
    for second in ("a.csv", "b.csv"):
        message = refused(home, *HARD, "--scores", "X=a.csv", "--scores", f"X={second}")
        assert message.startswith(f"{second}: scores of X are given twice")
    two = (*HARD, "--pairs", "random.csv")
    message = refused(home, *two, "--scores", "only=a.csv")
    assert message.startswith("a.csv: ")
    assert "of 48 valid pairs of the set random have no score of only" in message
    gone = home / "faces" / pairs.path_b[1]
    gone.rename(home / "moved.png")
    assert pairs.path_b[1] in refused(home, *HARD, "--model", "pixels")
    (home / "moved.png").rename(gone)
    PairSet.of(["a/0.png"], ["b/0.png"], 0).write("one.csv")
    message = refused(home, "--pairs", "one.csv", "--model", "pixels")
    assert message.startswith("one.csv")
    assert "positive" in message
    strangers = PairSet.of(["x/0.png", "x/1.png"], ["x/2.png", "y/0.png"], [1, 0], [1, 0])
    strangers.write("strangers.csv")
    message = refused(home, *HARD, "--model", "pixels", "--annotator", "strangers.csv")
    assert message.startswith("strangers.csv: none of its pairs is in hard")
    message = refused(home, "--pairs", "strangers.csv", "--model", "pixels")
    assert "x/0.png" in message
    message = refused(home, *HARD, "--model", "pixels", "--annotator", "Human=hard.csv")
    assert "a second Human" in message


def test_the_pair_files_are_never_inside_what_is_written(home, undrawn):
    assert lookalikes("compare", "faces", *HARD, "--model", "pixels", "--out", "run").code == 0
    PairSet.read("hard.csv").write("run/hard.csv")
    command = ("compare", "faces", "--pairs", "run/hard.csv", "--model", "pixels", "--overwrite")
    assert "inside run, which this command writes" in lookalikes(*command, "--out", "run").message


def test_a_best_that_the_data_cannot_tell_from_another_is_not_bold(home, undrawn):
    """Six identities tell little; of one model alone there is nothing to tell."""
    pairs = PairSet.read("hard.csv")
    noise = np.random.default_rng(0).normal(size=(2, len(pairs)))
    values = {"a": pairs.label * 6 + noise[0], "b": pairs.label * 6 + noise[1]}
    for name, scores in values.items():
        scored(pairs, home / f"{name}.csv", value=lambda row, scores=scores: scores[row])
    files = [Named.parse(f"{name}.csv") for name in values]
    made = compare_models("faces", ["hard.csv"], out="run", scores=files, target_fnr=0.1)
    assert made.leaderboards[0].tied("eer")
    assert "**" not in (home / "run" / "leaderboard.md").read_text("utf-8")
    compare_models("faces", ["hard.csv"], out="two", scores=files[1:], target_fnr=0.1)
    assert "**" not in (home / "two" / "leaderboard.md").read_text("utf-8")


def test_an_interrupted_comparison_goes_on_with_its_own_faces_alone(home, undrawn, monkeypatch):
    def interrupted(what, *_):
        raise KeyboardInterrupt

    options = {"out": "run", "models": ["pixels"], "draws": 0}
    with monkeypatch.context() as patch:
        patch.setattr("mining.commands.compare.write_leaderboards", interrupted)
        with pytest.raises(KeyboardInterrupt):
            compare_models("faces", ["hard.csv"], **options)
    assert (home / "run" / "UNFINISHED").exists()
    (home / "others").mkdir()
    with pytest.raises(RunError, match=r"other settings \(faces: "):
        compare_models("others", ["hard.csv"], **options)
    with pytest.raises(RunError, match=r"other settings \(seed: 0 there, 1 here\)"):
        compare_models("faces", ["hard.csv"], **options, seed=1)
    compare_models("faces", ["hard.csv"], **options)
