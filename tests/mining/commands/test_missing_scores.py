"""Pairs without a score and distances as the commands meet them: one count, whoever counts."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from support.command_line import contents, lookalikes
from support.flat_calls import evaluate_pairs, export, plan

import mining.commands.compare
from mining import Embeddings
from mining.embeddings.options import EmbeddingOptions
from mining.scores.collection import gather
from mining.scores.pair_files import was_mined
from mining.scores.score_pairs import score_pairs
from pairsets import Faces, PairSet, ScoresError, random_pairs
from pairsets.evaluation.protocols import fold_accuracy
from pairsets.files.folds import Folds
from pairsets.files.score_files import write_scores
from pairsets.files.side_files import Named
from pairsets.files.submissions import read_submission

BAD = "b/1.png"


@pytest.fixture
def home(faces_folder, monkeypatch):
    """A folder with `faces`, of which one is cut off, `set.csv`, and `e`: embedded without it."""
    monkeypatch.chdir(faces_folder.parent)
    pairs = random_pairs(Faces.scan(faces_folder), positives=18, negatives=60, seed=4)
    pairs.write("set.csv")
    whole = (faces_folder / BAD).read_bytes()
    (faces_folder / BAD).write_bytes(whole[: len(whole) // 2])
    embed = ("embed", "faces", "--model", "pixels", "--out", "e", "--on-error", "skip")
    assert lookalikes(*embed).code == 0
    return pairs


@pytest.fixture
def undrawn(monkeypatch):
    """Reports that would have been written."""
    reports = []
    monkeypatch.setattr(mining.commands.compare, "draw_figures", lambda *_: [])
    monkeypatch.setattr(
        mining.commands.compare, "write_report", lambda report, path: reports.append(report) or path
    )
    return reports


def lost_of(pairs):
    return np.array([BAD in ends for ends in zip(pairs.path_a, pairs.path_b, strict=True)])


def rows_of(path):
    with Path(path).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def evaluated(*files, **options):
    options = {"draws": 0, "target_fnr": 0.5, **options}
    return evaluate_pairs(
        Path("set.csv"), scores=[*map(Named.parse, files)], encoding=EmbeddingOptions(), **options
    )


def entry_of(made, model):
    (entry,) = [one for one in made.leaderboard.entries if one.model == model]
    return entry


def counts_of(made):
    return {(row.stage, row.what): row.count for row in made.funnel if row.count}


# --- images that were skipped: one way for every command


@pytest.mark.parametrize("missing", ["fail", "drop"])
def test_every_command_leaves_the_same_pairs_out(home, undrawn, missing):
    lost, word = lost_of(home), "with an image that cannot be read"
    assert lost.sum() > 3
    evaluated_here = evaluated(embeddings=[Path("e")], missing=missing)
    assert counts_of(evaluated_here)["evaluate", f"pairs {word}"] == lost.sum()
    assert evaluated_here.leaderboard.comparison.pairs == home.take(~lost)
    command = ("compare", "faces", "--pairs", "set.csv", "--embeddings", "e", "--out")
    text = lookalikes(*command, "c", "--missing", missing, "--draws", 0).summary
    assert f"{lost.sum()} left out: pairs {word}" in text
    kept = {(row["pathA"], row["pathB"]) for row in rows_of("c/set.verdicts.csv")}
    assert kept == set(zip(home.path_a[~lost], home.path_b[~lost], strict=True))
    # And so does one that runs the model itself.
    ran = ("compare", "faces", "--pairs", "set.csv", "--model", "pixels", "--on-error", "skip")
    assert lookalikes(*ran, "--out", "r", "--draws", 0).code == 0
    assert Path("r/set.verdicts.csv").read_bytes() == Path("c/set.verdicts.csv").read_bytes()
    mine = ("mine", "e", "--test-pairs", "set.csv", "--pairs", 9, "--missing", missing)
    text = lookalikes(*mine, "--out", "m.csv").summary
    assert f"{lost.sum()} left out: test pairs {word}" in text
    assert BAD not in PairSet.read("m.csv").paths
    positives = home.take(home.positives & ~lost)
    assert set(PairSet.read("m.csv").keys) > set(positives.keys)
    text = lookalikes("suspects", "set.csv", "--embeddings", "e", "--out", "s.csv").summary
    assert f"{lost.sum()} left out: pairs {word}" in text
    assert f"{(~lost).sum()} pairs looked at" in text


def test_rejected_everywhere_where_asked(home, undrawn):
    lost = lost_of(home)
    word = "pairs without a score of pixels, counted as rejected"
    made = evaluated(embeddings=[Path("e")], missing="reject")
    assert counts_of(made)["evaluate", word] == lost.sum()
    assert made.leaderboard.comparison.pairs == home
    one = entry_of(made, "pixels")
    assert one.note == f"{lost.sum()} pairs without a score, counted as rejected"
    assert one.evaluation.rejected == lost.sum()
    command = ("compare", "faces", "--pairs", "set.csv", "--embeddings", "e", "--out", "c")
    text = lookalikes(*command, "--missing", "reject", "--target-fnr", 0.5).summary
    assert f"{lost.sum()} {word}" in text
    (row,) = rows_of("c/leaderboard.csv")
    assert int(row["rejected_positives"]) == (lost & home.positives).sum()
    assert int(row["rejected_negatives"]) == (lost & home.negatives).sum()
    verdicts = rows_of("c/set.verdicts.csv")
    for at in np.flatnonzero(lost):
        assert verdicts[at]["right:pixels"] == str(1 - home.label[at])
    # What has no score has no line, and nothing is infinite but the first threshold.
    assert len(rows_of("c/set.scores.csv")) == (~lost).sum()
    assert json.loads(Path("c/compare.json").read_text())["parameters"]["missing"] == "reject"
    # The picture cannot be shown: its pairs count and are not in the gallery.
    (report,) = undrawn
    assert all(BAD not in (pair.path_a, pair.path_b) for pair in report.gallery)
    assert report.gallery_left_out == lost.sum()
    mine = ("mine", "e", "--test-pairs", "set.csv", "--pairs", 9, "--missing", "reject")
    assert f"{lost.sum()} test pairs" in lookalikes(*mine, "--out", "m.csv").summary
    kept = PairSet.read("m.csv")
    assert set(kept.keys) > set(home.take(home.positives).keys)
    assert len(rows_of("m.scores.csv")) == len(kept) - (lost & home.positives).sum()


def test_a_report_stands_without_the_picture(home):
    noise = np.random.default_rng(0).standard_normal(len(home))
    write_scores(Path("far.csv"), home, {"far": noise - home.label})
    command = ("compare", "faces", "--pairs", "set.csv", "--embeddings", "e", "--out", "c")
    command = (*command, "--scores", "far.csv", "--distance-of", "far")
    # Several of its positives are rejected: no threshold reaches so low.
    text = lookalikes(*command, "--missing", "reject", "--target-fnr", 0.01, "--draws", 0).summary
    assert "pixels has no FPR at an FNR of 1 %" in text
    page = Path("c/report.html").read_text("utf-8")
    assert "counted as rejected" in page
    assert "no threshold reaches it" in page
    assert "of distances, or less" in page


@pytest.mark.parametrize("command", ["evaluate", "mine", "suspects"])
def test_neither_embedded_nor_skipped_is_an_error(home, command):
    strangers = ["z/0.png", "z/1.png"]
    PairSet.of([*home.path_a, strangers[0]], [*home.path_b, strangers[1]], [*home.label, 1]).write(
        "more.csv"
    )
    commands = {
        "evaluate": ("evaluate", "more.csv", "--embeddings", "e", "--missing", "reject"),
        "mine": ("mine", "e", "--test-pairs", "more.csv", "--out", "m.csv", "--missing", "reject"),
        "suspects": ("suspects", "more.csv", "--embeddings", "e"),
    }
    message = lookalikes(*commands[command]).message
    assert strangers[0] in message


def test_scores_of_one_image_less_need_no_option_beside_vectors_of_one_less(home):
    """Somebody else's model could not read the picture either: its pairs are left out anyway."""
    lost = lost_of(home)
    noise = np.random.default_rng(0).standard_normal(len(home))
    write_scores(Path("x.csv"), home, {"X": np.where(lost, np.nan, home.label + noise)})
    made = evaluated("x.csv", embeddings=[Path("e")])
    assert counts_of(made)["evaluate", "pairs with an image that cannot be read"] == lost.sum()
    assert [entry.evaluation.rejected for entry in made.leaderboard.entries] == [0, 0]


# --- score files


WAYS = {
    "no line": None,
    "nan": "nan",
    "inf": "inf",
    "minus inf": "-Infinity",
    "empty": "",
    "blank": " ",
    "NA": "NA",
    "null": "null",
}


@pytest.fixture
def written(home):
    """Writes a score file in which every seventh pair is without a score, in one way or another."""
    lost = np.arange(len(home)) % 7 == 3
    values = home.label + np.random.default_rng(1).standard_normal(len(home))

    def write(name, way, sign=1):
        lines = ["pathA,pathB,score"]
        for a, b, value, gone in zip(
            home.path_a, home.path_b, (sign * values + (sign < 0) * 9).tolist(), lost, strict=True
        ):
            cell = WAYS[way] if gone else repr(value)
            lines += [] if cell is None else [f"{a},{b},{cell}"]
        Path(name).write_text("\n".join(lines) + "\n", "utf-8")
        return np.where(lost, np.nan, values)

    return write


@pytest.mark.parametrize("way", WAYS)
def test_however_a_file_says_it(home, written, way):
    values = written("m.csv", way)
    with pytest.raises(ScoresError) as caught:
        evaluated("m.csv")
    assert "--missing reject" in str(caught.value)
    assert "--missing drop" in str(caught.value)
    assert ("line 5" in str(caught.value)) == (WAYS[way] is not None)
    lost = int(np.isnan(values).sum())
    rejected = evaluated("m.csv", missing="reject")
    assert entry_of(rejected, "m").evaluation.rejected == lost
    low = np.where(np.isnan(values), -99.0, values)
    write_scores(Path("low.csv"), home, {"low": low})
    truth = entry_of(evaluated("low.csv"), "low").evaluation
    assert entry_of(rejected, "m").evaluation.auc == truth.auc
    assert entry_of(rejected, "m").evaluation.fpr_achieved == truth.fpr_achieved
    dropped = evaluated("m.csv", "low.csv", missing="drop")
    assert counts_of(dropped)["evaluate", "pairs that some model has no score of"] == lost
    assert len(dropped.leaderboard.comparison.pairs) == len(home) - lost
    for entry in dropped.leaderboard.entries:
        assert entry.evaluation.dropped == lost
        assert f"{lost} pairs without a score left out" in entry.note
    assert len({entry.evaluation.auc for entry in dropped.leaderboard.entries}) == 1


def test_folds_and_people_keep_to_the_pairs_that_are_left(home, written):
    values = written("m.csv", "nan")
    folds = Folds(np.arange(len(home)) % 3 + 1)
    folds.write("set.folds.csv", home)
    said = np.where(np.isnan(values), 1 - home.label, home.label)
    PairSet.of(home.path_a, home.path_b, home.label, said).write("ann.csv")
    known = ~np.isnan(values)
    made = evaluated("m.csv", missing="drop", annotators=[Named.parse("ann.csv")])
    truth = fold_accuracy(home.label[known], values[known], folds.numbers[known])
    assert made.protocols["m"].folds.mean == truth.mean
    assert (entry_of(made, "ann").fpr, entry_of(made, "ann").fnr) == (0, 0)
    made = evaluated("m.csv", missing="reject", annotators=[Named.parse("ann.csv")])
    low = np.where(known, values, -np.inf)
    assert made.protocols["m"].folds.mean == fold_accuracy(home.label, low, folds.numbers).mean
    assert entry_of(made, "ann").fpr > 0


def test_plans_take_the_same_options(home, written):
    written("m.csv", "nan")
    noise = np.random.default_rng(5).standard_normal(len(home))
    write_scores(Path("x.csv"), home, {"X": home.label + noise})
    files = [Named(Path("m.csv")), Named(Path("x.csv"))]
    options = {"points": 0.1, "scores": files, "draws": 100, "target_fnr": 0.5, "statistic": "eer"}
    # Six identities would be too few.
    options["clusters"] = "image"
    with pytest.raises(ScoresError, match="--missing reject"):
        plan(Path("set.csv"), **options)
    found = plan(Path("set.csv"), missing="reject", **options)
    assert found.plans[0].present.pairs == len(home)
    assert [row.count for row in found.funnel] == [len(range(3, len(home), 7))]
    found = plan(Path("set.csv"), missing="drop", **options)
    assert found.plans[0].present.pairs == len(home) - len(range(3, len(home), 7))
    with pytest.raises(ScoresError, match=r"m has no FPR: [1-9].* rejected at every threshold"):
        plan(Path("set.csv"), missing="reject", **options | {"target_fnr": 0, "statistic": "fpr"})


# --- submissions


def test_a_submission_says_what_it_rejects(home, written):
    values = written("m.csv", "nan")
    sent = {"scores": Path("m.csv"), "encoding": EmbeddingOptions()}
    with pytest.raises(ScoresError, match="--missing reject"):
        export(Path("set.csv"), Path("s.csv"), **sent)
    usage = lookalikes("export-scores", "set.csv", "--scores", "m.csv", "--out", "s.csv",
                       "--missing", "drop").usage  # fmt: skip
    assert "'drop' is not one of 'fail', 'reject'" in usage
    made = export(Path("set.csv"), Path("s.csv"), missing="reject", **sent)
    lost = int(np.isnan(values).sum())
    assert counts_of(made)["export-scores", "pairs without a score, sent as rejected"] == lost
    found = read_submission("s.csv", home)
    np.testing.assert_array_equal(found.scores, np.where(np.isnan(values), -np.inf, values))
    assert (found.manifest["scored"], found.manifest["rejected"]) == (len(home) - lost, lost)
    # Whoever ranks it need not ask: the sender has said what they count as.
    ranked = evaluated(submissions=[Path("s.csv")])
    asked = evaluated("m.csv", missing="reject")
    records = [entry_of(made, "m").evaluation.record() for made in (ranked, asked)]
    assert records[0] == records[1]


def test_a_submission_of_vectors_of_one_image_less(home):
    message = lookalikes("export-scores", "set.csv", "--embeddings", "e", "--out", "s.csv").message
    assert f"{lost_of(home).sum()} pairs with an image that cannot be read" in message
    assert "--missing reject" in message
    made = export(
        Path("set.csv"),
        Path("s.csv"),
        embeddings=Path("e"),
        missing="reject",
        encoding=EmbeddingOptions(),
    )
    assert made.funnel[0].count == (~lost_of(home)).sum()


# --- distances


def test_distances_are_told_and_turned(home, written):
    """Of models that leave pairs out, in one way or another."""
    written("d.csv", "no line", sign=-1)
    plain = evaluated("d.csv", missing="drop")
    assert plain.leaderboard.entries[0].evaluation.auc < 0.3
    (said,) = [text for text in plain.warnings if "AUC" in text]
    assert "positives score lower than negatives" in said
    assert "--distance turns all score files round, --distance-of 'd' this one." in said
    turned = evaluated("d.csv", missing="drop", distance=True, out=Path("t"))
    assert not [text for text in turned.warnings if "AUC" in text]
    entry = entry_of(turned, "d")
    assert "score = -distance" in entry.note
    (row,) = rows_of("t.csv")
    assert float(row["auc"]) == pytest.approx(1 - plain.leaderboard.entries[0].evaluation.auc)
    distances = -turned.leaderboard.comparison.scores["d"]
    negatives = turned.leaderboard.comparison.pairs.negatives
    accepted = distances[negatives] <= float(row["threshold"])
    assert accepted.mean() == float(row["fpr_achieved"])
    assert row["accepts"] == "distance <= threshold"
    command = ("evaluate", "set.csv", "--scores", "d.csv", "--distance", "--missing", "drop")
    text = lookalikes(*command, "--target-fnr", 0.5, "--draws", 0).summary
    assert f"<= {float(row['threshold']):.4g}" in text


def test_distances_beside_similarities(home, written):
    written("d.csv", "no line", sign=-1)
    written("s.csv", "no line")
    made = evaluated("d.csv", "s.csv", missing="reject", distance_of=["d"])
    first, second = (entry.evaluation for entry in made.leaderboard.entries)
    assert first.auc == second.auc
    assert (first.distance, second.distance) == (True, False)
    assert not [text for text in made.warnings if "AUC" in text]
    both = evaluated("d.csv", "s.csv", missing="reject", distance=True)
    (said,) = [text for text in both.warnings if "AUC" in text]
    assert "AUC of s" in said
    assert "leave out --distance" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distance": True}, "distances are those of score files, and none is given"),
        ({"distance_of": ["e"]}, "distances are those of score files, and none is given"),
        ({"files": ["d.csv"], "distance_of": ["x"]}, "distances of x, which no score file has"),
    ],
    ids=["no file", "vectors", "unknown name"],
)
def test_distances_of_nothing(home, written, options, message):
    written("d.csv", "no line")
    files = [Named(Path(file)) for file in options.pop("files", ())]
    with pytest.raises(ScoresError, match=message):
        gather({"set": home}, files, [Embeddings.load("e")], missing="drop", **options)


def test_a_submission_of_distances(home, written):
    written("d.csv", "no line", sign=-1)
    sent = {"scores": Path("d.csv"), "missing": "reject", "encoding": EmbeddingOptions()}
    (said,) = export(Path("set.csv"), Path("plain.csv"), **sent).warnings
    assert "--distance turns them." in said
    assert not export(Path("set.csv"), Path("s.csv"), distance=True, **sent).warnings
    ranked = entry_of(evaluated(submissions=[Path("s.csv")]), "d")
    assert ranked.evaluation.distance
    assert ranked.evaluation.auc > 0.5


def test_a_mined_set_may_have_any_auc(home):
    """Its negatives were chosen because they score high: nothing is said."""
    mine = ("mine", "e", "--pairs", 40, "--out", "m.csv")
    assert lookalikes(*mine).code == 0
    pairs = PairSet.read("m.csv")
    noise = np.random.default_rng(2).standard_normal(len(pairs))
    write_scores(Path("kin.csv"), pairs, {"kin": noise - 2 * pairs.label})
    kin = [Named(Path("kin.csv"))]
    low = evaluate_pairs(
        Path("m.csv"), scores=kin, draws=0, target_fnr=0.5, encoding=EmbeddingOptions()
    )
    assert low.leaderboard.entries[0].evaluation.auc < 0.5
    assert not [text for text in low.warnings if "AUC" in text]
    assert was_mined(Path("m.csv"), pairs)
    # The ranks beside it tell as much as the manifest.
    Path("m.json").unlink()
    assert was_mined(Path("m.csv"), pairs)
    Path("m.scores.csv").rename("elsewhere.csv")
    assert not was_mined(Path("m.csv"), pairs)
    again = evaluate_pairs(
        Path("m.csv"), scores=kin, draws=0, target_fnr=0.5, encoding=EmbeddingOptions()
    )
    assert [text for text in again.warnings if "AUC of kin" in text]


def test_nothing_is_written_where_scores_are_refused(home, written):
    written("m.csv", "nan")
    before = contents(Path())
    for command in (
        ("evaluate", "set.csv", "--scores", "m.csv", "--out", "t"),
        ("compare", "faces", "--pairs", "set.csv", "--scores", "m.csv", "--out", "c"),
        ("export-scores", "set.csv", "--scores", "m.csv", "--out", "s.csv"),
        ("power", "set.csv", "--scores", "m.csv", "--points", 2),
    ):
        assert lookalikes(*command).message.startswith("m.csv, line 5 (score 'nan'): ")
    assert contents(Path()) == before


def test_scores_of_skipped_images_are_nan(home):
    scores = score_pairs(home, Embeddings.load("e"))
    np.testing.assert_array_equal(np.isnan(scores), lost_of(home))
