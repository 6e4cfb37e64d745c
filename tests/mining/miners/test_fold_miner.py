"""Mining within folds: no identity in two of them, and the hardest pairs of each alone."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter

import numpy as np
import pytest
from support import oracle
from support.flat_calls import mine_pairs

import mining.miners.fold_miner
from mining import Rules
from mining.errors import FusionError, RulesError
from mining.suspects.evidence import Drop
from pairsets import Faces, PairSet, PairSetError
from pairsets.errors import OutputError
from pairsets.faces import identity_of
from pairsets.files.folds import Folds
from pairsets.files.identity_folds import IdentityFolds
from pairsets.files.score_files import read_quantiles, read_ranks, read_scores
from pairsets.files.side_files import folds_of, identity_folds_of
from pairsets.files.suspects import Suspects
from pairsets.random_set import random_pairs

NAMES = ("asuka_(eva)", "rei & rei", "橘_雪", "saber_(fate__zero)", "a, b", "É")


def write_embeddings(folder, paths, vectors, model="pixels"):
    """A finished folder of embeddings of these vectors."""
    folder.mkdir(parents=True)
    order = np.argsort(paths)
    np.save(folder / "vectors.npy", np.asarray(vectors, np.float32)[order])
    with (folder / "images.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerows([("path", "sha256"), *((paths[at], "0" * 64) for at in order)])
    digest = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ("images.csv", "vectors.npy")
    }
    manifest = {
        "schema": 1,
        "model": model,
        "fingerprint": f"of {model}",
        "similarity": "inner_product",
        "images": len(paths),
        "dimensions": len(vectors[0]),
        "skipped": {},
        "images_sha256": digest["images.csv"],
        "vectors_sha256": digest["vectors.npy"],
        "provenance": {},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def cast(identities, seed=0):
    """Paths of 1 to 6 faces of so many identities, with vectors of few values: full of ties."""
    generator = np.random.default_rng(seed)
    paths = [
        f"{NAMES[at % len(NAMES)]}_{at}/{number}.jpg"
        for at in range(identities)
        for number in range(int(generator.integers(1, 7)))
    ]
    return paths, generator.integers(-2, 3, (len(paths), 4))


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    """40 identities, and the same ones by another model."""
    root = tmp_path_factory.mktemp("embedded")
    paths, vectors = cast(40)
    write_embeddings(root / "one", paths, vectors)
    other = np.random.default_rng(9).integers(-3, 4, (len(paths), 5))
    write_embeddings(root / "two", paths, other, "second")
    return root


def read(out):
    """Pairs, folds of the pairs, folds of the identities, ranks."""
    pairs = PairSet.read(out)
    with identity_folds_of(out).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == ["identity", "fold"]
    folds = Folds.read(folds_of(out), pairs)
    ranks = read_ranks(out.with_suffix(".scores.csv"), pairs)
    return pairs, folds, {name: int(fold) for name, fold in rows[1:]}, ranks


def naive(paths, vectors, inside, n, *, same=False):
    """The n hardest pairs of the faces in a fold, by a double loop over all of them."""
    rows = [row for row in np.argsort(paths) if identity_of(paths[row]) in inside]
    own = np.asarray(vectors)[rows]
    groups = [identity_of(paths[row]) for row in rows]
    find = oracle.bottom_pairs if same else oracle.top_pairs
    return [(paths[rows[i]], paths[rows[j]]) for i, j, _ in find(own, groups, n)]


@pytest.mark.parametrize("label", ["negative", "positive"])
@pytest.mark.parametrize("folds", [2, 5])
def test_each_fold_is_mined_alone_as_the_double_loop_mines_it(embedded, tmp_path, folds, label):
    paths, vectors = cast(40)
    out, each = tmp_path / "out.csv", 40 // folds
    made = mine_pairs(embedded / "one", out, pairs=40, folds=folds, label=label)
    pairs, numbers, identities, ranks = read(out)
    assert {*identities} == {*map(identity_of, paths)}
    assert {*made.files} > {folds_of(out), identity_folds_of(out)}
    own = int(label == "positive")
    for fold in range(1, folds + 1):
        rows = np.flatnonzero(numbers.numbers == fold)
        # Positives, then negatives, fold by fold: LFW's order.
        assert rows.tolist() == list(range(2 * each * (fold - 1), 2 * each * fold))
        assert pairs.label[rows].tolist() == [1] * each + [0] * each
        inside = {name for name, number in identities.items() if number == fold}
        ends = [*pairs.path_a[rows], *pairs.path_b[rows]]
        assert {*map(identity_of, ends)} <= inside
        mined = rows[pairs.label[rows] == own]
        assert ranks[mined].tolist() == list(range(1, each + 1))
        assert not ranks[rows[pairs.label[rows] != own]].any()
        found = list(zip(pairs.path_a[mined], pairs.path_b[mined], strict=True))
        assert found == naive(paths, vectors, inside, each, same=bool(own))


def test_the_same_bytes_whatever_the_device_and_again(embedded, tmp_path):
    def contents(name, **options):
        out = tmp_path / name / "out.csv"
        mine_pairs(embedded / "one", out, pairs=40, folds=4, **options)
        return {path.name: path.read_bytes() for path in out.parent.iterdir()}

    first = contents("a")
    assert {*first} == {
        "out.csv", "out.json", "out.scores.csv", "out.folds.csv", "out.identity_folds.csv"
    }  # fmt: skip
    assert contents("b", device="cpu") == first
    assert contents("c", seed=1)["out.identity_folds.csv"] != first["out.identity_folds.csv"]


def test_the_manifest_and_the_funnel_account_for_every_pair(embedded, tmp_path):
    out = tmp_path / "out.csv"
    paths, _ = cast(40)
    (tmp_path / "ignore.csv").write_text("5.jpg\nnobody.jpg\n")
    made = mine_pairs(embedded / "one", out, pairs=42, folds=4, ignore_list=tmp_path / "ignore.csv")
    assert "42 pairs of different identities do not divide by 4 folds: each has 10, all 40." in (
        made.warnings
    )
    kept = [path for path in paths if not path.endswith("/5.jpg")]
    sizes = Counter(map(identity_of, kept))
    negatives = (len(kept) ** 2 - sum(size**2 for size in sizes.values())) // 2
    counts = {row.what: row.count for row in made.funnel if row.stage == "mine"}
    assert counts["faces on the ignore list"] == len(paths) - len(kept)
    assert counts["names on the ignore list that no face has"] == 1
    assert counts["adversarial negatives"] == 40
    apart = counts["pairs of identities of two folds"]
    assert apart + counts["pairs of different identities, less alike"] + 40 == negatives
    positives = sum(size * (size - 1) // 2 for size in sizes.values())
    assert counts["pairs of one identity"] == positives
    content = json.loads(out.with_suffix(".json").read_text())
    assert content["parameters"]["folds"] == {"count": 4, "mined": 10, "joined": 10}
    assert [fold["identities"] for fold in content["mined"]["folds"]] == [10] * 4
    assert content["pairs"] == {"positives": 40, "negatives": 40, "invalid": 0}
    assert made.hubness["mined pairs"].pairs == 40


def test_rules_hold_in_every_fold(embedded, tmp_path):
    """A face that the caps let through is in one fold alone, so that they hold over all."""
    out = tmp_path / "out.csv"
    plain = tmp_path / "plain.csv"
    mine_pairs(embedded / "one", plain, pairs=40, folds=2)
    hardest = PairSet.read(plain)
    hardest.take(hardest.label == 0).write(tmp_path / "seen.csv")
    rules = Rules(max_per_image=1, max_per_identity_pair=1, max_score=6)
    mine_pairs(
        embedded / "one", out, pairs=16, folds=2, rules=rules, exclude=[tmp_path / "seen.csv"]
    )
    pairs = PairSet.read(out)
    mined = pairs.take(pairs.label == 0)
    assert max(Counter([*mined.path_a, *mined.path_b]).values()) == 1
    assert not {*mined.keys} & {*hardest.keys}
    mine_pairs(
        embedded / "one", plain, pairs=40, folds=2, exclude=[tmp_path / "seen.csv"], overwrite=True
    )
    others = PairSet.read(plain)
    assert not {*others.take(others.label == 0).keys} & {*hardest.take(hardest.label == 0).keys}
    scores = read_scores(out.with_suffix(".scores.csv"), pairs)["pixels"]
    assert scores[pairs.label == 0].max() <= 6


def test_several_references_are_fused_within_each_fold(embedded, tmp_path):
    out = tmp_path / "out.csv"
    made = mine_pairs([embedded / "one", embedded / "two"], out, pairs=20, folds=2)
    pairs, numbers, *_ = read(out)
    quantiles = read_quantiles(out.with_suffix(".scores.csv"), pairs)
    assert {*quantiles} == {"pixels", "second"}
    fused = (quantiles["pixels"] + quantiles["second"]) / 2
    assert np.isnan(fused[pairs.label == 1]).all()
    scores = read_scores(out.with_suffix(".scores.csv"), pairs)
    for fold in (1, 2):
        rows = np.flatnonzero((numbers.numbers == fold) & (pairs.label == 0))
        assert (np.diff(fused[rows]) <= 1e-12).all()
        for name in quantiles:
            # A model's quantile is that of its score, among the pairs of the fold.
            by_score = np.lexsort((quantiles[name][rows], scores[name][rows]))
            assert (np.diff(quantiles[name][rows][by_score]) >= 0).all()
    content = json.loads(out.with_suffix(".json").read_text())
    assert content["fusion"]["sure"] == 20
    assert content["mined"]["exact"] is content["fusion"]["exact"] is True
    assert not any("certainly" in text for text in made.warnings)
    with pytest.raises(FusionError, match="hard positives of several references"):
        mine_pairs(
            [embedded / "one", embedded / "two"], out, pairs=20, folds=2, label="positive",
            overwrite=True,
        )  # fmt: skip


def test_folds_that_a_file_names(embedded, tmp_path):
    paths, vectors = cast(40)
    names = sorted({*map(identity_of, paths)})
    given = {name: 1 + at % 3 for at, name in enumerate(names[:30])}
    with (tmp_path / "folds.csv").open("w", encoding="utf-8", newline="") as stream:
        rows = [(name.replace("__", "/"), fold) for name, fold in given.items()]
        csv.writer(stream).writerows([("identity", "fold"), *rows[::-1], ("nobody", 2)])
    out = tmp_path / "out.csv"
    made = mine_pairs(embedded / "one", out, pairs=30, folds=tmp_path / "folds.csv")
    pairs, numbers, identities, _ = read(out)
    assert identities == given
    for fold in (1, 2, 3):
        mine = (numbers.numbers == fold) & (pairs.label == 0)
        inside = {name for name, number in given.items() if number == fold}
        found = list(zip(pairs.path_a[mine], pairs.path_b[mine], strict=True))
        assert found == naive(paths, vectors, inside, 10)
    left = sum(identity_of(path) not in given for path in paths)
    counts = {row.what: row.count for row in made.funnel}
    assert counts["faces of identities in no fold"] == left
    assert any("1 of the identities in the file of folds" in text for text in made.warnings)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty; expected the header identity,fold"),
        ("rei,1\n", "line 1: expected the header identity,fold, got rei,1"),
        ("identity,fold\nrei,1\nrei,2\n", "line 3: 'rei' has a fold already, in line 2"),
        ("identity,fold\nrei,0\n", "line 2: fold '0'; expected 1, 2"),
        ("identity,fold\nrei,x\n", "line 2: fold 'x'"),
        ("identity,fold\nrei (a, b),1\n", "line 2: 3 values.*is a comma in one not quoted"),
        ("identity,fold\nrei,1\nasuka,3\n", "no identity of these faces in fold 2"),
        ("identity,fold\nrei,1\nasuka,2147483647\n", "no identity of these faces in fold 2"),
        ("identity,fold\nrei,1\nasuka,1\n", "1 fold; expected two or more"),
        ("identity,fold\nmisato,1\nshinji,2\n", "none of its 2 identities is among the 2"),
        ('identity,fold\n"rei,1\n', "not CSV"),
    ],
)
def test_files_of_folds_that_are_refused(tmp_path, text, message):
    path = tmp_path / "folds.csv"
    path.write_text(text)
    faces = Faces.of_paths(tmp_path, ["asuka/1", "asuka/2", "rei/1", "rei/2"])
    with pytest.raises(PairSetError, match=message):
        IdentityFolds.read(path, faces)


@pytest.mark.parametrize("count", [2, 3, 7, 10])
def test_folds_are_drawn_evenly_and_whatever_the_order_of_the_faces(count):
    generator = np.random.default_rng(count)
    sizes = generator.geometric(0.2, 200)
    paths = [f"c{at:03}/{n}" for at, size in enumerate(sizes) for n in range(size)]
    faces = Faces.of_paths("x", paths)
    found = IdentityFolds.drawn(faces, count, seed=3)
    assert {*found.numbers} == {*faces.identities}
    assert max(found.sizes) - min(found.sizes) <= 1
    assert sum(found.sizes) == 200
    images = np.bincount(found.of(faces.identities))[1:]
    # Dealt in order of their size, folds differ by the largest identity at most.
    assert images.max() - images.min() <= sizes.max()
    shuffled = Faces.of_paths("x", generator.permutation(paths).tolist())
    assert IdentityFolds.drawn(shuffled, count, seed=3).numbers == found.numbers
    assert IdentityFolds.drawn(faces, count, seed=4).numbers != found.numbers


def test_an_identity_that_is_all_ignored_is_in_no_fold():
    faces = Faces.of_paths("x", [f"{name}/{name}{n}" for name in "abcdef" for n in range(2)])
    found = IdentityFolds.drawn(faces, 2, ignore=["c0", "c1", "d0"])
    assert {*found.numbers} == {*"abdef"}
    with pytest.raises(PairSetError, match="ask for 2 folds at most"):
        IdentityFolds.drawn(faces, 4, ignore=["c0", "c1"])


def test_positives_that_are_given_join_the_fold_that_they_lie_in(embedded, tmp_path):
    paths, _ = cast(40)
    faces = Faces.of_paths("x", sorted(paths))
    test = random_pairs(faces, positives=150, negatives=30, seed=5)
    test.write(tmp_path / "test.csv")
    out = tmp_path / "out.csv"
    made = mine_pairs(embedded / "one", out, pairs=40, folds=4, test_pairs=tmp_path / "test.csv")
    pairs, numbers, _, _ = read(out)
    joined = pairs.take(pairs.label == 1)
    assert {*joined.keys} <= {*test.take(test.label == 1).keys}
    assert np.bincount(numbers.numbers[pairs.label == 1]).tolist() == [0, 10, 10, 10, 10]
    counts = {row.what: row.count for row in made.funnel if row.stage == "positives"}
    assert counts["more than the fold with fewest has"] + len(joined) == 150
    # Fewer than are mined: as many in each fold, and the user is told.
    made = mine_pairs(
        embedded / "one", out, pairs=400, folds=4, test_pairs=tmp_path / "test.csv", overwrite=True
    )
    pairs, numbers, identities, _ = read(out)
    own = Counter(identities[identity_of(path)] for path in test.path_a[test.label == 1])
    fewest = min(own.values())
    assert np.bincount(numbers.numbers[pairs.label == 1])[1:].tolist() == [fewest] * 4
    assert any(f"100 pairs of different identities and {fewest} pairs" in w for w in made.warnings)


def test_negatives_of_two_folds_do_not_join_hard_positives(embedded, tmp_path):
    paths, _ = cast(40)
    test = random_pairs(Faces.of_paths("x", sorted(paths)), positives=0, negatives=300, seed=5)
    test.write(tmp_path / "test.csv")
    out = tmp_path / "out.csv"
    made = mine_pairs(
        embedded / "one", out, pairs=20, folds=2, label="positive",
        test_pairs=tmp_path / "test.csv",
    )  # fmt: skip
    pairs, _, identities, _ = read(out)
    negatives = pairs.take(pairs.label == 0)
    assert {*negatives.keys} <= {*test.keys}
    ends = zip(negatives.path_a, negatives.path_b, strict=True)
    assert all(identities[identity_of(a)] == identities[identity_of(b)] for a, b in ends)
    counts = {row.what: row.count for row in made.funnel if row.stage == "negatives"}
    across = sum(
        identities[identity_of(a)] != identities[identity_of(b)]
        for a, b in zip(test.path_a, test.path_b, strict=True)
    )
    assert counts["with identities of two folds"] == across
    assert counts["negatives taken over"] == len(negatives) == 20


def test_too_few_pairs_in_a_fold(embedded, tmp_path):
    out = tmp_path / "out.csv"

    def refused(error, message, **options):
        with pytest.raises(error, match=message):
            mine_pairs(embedded / "one", out, **{"pairs": 40, "folds": 4, **options})
        assert not out.exists()

    refused(PairSetError, r"fold \d of 4: its 10 identities have .* and every fold needs 25,000",
            pairs=100_000)  # fmt: skip
    refused(PairSetError, r"fold \d of 4: its 10 identities have \d+ pairs of one identity, and",
            positives=1_000)  # fmt: skip
    refused(PairSetError, r"fold \d of 4: \d+ pairs of different identities of its own were found,"
            r" and every fold needs 10; ask for \d+ pairs at most",
            rules=Rules(max_per_identity=1))  # fmt: skip
    refused(RulesError, "fold 1 of 4: no pair of different identities keeps to the rules",
            rules=Rules(min_score=1000))  # fmt: skip
    refused(PairSetError, "3 pairs for 4 folds; expected one or more in each", pairs=3)
    refused(PairSetError, "1 folds; expected two or more", folds=1)
    refused(PairSetError, "40 identities for 30 folds.*ask for 20 folds at most", folds=30)


def test_a_fold_that_is_done_is_not_mined_again(embedded, tmp_path, monkeypatch):
    whole, out = tmp_path / "whole.csv", tmp_path / "out" / "whole.csv"
    mine_pairs([embedded / "one", embedded / "two"], whole, pairs=40, folds=4)
    mined = mining.miners.fold_miner._mined
    calls = []

    def interrupted(search, sources, shares, fold, *rest):
        calls.append(fold)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return mined(search, sources, shares, fold, *rest)

    monkeypatch.setattr(mining.miners.fold_miner, "_mined", interrupted)
    with pytest.raises(KeyboardInterrupt):
        mine_pairs([embedded / "one", embedded / "two"], out, pairs=40, folds=4)
    assert not out.exists()
    mine_pairs([embedded / "one", embedded / "two"], out, pairs=40, folds=4)
    assert calls == [1, 2, 3, 3, 4]
    for suffix in (".csv", ".json", ".scores.csv", ".folds.csv", ".identity_folds.csv"):
        assert out.with_suffix(suffix).read_bytes() == whole.with_suffix(suffix).read_bytes()
    assert not [path.name for path in out.parent.iterdir() if "partial" in path.name]
    # What was kept of another search is not taken for this one's.
    calls.clear()
    with pytest.raises(KeyboardInterrupt):
        mine_pairs(embedded / "one", out, pairs=40, folds=4, overwrite=True)
    calls[:] = [0, 0, 0]
    mine_pairs(embedded / "one", out, pairs=40, folds=4, seed=1, overwrite=True)
    assert calls == [0, 0, 0, 1, 2, 3, 4]


def interrupt_after(count, monkeypatch):
    """Let folds be mined until so many are done; returns what lets all be mined again."""
    mined = mining.miners.fold_miner._mined

    def interrupted(search, sources, shares, fold, *rest):
        if fold > count:
            raise KeyboardInterrupt
        return mined(search, sources, shares, fold, *rest)

    monkeypatch.setattr(mining.miners.fold_miner, "_mined", interrupted)
    return lambda: monkeypatch.setattr(mining.miners.fold_miner, "_mined", mined)


def test_folds_that_another_model_mined_are_not_taken_for_this_ones(
    embedded, tmp_path, monkeypatch
):
    # The same images, so that only the vectors tell the folders apart.
    whole, out = tmp_path / "whole.csv", tmp_path / "out" / "whole.csv"
    mine_pairs(embedded / "two", whole, pairs=40, folds=4)
    go_on = interrupt_after(2, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        mine_pairs(embedded / "one", out, pairs=40, folds=4)
    go_on()
    mine_pairs(embedded / "two", out, pairs=40, folds=4)
    assert out.read_bytes() == whole.read_bytes()


def test_suspects_of_other_work_are_not_taken_for_this_ones(embedded, tmp_path, monkeypatch):
    out, aliases = tmp_path / "out.csv", tmp_path / "aliases.csv"
    aliases.write_text("identity,alias\nnobody,no one\n")
    drop = Drop(("alias",), aliases=aliases)
    for asked in (drop, None):
        go_on = interrupt_after(2, monkeypatch)
        with pytest.raises(KeyboardInterrupt):
            mine_pairs(embedded / "one", out, pairs=40, folds=4, drop=asked)
        go_on()
    mine_pairs(embedded / "one", out, pairs=40, folds=4)
    assert out.exists()
    assert not out.with_suffix(".suspects.csv").exists()
    assert not [path.name for path in tmp_path.iterdir() if "partial" in path.name]


def test_suspects_are_dropped_in_every_fold(tmp_path):
    paths, vectors = cast(40)
    write_embeddings(tmp_path / "one", paths, vectors)
    out = tmp_path / "out.csv"
    plain = tmp_path / "plain.csv"
    mine_pairs(tmp_path / "one", plain, pairs=20, folds=2)
    hardest = PairSet.read(plain)
    hardest = hardest.take(hardest.label == 0)
    first = [tuple(map(identity_of, (hardest.path_a[row], hardest.path_b[row]))) for row in (0, 10)]
    with (tmp_path / "aliases.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("identity", "alias"), *first])
    made = mine_pairs(
        tmp_path / "one", out, pairs=20, folds=2,
        drop=Drop(("alias",), aliases=tmp_path / "aliases.csv"),
    )  # fmt: skip
    pairs = PairSet.read(out)
    taken = {frozenset(map(identity_of, key)) for key in pairs.take(pairs.label == 0).keys}
    assert not taken & {frozenset(two) for two in first}
    assert len(pairs) == 40
    looked = Suspects.read(out.with_suffix(".suspects.csv"))
    dropped = {frozenset(map(identity_of, (a, b))) for a, b, gone in
               zip(looked.path_a, looked.path_b, looked.dropped, strict=True) if gone}  # fmt: skip
    assert {frozenset(two) for two in first} <= dropped
    (row,) = [row for row in made.funnel if row.stage == "suspects"]
    assert row.count == int(looked.dropped.sum())


def test_folds_of_an_older_set_do_not_stay_beside_one_without(embedded, tmp_path):
    out = tmp_path / "out.csv"
    folds_of(out).write_text("somebody's own\n")
    with pytest.raises(OutputError, match=r"out\.folds\.csv: exists"):
        mine_pairs(embedded / "one", out, pairs=20, folds=2)
    mine_pairs(embedded / "one", out, pairs=20)
    assert folds_of(out).read_text() == "somebody's own\n"
    mine_pairs(embedded / "one", out, pairs=20, folds=2, overwrite=True)
    assert identity_folds_of(out).exists()
    mine_pairs(embedded / "one", out, pairs=20, overwrite=True)
    assert not folds_of(out).exists()
    assert not identity_folds_of(out).exists()
