"""Each command does what its help says: exit code, files, summary; and nothing else is loaded."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from support.command_line import contents, lookalikes, lookalikes_apart, what_reaches
from support.flat_calls import side_by_side

import mining.commands.random_pairs
import mining.commands.show
import pairsets.figures
from mining import Embeddings, Rules, mine_negatives
from mining.cli import app
from mining.embeddings.options import EmbeddingOptions
from mining.miners.negatives import adversarial_pairs
from pairsets import PairSet, random_pairs
from pairsets.files.side_files import Named
from pairsets.storage.digests import sha256

COMMANDS = [
    "build", "embed", "learn-whitening", "mine", "random", "sample", "evaluate", "compare",
    "export-scores", "power", "show", "neighbours", "explain", "suspects", "select", "crop",
    "detect", "align", "arrange", "check-overlap", "convert", "pool", "export-tuples",
    "export-pack", "train", "tune",
]  # fmt: skip


@pytest.fixture
def home(faces_folder, monkeypatch):
    """The folder that holds `faces`, which commands run in."""
    monkeypatch.chdir(faces_folder.parent)
    return faces_folder.parent


@pytest.fixture
def mined(home):
    """`embeddings` and `adversarial.csv`, made by the commands themselves."""
    assert lookalikes("embed", "faces", "--model", "pixels", "--out", "embeddings").code == 0
    assert lookalikes("mine", "embeddings", "--pairs", 20, "--out", "adversarial.csv").code == 0
    return home


def new_files(home):
    return sorted(name for name in contents(home) if not name.startswith("faces"))


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example_that_parses(command):
    text = lookalikes(command, "--help").summary
    example = text.partition("Example: lookalikes ")[2].split()
    assert example[0] == command
    parser = typer.main.get_command(app).commands[command]
    with parser.make_context(command, example[1:]) as context:
        (kept,) = [name for name in ("out", "scores", "study") if name in context.params][:1]
        assert context.params[kept]


def test_help_lists_every_command():
    text = lookalikes("--help").summary
    assert all(f" {command} " in text for command in COMMANDS)


def test_help_is_quick_and_loads_no_heavy_package():
    script = (
        "import sys\n"
        "from mining.cli import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit:\n"
        "    sys.stderr.write(' '.join(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "--help"], capture_output=True, text=True, check=True
    )
    loaded = done.stderr.split()
    assert "typer" in loaded
    assert not set(loaded) & {"torch", "faiss", "pandas", "numpy", "matplotlib", "PIL", "timm"}
    assert len(loaded) < 700


def test_without_a_command_the_help_is_shown():
    outcome = lookalikes()
    assert outcome.code == 2
    assert "adversarial benchmark" in " ".join((outcome.out + outcome.err).split())


def test_build(home):
    text = lookalikes(
        *("build", "faces", "--reference", "pixels", "--pairs", 20, "--out", "run", "--published")
    ).summary
    assert {
        "adversarial.csv",
        "adversarial.json",
        "adversarial.scores.csv",
        "faces.csv",
        "index.faiss",
        "index.json",
        "leaderboard.md",
        "random.csv",
        "report.html",
    } <= {file.name for file in (home / "run").iterdir()}
    assert not (home / "run" / "UNFINISHED").exists()
    pairs = PairSet.read(home / "run" / "adversarial.csv")
    assert ((pairs.label == 0).sum(), (pairs.label == 1).sum()) == (20, 18)
    assert "20 adversarial negatives" in text
    assert "115 left out: pairs of different identities, less alike" in text
    assert "mined this set: not comparable" in text
    assert "published; by kosuke1701" in text
    assert "report run/report.html" in text


def test_embed_twice_uses_what_is_there(home):
    command = ("embed", "faces", "--model", "pixels", "--out", "embeddings")
    text = lookalikes(*command).summary
    assert "18 faces embedded" in text
    assert "written embeddings/vectors.npy" in text
    before = contents(home / "embeddings")
    assert lookalikes(*command).code == 0
    assert contents(home / "embeddings") == before
    assert set(before) == {"vectors.npy", "images.csv", "manifest.json", "status.csv"}


def test_mine_writes_pairs_manifest_and_scores(mined):
    assert [name for name in new_files(mined) if not name.startswith("embeddings")] == [
        "adversarial.csv",
        "adversarial.json",
        "adversarial.scores.csv",
    ]
    pairs = PairSet.read(mined / "adversarial.csv")
    manifest = json.loads((mined / "adversarial.json").read_text("utf-8"))
    assert manifest["reference"]["model"] == "pixels"
    assert manifest["pairs"] == {"positives": 18, "negatives": 20, "invalid": 0}
    with (mined / "adversarial.scores.csv").open(encoding="utf-8", newline="") as stream:
        scored = list(csv.DictReader(stream))
    assert [(row["pathA"], row["pathB"]) for row in scored] == list(
        zip(pairs.path_a, pairs.path_b, strict=True)
    )
    hardest = min((row for row in scored if row["rank"]), key=lambda row: int(row["rank"]))
    twins = {path.split("/")[0] for path in (hardest["pathA"], hardest["pathB"])}
    assert twins == {"b", "c (twin)"}


def test_mine_reuses_the_positives_of_test_pairs(mined):
    assert lookalikes("random", "faces", "--positives", 5, "--out", "random.csv").code == 0
    command = ("mine", "embeddings", "--pairs", 4, "--test-pairs", "random.csv", "--out", "a.csv")
    assert "5 positives taken over" in lookalikes(*command).summary
    given, made = PairSet.read("random.csv"), PairSet.read("a.csv")
    assert {frozenset(pair) for pair in positives(made)} == {
        frozenset(pair) for pair in positives(given)
    }


def positives(pairs):
    same = pairs.label == 1
    return list(zip(pairs.path_a[same], pairs.path_b[same], strict=True))


def test_mine_heeds_the_ignore_list_and_the_seed(mined):
    (mined / "ignore.csv").write_text("0.png\nnobody.png\n")
    command = ("mine", "embeddings", "--pairs", 9, "--ignore-list", "ignore.csv", "--seed", 4)
    text = lookalikes(*command, "--out", "a.csv").summary
    assert "6 left out: faces on the ignore list" in text
    assert "1 left out: names on the ignore list that no face has" in text
    pairs = PairSet.read("a.csv")
    assert ((pairs.label == 1).sum(), (pairs.label == 0).sum()) == (6, 9)
    assert not any(path.endswith("/0.png") for path in pairs.paths)
    manifest = json.loads((mined / "a.json").read_text("utf-8"))
    assert manifest["inputs"]["ignore_list_sha256"] == sha256(mined / "ignore.csv")
    embeddings, ignored = Embeddings.load("embeddings"), {"0.png"}
    test = random_pairs(embeddings.faces, negatives=0, seed=4, ignore=ignored)
    best = mine_negatives(embeddings, 9, ignore=ignored)
    assert pairs == adversarial_pairs(best, test, seed=4)[0]


def test_approximate_index_says_so_and_measures_itself(mined):
    text = lookalikes(
        *("mine", "embeddings", "--pairs", 5, "--index", "HNSW8", "--recall", "--out", "a.csv")
    ).summary
    assert "The index HNSW8 is approximate: it found 100.0% of the hardest pairs" in text
    manifest = json.loads((mined / "a.json").read_text("utf-8"))
    assert manifest["parameters"]["index"] == "HNSW8"
    assert manifest["parameters"]["recall"] == 1.0


def test_more_pairs_than_exist_are_all_of_them_with_a_note(mined):
    command = ("mine", "embeddings", "--pairs", 1000, "--out", "all.csv")
    assert "1,000 pairs were asked for, but only 135 exist" in lookalikes(*command).summary
    assert (PairSet.read("all.csv").label == 0).sum() == 135


def test_random(home):
    command = ("random", "faces", "--positives", 7, "--negatives", 9, "--seed", 3, "--out")
    text = lookalikes(*command, "deep/r.csv").summary
    assert "7 positives 9 negatives written deep/r.csv written deep/r.json" in text
    pairs = PairSet.read("deep/r.csv")
    assert ((pairs.label == 1).sum(), (pairs.label == 0).sum()) == (7, 9)
    assert lookalikes(*command, "again.csv").code == 0
    assert (home / "again.csv").read_bytes() == (home / "deep/r.csv").read_bytes()
    assert new_files(home) == ["again.csv", "again.json", "deep", "deep/r.csv", "deep/r.json"]
    # Folds of other pairs would be taken for those of the new ones.
    folds = [home / f"deep/r.{name}.csv" for name in ("folds", "identity_folds", "characters")]
    for file in folds:
        file.write_text("pathA,pathB,fold\n")
    assert lookalikes(*command, "deep/r.csv", "--overwrite").code == 0
    assert not any(file.exists() for file in folds)
    (home / "own.folds.csv").write_text("somebody's")
    assert lookalikes(*command, "own.csv").message.startswith("own.folds.csv: exists")


def test_ignore_list_is_heeded_and_counted(home):
    (home / "ignore.csv").write_bytes(b"\xef\xbb\xbf0.png\r\n\r\nnobody.png\r\n")
    command = ("random", "faces", "--ignore-list", "ignore.csv", "--out", "r.csv")
    assert "6 left out: faces on the ignore list" in lookalikes(*command).summary
    assert not any(path.endswith("/0.png") for path in PairSet.read("r.csv").paths)


def test_evaluate_from_embeddings_scores_and_models_agree(mined):
    tables = {}
    sources = {
        "embeddings": ("--embeddings", "embeddings"),
        "scores": ("--scores", "adversarial.scores.csv"),
        "model": ("--faces", "faces", "--model", "pixels"),
    }
    for name, options in sources.items():
        text = lookalikes("evaluate", "adversarial.csv", *options, "--out", f"t/{name}").summary
        assert "mined this set: not comparable" in text
        tables[name] = [(mined / "t" / f"{name}{end}").read_bytes() for end in (".md", ".csv")]
    assert tables["embeddings"] == tables["scores"] == tables["model"]
    row = json.loads((mined / "t" / "scores.json").read_text("utf-8"))["rows"][0]
    assert row["model"] == "pixels"
    assert (row["positives"], row["negatives"], row["target_fnr"]) == (18, 20, 0.139)


def test_evaluate_prints_the_human_row_and_the_published_ones(home):
    (home / "judged.csv").write_text(
        "pathA,pathB,label,human_prediction,invalid\n"
        "a/0.png,a/1.png,1,1,0\na/0.png,a/2.png,1,0,0\n"
        "a/0.png,b/0.png,0,0,0\na/1.png,b/0.png,0,0,1\n"
    )
    text = lookalikes("evaluate", "judged.csv", "--published", "random").summary
    assert "Human 0.00 [0.00, 79.3] 50.0 [9.45, 90.5] N/A" in text
    assert "0206_resnet152, contrastive" in text
    assert "1 left out: pairs marked invalid" in text
    assert new_files(home) == ["judged.csv"]


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_show(mined, suffix):
    out = mined / f"hardest.{suffix}"
    options = (
        "--scores",
        "adversarial.scores.csv",
        "--model",
        "pixels",
        "--with-names",
        "--count",
        3,
    )
    text = lookalikes("show", "adversarial.csv", "--faces", "faces", *options, "--out", out).summary
    assert f"written {out}" in text
    if suffix == "png":
        assert np.ptp(np.asarray(Image.open(out).convert("L"))) > 100
    else:
        assert out.read_bytes().count(b"<image") >= 6


@pytest.fixture
def columns(monkeypatch):
    """What is drawn in columns, and drawn no more: file names, scores, names."""
    calls = []

    def noted(pairs, *, scores, names, **_):
        files = [tuple("/".join(path.parts[-2:]) for path in pair) for pair in pairs]
        calls.append((files, scores, names))

    monkeypatch.setattr(pairsets.figures, "pair_columns", noted)
    monkeypatch.setattr(mining.commands.show, "save_figure", lambda figure, path: path)
    return calls


def test_show_takes_the_highest_valid_scores_of_one_label(home, columns):
    rows = [
        ("a/0.png", "b/0.png", 0, 0, 0.1), ("a/0.png", "a/1.png", 1, 0, 0.95),
        ("a/1.png", "b/1.png", 0, 0, 0.5), ("a/2.png", "b/2.png", 0, 1, 0.99),
        ("a/1.png", "b/0.png", 0, 0, 0.9), ("a/1.png", "a/2.png", 1, 0, 0.2),
    ]  # fmt: skip
    (home / "p.csv").write_text(
        "pathA,pathB,label,human_prediction,invalid\n"
        + "".join(f"{a},{b},{label},-1,{invalid}\n" for a, b, label, invalid, _ in rows)
    )
    (home / "s.csv").write_text(
        "pathA,pathB,score,model\n"
        + "".join(f"{a},{b},{score},one\n{a},{b},{-score},two\n" for a, b, *_, score in rows)
    )
    command = ("show", "p.csv", "--faces", "faces", "--scores", "s.csv", "--count", 2)
    assert lookalikes(*command, "--with-names", "--out", "a.png").code == 0
    assert lookalikes(*command, "--label", 1, "--out", "b.png").code == 0
    assert lookalikes(*command, "--model", "two", "--out", "c.png").code == 0
    ab = ("a", "b")
    assert columns == [
        ([("a/1.png", "b/0.png"), ("a/1.png", "b/1.png")], [0.9, 0.5], [ab, ab]),
        ([("a/0.png", "a/1.png"), ("a/1.png", "a/2.png")], [0.95, 0.2], None),
        ([("a/0.png", "b/0.png"), ("a/1.png", "b/1.png")], [-0.1, -0.5], None),
    ]


# Negatives with their rank, scores of two models, and the quantiles that both have of them.
RANKED = [
    ("a/0.png", "b/0.png", 3, (0.5, 0.4), (0.7, 0.8)),
    ("a/1.png", "b/1.png", 1, (0.8, 0.6), (0.9, 0.9)),
    ("a/2.png", "b/2.png", 2, (0.9, 0.1), (1.0, 0.6)),
    ("a/0.png", "b/1.png", 4, (0.2, 0.8), (0.1, 1.0)),
]


def ranked_scores(home, scores=lambda both, rank: both, quantiles=False):
    """`p.csv`, and `s.csv` as `mine` and `compare` write it; `scores` may change the two."""
    (home / "p.csv").write_text(
        "pathA,pathB,label,human_prediction,invalid\n"
        + "".join(f"{a},{b},0,-1,0\n" for a, b, *_ in RANKED)
        + "a/0.png,a/1.png,1,-1,0\na/0.png,a/2.png,1,-1,0\n"
    )
    lines = ["pathA,pathB,rank,score,model" + ",quantile" * quantiles]
    for at, model in enumerate(("one", "two")):
        for a, b, rank, both, quantile in RANKED:
            line = f"{a},{b},{rank},{scores(both, rank)[at]},{model}"
            lines.append(line + f",{quantile[at]}" * quantiles)
        for b, score in (("a/1.png", 0.3), ("a/2.png", 0.7)):
            lines.append(f"a/0.png,{b},,{score - at},{model}" + "," * quantiles)
    (home / "s.csv").write_text("\n".join(lines) + "\n")


BY_RANK = [("a/1.png", "b/1.png"), ("a/2.png", "b/2.png"), ("a/0.png", "b/0.png")]


@pytest.mark.parametrize("quantiles", [True, False], ids=["mined", "compared"])
def test_show_follows_the_rank_that_several_references_gave(home, columns, quantiles):
    """No score stands below them, even if those of one of them happen to fall in that order."""
    falling = {True: lambda both, rank: (both[0], 1 - rank / 10), False: lambda both, rank: both}
    ranked_scores(home, falling[quantiles], quantiles=quantiles)
    command = ("show", "p.csv", "--faces", "faces", "--scores", "s.csv", "--count", 3)
    text = lookalikes(*command, "--out", "a.png").summary
    assert "By the rank that they were mined with; --only-model NAME goes by" in text
    lookalikes(*command, "--model", "one", "--out", "b.png")
    assert columns == [
        (BY_RANK, None, None),
        ([BY_RANK[1], BY_RANK[0], BY_RANK[2]], [0.9, 0.8, 0.5], None),
    ]


def test_show_has_the_scores_of_the_one_that_mined(home, columns):
    """Wherever it stands in the file."""
    ranked_scores(home, lambda both, rank: (both[0], 1 - rank / 10))
    command = ("show", "p.csv", "--faces", "faces", "--scores", "s.csv", "--count", 3)
    text = lookalikes(*command, "--out", "a.png").summary
    assert columns == [(BY_RANK, [0.9, 0.8, 0.7], None)]
    assert "that of two, whose scores are shown" in text


def test_show_says_whose_scores_where_nothing_has_a_rank(home, columns):
    ranked_scores(home, quantiles=True)
    command = ("show", "p.csv", "--faces", "faces", "--scores", "s.csv", "--label", 1)
    text = lookalikes(*command, "--out", "a.png").summary
    pairs = [("a/0.png", "a/2.png"), ("a/0.png", "a/1.png")]
    assert columns == [(pairs, [0.7, 0.3], None)]
    assert "Scores of one; --only-model takes two" in text


ENCODING = EmbeddingOptions("cpu", "bf16", 3, 2, "skip", 99)
RULES = Rules(-1, 0.9, 0.1, 0.2, max_per_image=2, max_per_identity=3, max_per_identity_pair=1)


@pytest.mark.parametrize(
    ("module", "step", "command", "given"),
    [
        (
            "build",
            "build",
            "build F --reference R --reference S --fusion min --model M --model N --pairs 4 "
            "--ignore-list I --positives 5 --negatives 6 --target-fnr 0.2 --published "
            "--no-floor --seed 7 --overwrite --out O --device cpu --precision bf16 "
            "--batch-size 3 --workers 2 --on-error skip --max-pixels 99 --min-score -1 "
            "--max-score 0.9 --margin 0.1 --relative-margin 0.2 --exclude X --exclude Y "
            "--max-per-image 2 --max-per-identity 3 --max-per-identity-pair 1",
            {
                "out": Path("O"), "fusion": "min", "models": ["M", "N"], "pairs": 4,
                "ignore_list": Path("I"), "positives": 5, "negatives": 6,
                "target_fnr": 0.2, "published": True, "floor": False, "seed": 7,
                "overwrite": True, "encoding": ENCODING,
                "rules": RULES, "exclude": [Path("X"), Path("Y")],
            },
        ),
        (
            "build",
            "build",
            "build F --reference R --test-pairs T --target-fnr human --out O",
            {"test_pairs": Path("T"), "target_fnr": "human", "published": False, "floor": True,
             "overwrite": False, "encoding": EmbeddingOptions(), "rules": Rules(), "exclude": [],
             "fusion": "mean"},
        ),
        (
            "embed",
            "embed_faces",
            "embed F --model M --device cpu --precision bf16 --batch-size 3 --workers 2 "
            "--on-error skip --max-pixels 99 --out O",
            {"encoding": ENCODING},
        ),
        (
            "mine",
            "mine_pairs",
            "mine E --pairs 4 --positives 5 --ignore-list I --index HNSW8 --recall --seed 7 "
            "--min-score -1 --max-score 0.9 --margin 0.1 --relative-margin 0.2 --exclude X "
            "--exclude Y --max-per-image 2 --max-per-identity 3 --max-per-identity-pair 1 "
            "--overwrite --out O",
            {
                "pairs": 4, "positives": 5, "ignore_list": Path("I"), "index": "HNSW8",
                "recall": True, "seed": 7, "overwrite": True, "label": "negative", "rules": RULES,
                "exclude": [Path("X"), Path("Y")], "negatives": None, "fusion": "mean",
                "device": "auto",
            },
        ),
        (
            "mine",
            "mine_pairs",
            "mine E D --fusion min --device cuda:1 --out O",
            {"fusion": "min", "device": "cuda:1"},
        ),
        (
            "mine",
            "mine_pairs",
            "mine E --label positive --negatives 6 --out O",
            {"label": "positive", "negatives": 6, "positives": None, "rules": Rules(),
             "exclude": []},
        ),
        (
            "random_pairs",
            "sample_pairs",
            "random F --positives 5 --negatives 6 --ignore-list I --seed 7 --overwrite --out O",
            {
                "positives": 5, "negatives": 6, "ignore_list": Path("I"), "seed": 7,
                "overwrite": True,
            },
        ),
        (
            "evaluate",
            "evaluate_pairs",
            "evaluate P --scores S --scores N=T --embeddings E --faces F --model M --cache C "
            "--target-fnr 0.2 --published-set random --overwrite --out O --device cpu "
            "--precision bf16 --batch-size 3 --workers 2 --max-pixels 99 --submission U "
            "--submission V --annotator A=B --clusters image --draws 200 --seed 7",
            {
                "scores": [Named(Path("S")), Named(Path("T"), "N")], "embeddings": [Path("E")],
                "faces": Path("F"), "models": ["M"], "cache": Path("C"), "target_fnr": 0.2,
                "published": "random", "out": Path("O"), "overwrite": True,
                "encoding": EmbeddingOptions("cpu", "bf16", 3, 2, "fail", 99),
                "submissions": [Path("U"), Path("V")], "annotators": [Named(Path("B"), "A")],
                "clusters": "image", "draws": 200, "seed": 7,
            },
        ),
        (
            "compare",
            "compare_models",
            "compare F --pair-file P --pair-file Q --scores N=T --embeddings E --model M --cache C "
            "--target-fnr 0.2 --published --overwrite --out O --device cpu --precision bf16 "
            "--batch-size 3 --workers 2 --on-error skip --max-pixels 99 --annotator B "
            "--clusters image --draws 200 --seed 7",
            {
                "out": Path("O"), "scores": [Named(Path("T"), "N")], "embeddings": [Path("E")],
                "models": ["M"], "cache": Path("C"), "target_fnr": 0.2, "published": True,
                "overwrite": True, "encoding": ENCODING, "annotators": [Named(Path("B"))],
                "clusters": "image", "draws": 200, "seed": 7,
            },
        ),
        (
            "show",
            "show_pairs",
            "show P --faces F --scores S --only-model M --count 3 --label positive --with-names "
            "--seed 7 --overwrite --max-pixels 9 --out O",
            {
                "scores": Path("S"), "model": "M", "count": 3, "label": 1, "names": True,
                "seed": 7, "overwrite": True, "max_pixels": 9,
            },
        ),
        (
            "export_scores",
            "export",
            "export-scores P --scores S --embeddings E --faces F --model M --name N --author A "
            "--description D --url U --cache C --overwrite --out O --device cpu --precision bf16 "
            "--batch-size 3 --workers 2 --max-pixels 99",
            {
                "scores": [Named(Path("S"))], "embeddings": [Path("E")], "faces": Path("F"),
                "models": ["M"], "name": "N", "authors": ["A"], "description": "D", "url": "U",
                "cache": Path("C"), "overwrite": True,
                "encoding": EmbeddingOptions("cpu", "bf16", 3, 2, "fail", 99),
            },
        ),
        (
            "power",
            "plan",
            "power P --points 2 --scores N=S --embeddings E --only-model A --only-model B "
            "--statistic eer --power 0.9 --target-fnr 0.2 --clusters image --draws 200 --seed 7",
            {
                "points": 0.02, "scores": [Named(Path("S"), "N")], "embeddings": [Path("E")],
                "models": ["A", "B"], "statistic": "eer", "power": 0.9, "target_fnr": 0.2,
                "clusters": "image", "draws": 200, "seed": 7,
            },
        ),
        (
            "neighbours",
            "show_neighbours",
            "neighbours X --faces F --model M --count 3 --per-identity 2 --out O "
            "--out-scores S --cache C --overwrite --device cpu --precision bf16 --batch-size 3 "
            "--workers 2 --max-pixels 99",
            {
                "embeddings": None, "faces": Path("F"), "model": "M", "count": 3,
                "per_identity": 2, "out": Path("O"), "scores": Path("S"), "cache": Path("C"),
                "overwrite": True, "encoding": EmbeddingOptions("cpu", "bf16", 3, 2, "fail", 99),
            },
        ),
        ("neighbours", "show_neighbours", "neighbours X --embeddings E --per-identity 0",
         {"embeddings": Path("E"), "per_identity": None}),
        (
            "explain",
            "explain_pair",
            "explain A B --model M --out O --faces F --method masks --masks 9 --seed 7 --overwrite "
            "--device cpu --precision bf16 --batch-size 3 --max-pixels 99",
            {
                "faces": Path("F"), "method": "masks", "masks": 9, "seed": 7, "overwrite": True,
                "encoding": EmbeddingOptions("cpu", "bf16", 3, None, "fail", 99),
            },
        ),
        (
            "sample",
            "make_sample",
            "sample O --characters 5 --seed 7 --overwrite",
            {"characters": 5, "seed": 7, "overwrite": True},
        ),
    ],
    ids=lambda value: value.split()[0] if isinstance(value, str) and " " in value else "",
)  # fmt: skip
def test_every_option_reaches_its_step(home, monkeypatch, module, step, command, given):
    options = side_by_side(*what_reaches(monkeypatch, f"{module}.{step}", command))
    assert {name: options[name] for name in given} == given


@pytest.mark.parametrize(
    ("module", "step", "command", "given"),
    [
        ("build", "build", "build F --reference R --out O", (Path("F"), ["R"])),
        (
            "build",
            "build",
            "build F --reference R --reference S --out O",
            (Path("F"), ["R", "S"]),
        ),
        ("mine", "mine_pairs", "mine E --out O", ([Path("E")], Path("O"))),
        ("mine", "mine_pairs", "mine E D --out O", ([Path("E"), Path("D")], Path("O"))),
    ],
)
def test_each_reference_reaches_the_miner(home, monkeypatch, module, step, command, given):
    arguments, _ = what_reaches(monkeypatch, f"{module}.{step}", command)
    assert arguments == given


def test_sample(home):
    pytest.importorskip("dicebear")
    text = lookalikes("sample", "try", "--characters", 3).summary
    assert "written try/faces" in text
    assert "Now try: lookalikes build try/faces" in text
    assert len(list((home / "try" / "faces").iterdir())) == 3
    assert lookalikes("sample", "try", "--characters", 3).message.startswith("try exists")


def test_unreadable_images_are_skipped_and_counted(home):
    (home / "faces" / "a" / "0.png").write_bytes(b"")
    command = ("build", "faces", "--reference", "pixels", "--pairs", 9, "--on-error", "skip")
    text = lookalikes(*command, "--out", "run").summary
    assert "1 left out: images that cannot be read 17 faces embedded" in text
    assert "a/0.png" not in (home / "run" / "faces.csv").read_text("utf-8")


def test_nested_folders_are_asked_about(home):
    (home / "faces" / "a" / "more.jpg").mkdir()
    (home / "faces" / "a" / "0.png").rename(home / "faces" / "a" / "more.jpg" / "0.png")
    (home / "faces" / "a" / "notes.txt").write_text("not a face")
    refused = lookalikes("random", "faces", "--out", "r.csv")
    assert "6 identities by --identity-level 1" in refused.message
    text = lookalikes("random", "faces", "--identity-level", 1, "--out", "r.csv").summary
    assert "6 identities, by --identity-level 1" in text
    assert "1 left out: not an image by its name" in text


def test_identities_are_told_in_one_way(home):
    both = ("--identity-level", 1, "--identity-pattern", "lfw")
    refused = lookalikes("random", "faces", *both, "--out", "r.csv")
    assert "in one way alone" in refused.usage


def test_output_is_plain_text_in_a_pipe(home):
    outcome = lookalikes_apart("random", "faces", "--out", "橘.csv")
    assert "written 橘.csv" in outcome.summary
    assert "\x1b" not in outcome.out


def test_a_name_that_the_terminal_cannot_show_is_no_failure(home):
    outcome = lookalikes_apart(
        *("random", "faces", "--out", "橘.csv"), environment={"PYTHONIOENCODING": "ascii"}
    )
    assert r"written \u6a58.csv" in outcome.summary
    assert len(PairSet.read("橘.csv")) == 153


def test_a_reader_that_goes_away_is_no_traceback(home):
    reading, writing = os.pipe()
    os.close(reading)
    script = "from mining.cli import main; main()"
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-c", script, "random", "faces", "--out", "r.csv"],
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, b"")
    assert len(PairSet.read("r.csv")) == 153


def test_interrupted(home, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(mining.commands.random_pairs, "random_pairs", interrupt)
    outcome = lookalikes("random", "faces", "--out", "r.csv")
    assert outcome.code == 130
    assert (
        outcome.err
        == "\nInterrupted. Nothing is half-written; the same command goes on with what it kept.\n"
    )
    assert new_files(home) == []


@pytest.fixture
def defect(monkeypatch, tmp_path_factory):
    """A command that fails as nobody thought of; the folder that its traceback goes to."""
    monkeypatch.setattr(mining.commands.random_pairs, "random_pairs", lambda *_, **__: 1 / 0)
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_a_defect_of_ours_is_one_line_and_keeps_its_traceback(home, defect):
    outcome = lookalikes("random", "faces", "--out", "r.csv")
    assert outcome.code == 70
    assert outcome.out == ""
    assert outcome.err.count("\n") == 1
    assert "ZeroDivisionError: division by zero. Please report it" in outcome.err
    (kept,) = defect.iterdir()
    assert str(kept) in outcome.err
    assert kept.stat().st_mode & 0o077 == 0
    said = kept.read_text()
    assert said.startswith("lookalikes ")
    assert "lookalikes random faces --out r.csv" in said
    assert said.rstrip().endswith("ZeroDivisionError: division by zero")
    assert new_files(home) == []


@pytest.mark.parametrize("by", ["option", "environment"])
def test_debugging_shows_the_traceback(home, defect, monkeypatch, by):
    if by == "environment":
        monkeypatch.setenv("LOOKALIKES_DEBUG", "1")
    options = ["--debug"] if by == "option" else []
    outcome = lookalikes(*options, "random", "faces", "--out", "r.csv")
    assert outcome.code == 70
    assert outcome.err.startswith("Traceback")
    assert outcome.err.splitlines()[-1].endswith("Please report it with the lines above")
    assert list(defect.iterdir()) == []
    # One command's option is not the next one's.
    monkeypatch.delenv("LOOKALIKES_DEBUG", raising=False)
    assert "Traceback" not in lookalikes("random", "faces", "--out", "r.csv").err


def test_a_defect_is_told_where_nothing_can_be_written(home, defect):
    defect.rmdir()
    outcome = lookalikes("random", "faces", "--out", "r.csv")
    assert outcome.code == 70
    assert outcome.err.startswith("Traceback")
    assert "ZeroDivisionError" in outcome.err.splitlines()[-1]


class Panic(BaseException):
    """As libraries written in Rust raise."""

    def __str__(self):
        raise ValueError("cannot be shown")


def test_what_is_no_exception_is_told_too(home, defect, monkeypatch):
    def panic(*_, **__):
        raise Panic

    monkeypatch.setattr(mining.commands.random_pairs, "random_pairs", panic)
    outcome = lookalikes("random", "faces", "--out", "r.csv")
    assert outcome.code == 70
    assert "should not happen: Panic. Please" in outcome.err


def test_debugging_shows_where_a_mistake_was_met(home):
    outcome = lookalikes("--debug", "random", "nowhere", "--out", "r.csv")
    assert outcome.code == 1
    assert outcome.err.startswith("Traceback")
    assert outcome.err.splitlines()[-1].startswith("lookalikes: nowhere: no such folder")


def test_out_of_memory_says_what_needs_less(home, monkeypatch):
    def exhaust(*_, **__):
        raise MemoryError

    monkeypatch.setattr(mining.commands.random_pairs, "random_pairs", exhaust)
    assert "out of memory" in lookalikes("random", "faces", "--out", "r.csv").message


def test_mine_says_how_it_searches_where_it_is_asked_to(faces_folder, tmp_path):
    """And the next command in the same process does not."""
    assert lookalikes("embed", faces_folder, "--model", "pixels", "--out", tmp_path / "e").code == 0
    for number, (asked, said) in enumerate(((["-v"], "by NumPy: they are few"), ([], ""))):
        out = tmp_path / f"{number}.csv"
        made = lookalikes("mine", tmp_path / "e", "--pairs", 9, "--out", out, *asked)
        assert made.code == 0
        assert said in made.err
        assert bool(made.err) == bool(asked)
