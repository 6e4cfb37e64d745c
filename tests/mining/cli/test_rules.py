"""Rules, exclusions and hard positives as a user meets them: files, manifest and summary."""

from __future__ import annotations

import csv
import json
from collections import Counter

import numpy as np
import pytest
from support.command_line import lookalikes

import mining.miners.search
import mining.ranking.warnings
from mining import Embeddings, Rules, mine_negatives, mine_positives, score_pairs
from mining.miners.negatives import adversarial_pairs
from pairsets import Hubness, PairSet, random_pairs
from pairsets.faces import identity_of
from pairsets.storage.digests import sha256

NO_RULES = dict.fromkeys(
    [
        "min_score", "max_score", "margin", "relative_margin", "max_per_image",
        "max_per_identity", "max_per_identity_pair",
    ]
)  # fmt: skip


@pytest.fixture
def home(faces_folder, monkeypatch):
    """The folder that holds `faces` and their `embeddings`, which commands run in."""
    monkeypatch.chdir(faces_folder.parent)
    assert lookalikes("embed", "faces", "--model", "pixels", "--out", "embeddings").code == 0
    return faces_folder.parent


def manifest(path):
    return json.loads(path.with_suffix(".json").read_text("utf-8"))


def rows_of(pairs, label=0):
    kept = pairs.label == label
    return list(zip(pairs.path_a[kept], pairs.path_b[kept], strict=True))


def most(pairs, part=str):
    return max(Counter(part(path) for pair in pairs for path in pair).values())


def test_caps_before_and_after(home):
    command = ("mine", "embeddings", "--pairs", 12, "--positives", 4)
    plain = lookalikes(*command, "--out", "plain.csv").summary
    assert "who fills the pairs mined pairs" in plain
    assert "looked through" not in plain
    caps = ("--max-per-image", 2, "--max-per-identity", 6, "--max-per-identity-pair", 5)
    text = lookalikes(*command, *caps, "--out", "capped.csv").summary
    before, after = (rows_of(PairSet.read(f"{name}.csv")) for name in ("plain", "capped"))
    assert most(before) > 2 == most(after)
    assert most(before, identity_of) > 6 >= most(after, identity_of)
    depth = manifest(home / "capped.csv")["mined"]["depth"]
    assert f"{depth} best pairs looked through down to the last one taken" in text
    assert depth > 12
    assert "left out: pairs of different identities, over 2 of one image" in text
    hubs = [Hubness.of(*zip(*pairs, strict=True)) for pairs in (before, after)]
    assert "who fills the pairs before caps after caps" in text
    assert f"images {hubs[0].images} {hubs[1].images} identities" in text
    assert f"most pairs with one image {hubs[0].rows()[4][1]} {hubs[1].rows()[4][1]}" in text
    content = manifest(home / "capped.csv")
    assert content["mined"]["hubness"] == {
        name: json.loads(json.dumps(found.content()))
        for name, found in zip(("before caps", "after caps"), hubs, strict=True)
    }
    assert content["mined"]["exact"] is content["mined"]["depth_is_exact"] is True
    assert content["parameters"] == {
        **NO_RULES, "pairs": 12, "label": "negative", "positives": 4, "negatives": None, "seed": 0,
        "index": "exact", "recall": None, "max_per_image": 2, "max_per_identity": 6,
        "max_per_identity_pair": 5, "drop_suspects": [],
    }  # fmt: skip
    assert list(manifest(home / "plain.csv")["mined"]["hubness"]) == ["mined pairs"]
    assert NO_RULES.items() <= manifest(home / "plain.csv")["parameters"].items()


def funnel_of(path):
    return {row["what"]: row["count"] for row in manifest(path)["funnel"] if row["stage"] == "mine"}


def adds_up(path):
    """All pairs of the faces, those taken and those left out."""
    counts = {
        what: count
        for what, count in funnel_of(path).items()
        if what.startswith(("pairs of", "adversarial", "hard"))
    }
    return sum(counts.values()) == 18 * 17 // 2


def test_what_was_judged_is_not_mined_again(home):
    command = ("mine", "embeddings", "--pairs", 12)
    assert lookalikes(*command, "--out", "a.csv").code == 0
    (home / "more.csv").write_text("pathB,pathA\na/0.png,d & e/0.png\nsomebody/1.png,a/0.png\n")
    text = lookalikes(
        *command, "--exclude", "a.csv", "--exclude", "more.csv", "--max-score", 10, "--out", "b.csv"
    ).summary
    first, second = (rows_of(PairSet.read(f"{name}.csv")) for name in "ab")
    excluded = {*first, ("a/0.png", "d & e/0.png")}
    everything = mine_negatives(Embeddings.load("embeddings"), 135)
    ranked = list(zip(everything.path_a, everything.path_b, strict=True))
    expected = [pair for pair in ranked if pair not in excluded][:12]
    assert {*second} == {*expected}
    last = everything.scores[ranked.index(expected[-1])]
    place = ranked.index(("a/0.png", "d & e/0.png"))
    assert everything.scores[place] != last
    alike = 12 + (everything.scores[place] > last)
    assert funnel_of(home / "b.csv") == {
        "paths in the excluded pairs that no face has": 1,
        "pairs of one identity": 18,
        "pairs of different identities, excluded, else among the best": alike,
        "pairs of different identities, excluded, not among the best": 13 - alike,
        "pairs of different identities, scoring above 10": 0,
        "pairs of different identities, less alike": 135 - 13 - 12,
        "adversarial negatives": 12,
    }
    assert "1 left out: paths in the excluded pairs that no face has" in text
    assert "12 left out: pairs of different identities, excluded, else among the best" in text
    assert manifest(home / "b.csv")["inputs"]["exclude_sha256"] == [
        sha256(home / name) for name in ("a.csv", "more.csv")
    ]
    assert manifest(home / "a.csv")["inputs"]["exclude_sha256"] == []


def test_limits_and_margins(home):
    command = ("mine", "embeddings", "--pairs", 135)
    everything = mine_negatives(Embeddings.load("embeddings"), 135)
    low, high = sorted(everything.scores)[20], sorted(everything.scores)[100]
    limits = ("--min-score", repr(float(low)), "--max-score", repr(float(high)))
    text = lookalikes(*command, *limits, "--out", "a.csv").summary
    assert "81 adversarial negatives" in text
    assert "135 pairs were asked for, but only 81 exist that keep to the rules" in text
    counts = funnel_of(home / "a.csv")
    assert counts[f"pairs of different identities, scoring above {high:g}"] == 34
    assert counts["pairs of different identities, scoring too low"] == 20
    assert adds_up(home / "a.csv")
    # The twins b and c are nearly as alike as each is with itself.
    margins = ("--margin", 0.02, "--relative-margin", 0.01)
    text = lookalikes(*command, *margins, "--max-per-image", 9, "--out", "b.csv").summary
    pairs = PairSet.read("b.csv")
    assert not any({identity_of(a), identity_of(b)} == {"b", "c (twin)"} for a, b in rows_of(pairs))
    assert funnel_of(home / "b.csv")[
        "pairs of different identities, as alike as a face's own identity"
    ] >= 9  # fmt: skip
    assert "without a margin: neither face" not in text  # which 0 pairs are
    assert adds_up(home / "b.csv")
    assert manifest(home / "b.csv")["parameters"]["relative_margin"] == 0.01


def test_hard_positives(home):
    command = ("mine", "embeddings", "--label", "positive", "--pairs", 7, "--seed", 3)
    text = lookalikes(*command, "--negatives", 9, "--max-per-identity", 2, "--out", "p.csv").summary
    embeddings = Embeddings.load("embeddings")
    mined = mine_positives(embeddings, 7, rules=Rules(max_per_identity=2))
    drawn = random_pairs(embeddings.faces, positives=0, negatives=9, seed=3)
    pairs = PairSet.read("p.csv")
    assert pairs == adversarial_pairs(mined, drawn, seed=3)[0]
    assert (pairs.label.sum(), len(pairs)) == (7, 16)
    assert "7 hard positives" in text
    assert "9 negatives drawn at random" in text
    assert "135 left out: pairs of different identities" in text
    assert "pairs of one identity, over 2 of one identity" in text
    assert adds_up(home / "p.csv")
    content = manifest(home / "p.csv")
    assert content["kind"] == "hard positives"
    assert (content["parameters"]["label"], content["parameters"]["negatives"]) == ("positive", 9)
    with (home / "p.scores.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    ranked = sorted((row for row in rows if row["rank"]), key=lambda row: int(row["rank"]))
    assert [(row["pathA"], row["pathB"]) for row in ranked] == list(
        zip(mined.path_a, mined.path_b, strict=True)
    )
    scores = [float(row["score"]) for row in ranked]
    assert scores == sorted(scores) == mined.scores.tolist()
    lowest = score_pairs(random_pairs(embeddings.faces, positives=18, negatives=0), embeddings)
    assert scores[0] == lowest.min()


def test_hard_positives_with_the_negatives_of_test_pairs(home):
    test = PairSet.of(
        ["a/0.png", "a/2.png", "b/0.png", "a/0.png"],
        ["b/0.png", "b/2.png", "d & e/0.png", "a/1.png"],
        [0, 0, 0, 1],
        -1,
        [0, 1, 0, 0],
    )
    test.write(home / "test.csv")
    (home / "ignore.csv").write_text("1.png\n")
    command = ("mine", "embeddings", "--label", "positive", "--pairs", 99, "--test-pairs")
    text = lookalikes(*command, "test.csv", "--ignore-list", "ignore.csv", "--out", "p.csv").summary
    pairs = PairSet.read("p.csv")
    assert len(rows_of(pairs, 1)) == 6
    assert {*rows_of(pairs)} == {("a/0.png", "b/0.png"), ("b/0.png", "d & e/0.png")}
    assert not any(path.endswith("/1.png") for path in pairs.paths)
    assert "1 left out: marked invalid in the test pairs" in text
    assert "2 negatives taken over" in text
    assert "99 pairs were asked for, but only 6 exist." in text
    evaluated = lookalikes("evaluate", "p.csv", "--embeddings", "embeddings").summary
    assert "mined this set: not comparable" in evaluated


@pytest.fixture
def every_hub(monkeypatch):
    """What stands in more pairs than others at all counts as a hub."""
    monkeypatch.setattr(mining.ranking.warnings, "HUB_TIMES", 1)
    monkeypatch.setattr(mining.ranking.warnings, "HUB_PAIRS", 2)


def test_a_build_keeps_to_the_rules_too(home, every_hub, monkeypatch):
    reports = []
    monkeypatch.setattr(
        mining.commands.build_report, "write_report", lambda report, path: reports.append(report)
    )
    build = ("build", "faces", "--reference", "pixels", "--pairs", 9, "--no-floor", "--out")
    text = lookalikes(*build, "plain").summary
    assert "note Hubs fill the set: one image is in" in text
    assert "To spread it: --max-per-image N, --max-per-identity N" in text
    assert lookalikes("mine", "embeddings", "--pairs", 9, "--out", "m.csv").summary.count(
        "note Hubs fill the set: one image is in"
    ) == 1  # fmt: skip
    rules = ("--max-per-image", 1, "--min-score", -1, "--exclude", "plain/adversarial.csv")
    text = lookalikes(*build, "capped", *rules).summary
    assert "one image is in" not in text
    assert "before caps after caps" in text
    plain, capped = (PairSet.read(f"{name}/adversarial.csv") for name in ("plain", "capped"))
    assert most(rows_of(capped)) == 1
    assert not {*rows_of(plain)} & {*rows_of(capped)}
    content = manifest(home / "capped" / "adversarial.csv")
    assert content["parameters"]["max_per_image"] == 1
    assert content["parameters"]["min_score"] == -1
    assert content["inputs"]["exclude_sha256"] == [sha256(home / "plain" / "adversarial.csv")]
    assert list(content["mined"]["hubness"]) == ["before caps", "after caps"]
    assert "mined" not in manifest(home / "capped" / "random.csv")
    assert reports[0].hubness == {"mined pairs": Hubness.of_negatives(plain)}
    assert list(reports[1].hubness) == ["before caps", "after caps"]
    assert reports[1].hubness["after caps"] == Hubness.of_negatives(capped)


def test_a_build_hands_its_checkpoint_on(home, monkeypatch):
    given = []

    def stop(*_, checkpoint, **__):
        assert checkpoint.parent.is_dir()
        given.append(checkpoint)
        raise KeyboardInterrupt

    monkeypatch.setattr(mining.miners.search, "mine_negatives", stop)
    build = ("build", "faces", "--reference", "pixels", "--no-floor", "--out", "run")
    assert lookalikes(*build).code == 130
    assert lookalikes("mine", "embeddings", "--out", "deep/a.csv").code == 130
    assert [path.as_posix() for path in given] == ["run/search.partial.npz", "deep/a.partial.npz"]


def test_no_mined_pair_at_all(home):
    message = lookalikes("mine", "embeddings", "--min-score", 9, "--out", "a.csv").message
    assert message == "no pair of different identities keeps to the rules (min_score); loosen them"
    message = lookalikes("mine", "embeddings", "--max-score", -9, "--out", "a.csv").message
    assert message == (
        "no pair of different identities keeps to the rules (max_score): "
        "135 scoring above -9; loosen them"
    )
    mine = ("mine", "embeddings", "--label", "positive", "--min-score", 9, "--out", "a.csv")
    assert lookalikes(*mine).message == (
        "no pair of one identity keeps to the rules (min_score): 18 scoring below 9; loosen them"
    )
    build = ("build", "faces", "--reference", "pixels", "--min-score", 9, "--out", "run")
    assert "no pair of different identities keeps to the rules" in lookalikes(*build).message
    assert not (home / "a.csv").exists()
    assert np.all([not path.exists() for path in home.glob("*.partial*")])


def test_a_file_in_the_place_of_a_checkpoint_is_kept(home):
    (home / "a.partial.npz").write_text("dear to somebody")
    message = lookalikes("mine", "embeddings", "--out", "a.csv").message
    assert message.startswith("a.partial.npz: not a checkpoint that can be read")
    assert (home / "a.partial.npz").read_text() == "dear to somebody"
    assert not (home / "a.csv").exists()
