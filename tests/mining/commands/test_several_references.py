"""Several references as the commands offer them: files, tables, manifest, report and summary."""

from __future__ import annotations

import csv
import json
import sys
from functools import partial

import numpy as np
import pytest
from support.command_line import contents, lookalikes
from support.flat_calls import build, evaluate_pairs

import mining.commands.build
import mining.commands.build_report
import mining.miners.search
from indexes import FlatIndex
from indexes.join import SearchOptions
from mining import Rules, mine_together, score_pairs
from mining.embeddings.options import EmbeddingOptions
from mining.errors import FusionError, RulesError
from mining.miners.negatives import adversarial_pairs
from mining.models import load_model
from mining.models.names import plain_names
from mining.ranking.fused_ranking import LIMIT
from mining.ranking.model_ranking import search_on
from mining.ranking.warnings import fusion_warnings
from pairsets import PairSet, evaluate
from pairsets.files.score_files import HEADER, QUANTILE, read_quantiles, read_scores
from pairsets.files.side_files import Named
from pairsets.report.assembly import model_scores

FACTS = ("model", "fingerprint", "similarity", "dimensions", "provenance")


@pytest.fixture
def models(tmp_path, monkeypatch):
    """Two models beside `pixels`: the mean colour, and the mean of each row."""
    (tmp_path / "means.py").write_text(
        "import numpy as np\n"
        "def mean(*axes):\n"
        "    return lambda images: np.array(\n"
        "        [np.asarray(i, float).mean(axes).ravel() - 99 for i in images])\n"
        "def colours():\n"
        "    return mean(0, 1)\n"
        "def rows():\n"
        "    return mean(1)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "means", raising=False)
    return "python:means:colours", "python:means:rows"


@pytest.fixture
def home(faces_folder, models, monkeypatch):
    """The folder that holds `faces`, which commands run in."""
    monkeypatch.chdir(faces_folder.parent)
    return faces_folder.parent


@pytest.fixture
def undrawn(monkeypatch):
    """Without the figures and the report, which take most of a build's time."""
    monkeypatch.setattr(mining.commands.build, "draw_report", lambda *_: None)


def json_of(path):
    return json.loads(path.with_suffix(".json").read_text("utf-8"))


def sources_of(run, names):
    found = run.folder.embedded(run.faces.root)
    return {name: found[name] for name in names}


def files_of(folder):
    return {name: data for name, data in contents(folder).items() if "status.csv" not in name}


@pytest.mark.parametrize("fusion", ["mean", "min"])
def test_the_set_is_what_they_mine_together(home, models, undrawn, fusion):
    names = ["pixels", models[0]]
    run = build(
        "faces", names, out="run", fusion=fusion, models=models[1:], pairs=25, seed=4,
        rules=Rules(max_per_image=5),
    )  # fmt: skip
    sources = sources_of(run, names)
    together = mine_together(sources, 25, method=fusion, rules=Rules(max_per_image=5))
    mined = together
    pairs, rank = adversarial_pairs(mined, run.random, seed=4)
    assert PairSet.read("run/adversarial.csv") == run.adversarial == pairs
    own = read_quantiles("run/adversarial.scores.csv", pairs)
    assert list(own) == names
    assert np.column_stack(list(own.values()))[np.argsort(rank)][-25:].tolist() == (
        mined.quantiles.tolist()
    )
    assert all(np.isnan(values[rank == 0]).all() for values in own.values())
    assert {name: values.tolist() for name, values in run.quantiles.items()} == {
        name: pytest.approx(values.tolist(), nan_ok=True, abs=0) for name, values in own.items()
    }
    scores = read_scores("run/adversarial.scores.csv", pairs)
    assert list(scores) == [*names, models[1]]
    assert scores[models[0]].tolist() == score_pairs(pairs, sources[models[0]]).tolist()

    manifest = json_of(home / "run" / "adversarial.csv")
    assert "reference" not in manifest
    assert manifest["references"] == [
        {fact: source.manifest[fact] for fact in FACTS} for source in sources.values()
    ]
    assert manifest["fusion"] == {"method": fusion, "sure": 25, "exact": True, "limit": LIMIT}
    assert manifest["parameters"]["max_per_image"] == 5
    assert not {"reference", "references", "fusion"} & {*json_of(home / "run" / "random.csv")}
    first = FlatIndex.load("run/index.faiss").vectors
    assert first.tolist() == sources["pixels"].vectors.tolist()


def test_a_row_of_each_on_what_the_others_mined(home, models, undrawn):
    names = ["pixels", *models]
    run = build("faces", names, out="run", pairs=25, target_fnr=0.2, seed=4)
    entries = run.leaderboards[1].entries
    assert [(entry.title, entry.comparable, entry.competes) for entry in entries] == [
        ("pixels", False, False),
        (f"pixels (pairs mined by {models[0]}, {models[1]})", True, False),
        (models[0], False, False),
        (f"{models[0]} (pairs mined by pixels, {models[1]})", True, False),
        (models[1], False, False),
        (f"{models[1]} (pairs mined by pixels, {models[0]})", True, False),
    ]
    assert {entry.note for entry in entries[::2]} == {
        "one of 3 that mined this set: not comparable"
    }
    assert sorted(entry.title for entry in run.leaderboards[0].entries) == sorted(names)
    assert list(run.without) == names
    assert [path.name for path in run.without.values()] == [
        "adversarial.without-pixels.csv",
        "adversarial.without-python-means-colours.csv",
        "adversarial.without-python-means-rows.csv",
    ]
    sources = sources_of(run, names)
    together = mine_together(sources, 25)
    for at, (name, path) in enumerate(run.without.items()):
        pairs = PairSet.read(path)
        mined = together.without[name]
        assert pairs == adversarial_pairs(mined, run.random, seed=4)[0] != run.adversarial
        by_hand = evaluate(pairs, score_pairs(pairs, sources[name]), 0.2)
        assert entries[2 * at + 1].evaluation == by_hand
        manifest = json_of(path)
        assert manifest["kind"] == "leave-one-out"
        assert manifest["parameters"]["without"] == name
        assert [one["model"] for one in manifest["references"]] == [
            other for other in names if other != name
        ]
        assert manifest["mined"]["hubness"]["mined pairs"] == json.loads(
            json.dumps(mined.hubness.content())
        )
        assert manifest["funnel"][-2] == {
            "stage": "mine", "what": "adversarial negatives", "count": 25, "kept": True,
        }  # fmt: skip
        # The file alone tells whose row is fair.
        board = evaluate_pairs(
            path, embeddings=[source.folder for source in sources.values()],
            target_fnr=0.2, encoding=EmbeddingOptions(),
        ).leaderboard  # fmt: skip
        rows = {entry.model: entry for entry in board.entries}
        assert rows[name].evaluation == by_hand
        assert [model for model in names if not rows[model].mined] == [name]


def test_two_are_each_judged_on_what_the_other_mined_alone(home, models, undrawn):
    run = build("faces", ["pixels", models[0]], out="run", pairs=25)
    alone = build("faces", "pixels", out="alone", pairs=25)
    path = run.without[models[0]]
    assert path.read_bytes() == (home / "alone" / "adversarial.csv").read_bytes()
    manifest = json_of(path)
    assert manifest["reference"] == json_of(home / "alone" / "adversarial.csv")["reference"]
    assert not {"references", "fusion"} & {*manifest}
    assert alone.without == alone.quantiles == {}
    assert (alone.references, alone.method) == (["pixels"], None)


def test_one_in_a_list_is_one(home, models):
    """Down to the bytes of the report."""
    build("faces", "pixels", out="text", models=models, pairs=25)
    build("faces", ["pixels"], out="list", models=models, pairs=25, fusion="min")
    assert files_of(home / "text") == files_of(home / "list")
    assert "reference" in json_of(home / "text" / "adversarial.csv")
    header = (home / "text" / "adversarial.scores.csv").read_text().partition("\n")[0]
    assert header == ",".join(HEADER)
    assert not list((home / "text").glob("*without*"))


def test_an_interrupted_build_goes_on(home, models, monkeypatch):
    command = ("build", "faces", "--reference", "pixels", "--reference", models[0])
    command = (*command, "--pairs", 25, "--out")
    assert lookalikes(*command, "whole").code == 0
    with monkeypatch.context() as patch:
        patch.setattr(
            mining.commands.build,
            "draw_report",
            lambda *_: (_ for _ in ()).throw(KeyboardInterrupt),
        )
        assert lookalikes(*command, "run").code == 130
    assert (home / "run" / "UNFINISHED").exists()
    assert lookalikes(*command, "run").code == 0
    assert files_of(home / "run") == files_of(home / "whole")


def test_the_search_has_the_checkpoint_of_the_command(home, models, monkeypatch):
    given = []

    def stop(*_, checkpoint, each, **__):
        given.append((checkpoint.as_posix(), each))
        raise KeyboardInterrupt

    monkeypatch.setattr(mining.miners.search, "mine_together", stop)
    for model, out in zip(("pixels", models[0]), "ef", strict=True):
        assert lookalikes("embed", "faces", "--model", model, "--out", out).code == 0
    assert lookalikes("mine", "e", "f", "--out", "deep/a.csv").code == 130
    command = ("build", "faces", "--reference", "pixels", "--reference", models[0])
    assert lookalikes(*command, "--out", "run").code == 130
    assert given == [("deep/a.partial.npz", False), ("run/search.partial.npz", True)]


def test_another_run_in_its_place_keeps_nothing_of_it(home, models):
    """But what a user has put beside it."""
    build("faces", ["pixels", *models], out="run", pairs=9)
    own = home / "run" / "adversarial.without-twins.csv"
    own.write_text("mine")
    build("faces", ["pixels", models[0]], out="run", pairs=9, overwrite=True)
    assert _spreads(home / "run") == {"scores-1", "scores-2"}
    left = {path.name for path in (home / "run").glob("adversarial.without-*")}
    stems = ("adversarial.without-pixels", "adversarial.without-python-means-colours")
    assert left == {own.name, *(f"{stem}.{end}" for stem in stems for end in ("csv", "json"))}
    build("faces", "pixels", out="run", pairs=9, overwrite=True)
    assert [path.name for path in (home / "run").glob("adversarial.without-*")] == [own.name]
    assert _spreads(home / "run") == {"scores", "scores-1"}


def _spreads(run):
    """Names of the histograms of a run, after checking that each chart is whole."""
    files = {*(run / "figures").iterdir()}
    alone = {run / "figures" / f"{name}.png" for name in ("adversarial", "random", "scores")}
    stems = {file.stem for file in files - alone}
    whole = {run / "figures" / f"{name}.{end}" for name in stems for end in ("png", "svg", "csv")}
    assert whole == files - alone
    return {file.stem for file in files if file.stem.startswith("scores")}


def test_the_summary_and_the_tables_of_build(home, models):
    command = ("build", "faces", "--reference", "pixels", "--reference", models[0])
    text = lookalikes(*command, "--fusion", "min", "--pairs", 25, "--out", "run").summary
    assert json_of(home / "run" / "adversarial.csv")["fusion"]["method"] == "min"
    assert (
        f"leave-one-out 25 negatives mined without pixels 25 negatives mined without {models[0]}"
        in text
    )
    assert "leave-one-out run/adversarial.without-pixels.csv" in text
    assert "(pairs mined by" in text
    assert "one of 2 that mined this set:" in text
    assert "leave-one-out: pairs it did" in text
    with (home / "run" / "leaderboard.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["pairs_mined_by"] for row in rows if row["set"] == "adversarial"] == [
        "", models[0], "", "pixels",
    ]  # fmt: skip


def test_a_title_is_never_cut(home, models):
    """However long, it and the note beside it are folded."""
    command = ("build", "faces", "--reference", "pixels", "--reference", models[1])
    out = lookalikes(*command, "--model", models[0], "--pairs", 9, "--published", "--out", "r").out
    board = out[out.index("adversarial pairs") :]
    board = "".join(board[: board.index("stage")].split())
    for note in ("oneof2thatminedthisset:", "0301_cls_resnet152,contrastive+", "crossentropy"):
        assert note in board


def test_what_the_figures_and_the_report_show(home, models, monkeypatch):
    figures, drawn, reports = {}, [], []
    stage = mining.commands.build_report
    monkeypatch.setattr(stage, "save_figure", lambda data, path: figures.update({path.stem: data}))
    monkeypatch.setattr(stage, "write_report", lambda report, path: reports.append(report))
    monkeypatch.setattr(stage.figures, "pair_columns", lambda pairs, scores, **_: (pairs, scores))
    monkeypatch.setattr(stage, "draw_figures", lambda shown, *_: drawn.append(shown) or [])
    names = ["pixels", models[0]]
    run = build("faces", names, out="run", models=models[1:], pairs=25)
    mined = mine_together(sources_of(run, names), 25)
    (report,) = reports
    assert dict(report.facts)["Reference models"] == f"pixels, {models[0]} (mean of quantiles)"
    assert "Reference model" not in dict(report.facts)
    # Of one reference alone there is a `scores.png` more.
    assert {*figures} == {"adversarial", "random"}
    for name in names:
        groups = model_scores(drawn[0], name).groups
        own = run.scores["adversarial"][name][run.adversarial.negatives]
        assert groups["adversarial negatives"].tolist() == own.tolist()
    hardest = list(zip(mined.path_a, mined.path_b, strict=True))
    assert figures["adversarial"] == (
        run.faces.locate_pairs(mined.path_a[:10], mined.path_b[:10]),
        None,
    )
    assert figures["random"][1] is None
    shown = report.gallery[:25]
    assert [(pair.path_a, pair.path_b) for pair in shown] == hardest
    assert [pair.rank for pair in shown] == list(range(1, 26))
    assert not any(pair.rank or pair.quantiles for pair in report.gallery[25:])
    assert [pair.quantiles for pair in shown] == [
        dict(zip(names, row, strict=True)) for row in mined.quantiles.tolist()
    ]
    assert [item.model for item in report.scores] == [*names, models[1]]


def test_mine(home, models):
    run = build("faces", ["pixels", models[0]], out="run", pairs=25, fusion="min", seed=3)
    folders = [source.folder for source in sources_of(run, ["pixels", models[0]]).values()]
    command = ("mine", *folders, "--fusion", "min", "--pairs", 25, "--seed", 3)
    text = lookalikes(*command, "--test-pairs", "run/random.csv", "--out", "m.csv").summary
    for end in (".csv", ".scores.csv"):
        assert (home / f"m{end}").read_bytes() == (home / f"run/adversarial{end}").read_bytes()
    assert (home / "m.scores.csv").read_text().startswith(",".join((*HEADER, QUANTILE)))
    manifest, built = json_of(home / "m.csv"), json_of(home / "run" / "adversarial.csv")
    assert manifest["references"] == built["references"]
    assert manifest["fusion"] == built["fusion"]
    assert manifest["inputs"]["images_sha256"] == 2 * [built["inputs"]["images_sha256"]]
    assert manifest["parameters"]["index"] == "exact"
    # What a table needs alone, no pair file tells of.
    assert "leave-one-out" not in text
    assert {row["stage"] for row in manifest["funnel"]} == {"mine", "positives"}
    assert not list(home.glob("*without*"))


def test_evaluate_marks_each_that_mined(home, models, undrawn):
    names = ["pixels", models[0]]
    run = build("faces", names, out="run", models=models[1:], pairs=25)
    folders = {name: one.folder for name, one in sources_of(run, [*names, models[1]]).items()}

    def notes(**options):
        board = evaluate_pairs(
            run.folder.pairs("adversarial"), encoding=EmbeddingOptions(), **options
        )
        return {entry.model: entry.note for entry in board.leaderboard.entries}

    mined = "one of 2 that mined this set: not comparable"
    every = {"pixels": mined, models[0]: mined, models[1]: ""}
    assert notes(scores=[Named(run.folder.root / "adversarial.scores.csv")]) == every
    # With vectors it is known, too, that one follows another.
    kin = f"kin of {models[0]}: not comparable on its pairs"
    assert notes(embeddings=folders.values()) == every | {models[1]: kin}
    # One that is not in the table has mined it all the same.
    assert notes(embeddings=[folders[models[0]], folders[models[1]]]) == {
        models[0]: mined, models[1]: kin,
    }  # fmt: skip


def test_miners_that_share_a_short_name_are_told_apart(home, models, undrawn):
    """Of two models of one name, marked is the one whose weights mined."""
    run = build("faces", ["pixels", models[0]], out="run", pairs=25)
    path = run.folder.pairs("adversarial")
    content = json_of(path)
    content["references"][0]["fingerprint"] = "another"
    path.with_suffix(".json").write_text(json.dumps(content))
    folders = [one.folder for one in sources_of(run, run.references).values()]
    board = evaluate_pairs(path, embeddings=folders, encoding=EmbeddingOptions()).leaderboard
    assert [entry.comparable for entry in board.entries] == [True, False]
    assert board.entries[1].note.startswith("one of 2 ")


@pytest.mark.parametrize(
    "content", [{"references": "pixels"}, {"references": [{"model": "pixels"}]}, [], {}]
)
def test_a_manifest_that_names_no_reference_properly_marks_none(home, content):
    run = build("faces", "pixels", out="run", pairs=5)
    path = run.folder.pairs("adversarial")
    path.with_suffix(".json").write_text(json.dumps(content))
    board = evaluate_pairs(
        path, faces=home / "faces", models=["pixels"], encoding=EmbeddingOptions()
    )
    assert [entry.comparable for entry in board.leaderboard.entries] == [True]


def test_what_is_not_certain_is_said_once(home, models, undrawn, monkeypatch):
    monkeypatch.setattr(mining.miners.search, "mine_together", partial(mine_together, limit=30))
    run = build("faces", ["pixels", models[1]], out="run", pairs=30)
    together = mine_together(sources_of(run, ["pixels", models[1]]), 30, limit=30)
    assert not together.exact
    assert fusion_warnings(together)[0] in run.warnings
    assert not any("Better pairs" in warning for warning in run.warnings)
    content = json_of(home / "run" / "adversarial.csv")
    assert content["fusion"] == {
        "method": "mean", "sure": together.sure, "exact": False, "limit": 30,
    }  # fmt: skip
    assert content["mined"]["exact"] is False


def test_what_cannot_be_fused_is_refused_before_the_work(home, models):
    with pytest.raises(FusionError, match="no reference to mine with"):
        build("faces", [], out="run")
    with pytest.raises(FusionError, match="by 'max'; expected one of mean, min"):
        build("faces", ["pixels", models[0]], out="run", fusion="max")
    with pytest.raises(RulesError, match="margin with several references"):
        build("faces", ["pixels", models[0]], out="run", rules=Rules(margin=0.1))
    with pytest.raises(FusionError, match="reference pixels is given twice"):
        build("faces", ["pixels", models[0], "pixels"], out="run")
    assert not (home / "run").exists()


def test_one_model_under_two_names_is_refused(home, models, monkeypatch):
    """It would be judged on pairs that it picked itself."""
    load = EmbeddingOptions.load

    def alike(self, spec):
        model = load(self, spec)
        model.fingerprint = "the same"
        return model

    monkeypatch.setattr(EmbeddingOptions, "load", alike)
    message = f"references {models[0]} and {models[1]} are one model: their fingerprints are equal"
    with pytest.raises(FusionError, match=message):
        build("faces", models, out="run")
    assert not (home / "run").exists()


def test_the_device_reaches_every_search(home, models, undrawn, monkeypatch):
    given = []
    search = FlatIndex.top_pairs

    def noted(self, *arguments, how=None, **options):
        given.append(how.device)
        return search(self, *arguments, how=how, **options)

    monkeypatch.setattr(FlatIndex, "top_pairs", noted)
    build(
        "faces", ["pixels", models[0]], out="two", pairs=9, encoding=EmbeddingOptions(device="cpu")
    )
    build("faces", "pixels", out="one", pairs=9, encoding=EmbeddingOptions(device="cpu"))
    # Two that mine, the hardest pairs of both, all pairs of both; one that mines, and all of its.
    assert given == ["cpu"] * (2 + 2 + 2 + 1 + 1)
    given.clear()
    build("faces", ["pixels", models[0]], out="auto", pairs=9)
    assert given == ["auto"] * 6
    given.clear()
    folder = next((home / "one" / "embeddings").iterdir())
    limit = ("--max-score", 0.99)  # what scores above is counted by a search of its own
    assert lookalikes("mine", folder, *limit, "--device", "cpu", "--out", "m.csv").code == 0
    assert given == ["cpu", "cpu"]
    assert search_on("mps") == SearchOptions(device="cpu")


def test_names_that_any_file_can_have(models):
    class Named:
        def __init__(self, name, fingerprint):
            self.name, self.fingerprint = name, fingerprint

    given = [("timm:a.b@x/1.pth", "12345678"), ("timm:A.B@2.pth", "abcdefgh"), ("pixels", "9")]
    assert plain_names([Named(*one) for one in given]) == [
        "timm-a.b-12345678",
        "timm-A.B-abcdefgh",
        "pixels",
    ]
    assert plain_names([load_model(models[0])]) == ["python-means-colours"]
