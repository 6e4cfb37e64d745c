"""What a report shows: which pairs, in which order, and which curves and maps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
import pytest

from pairsets import Faces, PairSet
from pairsets.report import assembly
from pairsets.report.assembly import (
    confusions_of,
    draw_figures,
    hardness_of,
    model_scores,
    report_of,
)
from pairsets.report.differences import contrasts_of
from pairsets.report.gallery_links import GalleryViews
from pairsets.report.gallery_pairs import gallery_of
from pairsets.report.inputs import ReportInputs
from pairsets.tables.leaderboard import make_leaderboard
from pairsets.tables.published_rows import PUBLISHED, labelled_digest


def board(name, pairs, scores, **options):
    return make_leaderboard(name, pairs, scores, 0.25, draws=0, **options)


def pairs_of(negatives, positives, start=0, invalid=()):
    """Negatives between identities n0, n1, ..., positives within p0, p1, ...; by number."""
    first = [f"n{at}/a" for at in range(start, start + negatives)]
    second = [f"n{at}/b" for at in range(start + 1, start + negatives + 1)]
    first += [f"p{at}/a" for at in range(positives)]
    second += [f"p{at}/b" for at in range(positives)]
    label = [0] * negatives + [1] * positives
    marks = np.isin(np.arange(len(label)), invalid).astype(int)
    return PairSet.of(first, second, label, invalid=marks)


def shown_of(boards, **options):
    paths = sorted({path for one in boards for path in one.comparison.pairs.paths})
    return ReportInputs("title", Faces.of_paths(Path("faces"), paths), boards, **options)


def keys(gallery):
    return [(pair.set, pair.path_a, pair.rank) for pair in gallery]


@pytest.fixture
def shown():
    """A mined set and another, that have all positives and a negative in common."""
    hard = pairs_of(6, 4, invalid=[5])
    # Threshold at the FNR of 1/4: 7. The model takes n0 and n1 for others.
    a = np.array([8.0, 9, 1, 2, 3, 99, 6, 7, 8, 9])
    easy = pairs_of(4, 4, start=4)
    # The negative of n7 is taken for one; of the positives the first is missed here, too.
    b = np.array([0.0, 1, 2, 8, 6, 7, 8, 9])
    ranks = {"hard": np.array([3, 0, 1, 2, 0, 0, 0, 0, 0, 0])}
    return shown_of([board("easy", easy, {"M": b}), board("hard", hard, {"M": a})], ranks=ranks)


def test_mined_pairs_come_first_then_those_misjudged_then_the_rest(shown):
    choice = gallery_of(shown)
    gallery = choice.pairs
    assert choice.left_out == 0
    assert keys(gallery) == [
        ("hard", "n2/a", 1),
        ("hard", "n3/a", 2),
        ("hard", "n0/a", 3),
        # Misjudged, set after set.
        ("easy", "n7/a", 0),
        ("easy", "p0/a", 0),
        ("hard", "n1/a", 0),
        # The others; n5 is invalid in the one set, and counts in the other. n4 is in both, with
        # other scores.
        ("easy", "n4/a", 0),
        ("easy", "n5/a", 0),
        ("easy", "n6/a", 0),
        ("easy", "p1/a", 0),
        ("easy", "p2/a", 0),
        ("easy", "p3/a", 0),
        ("hard", "n4/a", 0),
    ]
    assert [pair.also for pair in gallery if pair.path_a[0] == "p"] == [("hard",)] * 4
    assert not [pair for pair in gallery if pair.path_a[0] == "n" and pair.also]


def test_a_pair_carries_the_scores_and_verdicts_of_the_set_it_is_shown_of(shown):
    gallery = gallery_of(shown).pairs
    by_name = {pair.path_a: pair for pair in gallery[::-1]}
    assert (by_name["n0/a"].scores, by_name["n0/a"].verdicts) == ({"M": 8.0}, {"M": True})
    assert (by_name["n7/a"].scores, by_name["n7/a"].verdicts) == ({"M": 8.0}, {"M": True})
    assert (by_name["p0/a"].label, by_name["p0/a"].verdicts) == (1, {"M": False})
    assert by_name["p1/a"].verdicts == {"M": True}
    assert (by_name["n4/a"].name_a, by_name["n4/a"].name_b) == ("n4", "n5")


def test_a_pair_is_shown_once_whatever_its_direction():
    one = pairs_of(5, 4)
    other = PairSet.of(one.path_b, one.path_a, one.label)
    values = {"M": np.arange(9.0)}
    choice = gallery_of(shown_of([board("x", one, values), board("y", other, values)]))
    gallery = choice.pairs
    assert choice.left_out == 0
    assert len(gallery) == 9
    assert {pair.sets for pair in gallery} == {("x", "y")}


def test_sets_that_judge_a_pair_otherwise_show_it_each():
    """The same scores, but another threshold: one set's verdict is not the other's."""
    few, more = pairs_of(2, 4), pairs_of(2, 8)
    boards = [
        board(name, one, {"M": np.r_[0.0, 1, np.arange(1, len(one) - 1)]})
        for name, one in (("few", few), ("more", more))
    ]
    # Of 4 positives one may be missed, of 8 two: thresholds of 2 and 3, and p1 has 2.
    gallery = gallery_of(shown_of(boards)).pairs
    said = {(pair.path_a, pair.sets): pair.verdicts["M"] for pair in gallery}
    assert len(said) == len(gallery)
    both = {path for path, sets in said if sets == ("few", "more")}
    assert both == {"n0/a", "n1/a", "p0/a", "p2/a", "p3/a"}
    assert (said["p1/a", ("few",)], said["p1/a", ("more",)]) == (True, False)


def test_links_say_how_many_pairs_they_open():
    """Sets with pairs in common, and one too large for the gallery."""
    generator = np.random.default_rng(1)
    easy, hard = pairs_of(40, 30), pairs_of(70, 30, start=20)
    sets = {
        name: {"A": base + 2 * one.label, "B": base + generator.normal(0, 2, len(one)) + one.label}
        for name, one in (("easy", easy), ("hard", hard))
        for base in [np.arange(len(one)) * 0.37 % 3]
    }
    boards = [
        make_leaderboard(name, one, sets[name], 0.25, draws=100)
        for name, one in (("easy", easy), ("hard", hard))
    ]
    ranks = {"hard": np.r_[np.arange(70) + 1, np.zeros(30, int)]}
    whole = report_of(shown_of(boards, ranks=ranks))
    for limit in (None, 90, 30):
        choice = gallery_of(shown_of(boards, ranks=ranks), limit)
        gallery = choice.pairs
        assert (choice.left_out == 0) == (limit is None)
        report = replace(whole, gallery=gallery, gallery_left_out=choice.left_out)
        links = [
            (contrast.name, row, one)
            for contrast in contrasts_of(report)
            for row in contrast.tables[0].rows
            for one in (row.only_lower, row.only_higher)
        ]
        assert len(links) == 4
        for name, row, one in links:
            view = dict(parse_qsl(one.address.partition("?")[2]))
            opened = [
                pair
                for pair in gallery
                if name in pair.sets
                and pair.mistaken(view.get("right", "")) is False
                and pair.mistaken(view.get("wrong", "")) is True
            ]
            assert one.shown == len(opened)
            assert bool(one.address) == bool(opened)
            assert one.shown == one.count or limit is not None
            if one.address:
                assert {view["right"], view["wrong"]} == {row.lower, row.higher}
        assert any(one.shown < one.count for *_, one in links) == (limit is not None)


def test_a_pair_without_a_score_has_a_verdict_alone():
    pairs = pairs_of(3, 4)
    values = {"M": np.array([0.0, 1, 2, 5, 6, 7, 8])}
    shown = shown_of([board("x", pairs, values)])
    (comparison,) = shown.comparisons
    comparison.scores["M"][3] = -np.inf
    by_name = {pair.path_a: pair for pair in gallery_of(shown).pairs}
    assert (by_name["p0/a"].scores, by_name["p0/a"].verdicts) == ({}, {"M": False})
    assert model_scores(shown, "M").groups["positives"].tolist() == [6, 7, 8]


def test_what_the_limit_leaves_out_is_counted(shown):
    whole = gallery_of(shown).pairs
    some = gallery_of(shown, 5)
    # Of both sets and both labels the next in turn: a mined one first, the positives are shared.
    assert keys(some.pairs) == [
        ("hard", "n2/a", 1),
        ("hard", "n3/a", 2),
        ("easy", "n7/a", 0),
        ("easy", "p0/a", 0),
        ("easy", "p1/a", 0),
    ]
    assert (some.left_out, some.scattered) == (8, frozenset())
    assert gallery_of(shown, 13).left_out == 0
    report = report_of(shown, 2)
    assert set(keys(report.gallery)) < set(keys(whole))
    assert report.gallery_left_out == 11


def test_every_kind_has_its_share_of_a_gallery_that_is_full():
    generator = np.random.default_rng(3)
    large, small = pairs_of(300, 200), pairs_of(30, 8, start=400)
    boards = [
        board(name, one, {model: generator.normal(2 * one.label, 1) for model in "ABC"})
        for name, one in (("mined", large), ("random", small))
    ]
    # The first 8 positives have other scores in either set, and so a card in each.
    shown = shown_of(boards, ranks={"mined": np.r_[np.arange(300) + 1, np.zeros(200, int)]})
    choice = gallery_of(shown, 100)
    assert (len(choice.pairs), choice.left_out) == (100, 438)
    counts = {
        kind: sum((pair.set, pair.label) == kind for pair in choice.pairs)
        for kind in (("mined", 0), ("mined", 1), ("random", 0), ("random", 1))
    }
    assert counts == {("mined", 0): 31, ("mined", 1): 31, ("random", 0): 30, ("random", 1): 8}
    assert choice.scattered == frozenset()
    ranks = [pair.rank for pair in choice.pairs if pair.rank]
    assert ranks == list(range(1, 32))
    positives = [
        sum(pair.mistaken(model) for model in "ABC")
        for pair in gallery_of(shown).pairs
        if (pair.set, pair.label) == ("mined", 1)
    ]
    assert positives == sorted(positives, reverse=True)
    assert [
        sum(pair.mistaken(model) for model in "ABC")
        for pair in choice.pairs
        if (pair.set, pair.label) == ("mined", 1)
    ] == positives[:31]


def test_a_gallery_holds_no_more_faces_than_it_may(shown):
    choice = gallery_of(shown, faces=7)
    faces = {path for pair in choice.pairs for path in (pair.path_a, pair.path_b)}
    assert len(faces) <= 7
    assert len(choice.pairs) + choice.left_out == 13


def test_what_cannot_be_shown_is_said_to_be_missing_among_the_hardest(shown):
    """Were it said of the rest that they are the hardest, it would be wrong."""
    choice = gallery_of(replace(shown, unseen=frozenset({"n2/a"})))
    assert choice.left_out == 1
    assert choice.scattered == {("hard", 0)}
    last = gallery_of(replace(shown, unseen=frozenset({"p3/b"})))
    assert (last.left_out, last.scattered) == (1, frozenset())


def test_a_link_says_that_it_opens_the_hardest_only_where_it_does(shown):
    links = {}
    for scattered in ((), [("hard", 0)]):
        views = GalleryViews(gallery_of(shown).pairs, scattered)
        links[bool(scattered)] = [
            views.link(9, set="hard", show="fa:M").text,
            views.link(9, set="hard", label="same").text,
            views.link(9, set="hard").text,
            views.link(2, set="hard", show="fa:M").text,
            views.link(0, set="nothing").text,
        ]
    assert links[False][0] == "the 2 hardest of 9 pairs"
    assert links[True][0] == "2 of 9 pairs"
    assert {texts[1] for texts in links.values()} == {"the 4 hardest of 9 pairs"}
    assert {texts[2] for texts in links.values()} == {"9 pairs"}
    assert {tuple(texts[3:]) for texts in links.values()} == {("2 pairs", "0 pairs")}


def test_ties_in_rank_keep_the_order_of_the_set():
    pairs = pairs_of(5, 4)
    ranks = {"x": np.array([2, 1, 2, 1, 2, 0, 0, 0, 0])}
    gallery = gallery_of(shown_of([board("x", pairs, {"M": np.arange(9.0)})], ranks=ranks)).pairs
    assert [pair.path_a[1] for pair in gallery[:5]] == ["1", "3", "0", "2", "4"]


def test_quantiles_that_are_not_there_are_not_shown():
    pairs = pairs_of(3, 4)
    values = np.array([0.5, np.nan, 1.0, *[np.nan] * 4])
    shown = shown_of(
        [board("x", pairs, {"M": np.arange(7.0)})],
        ranks={"x": np.array([1, 2, 3, 0, 0, 0, 0])},
        # A reference that mined and is not compared has no score for its quantiles to stand by.
        quantiles={"x": {"M": values, "R": np.ones(7)}},
    )
    gallery = gallery_of(shown).pairs
    assert [pair.quantiles for pair in gallery[:3]] == [{"M": 0.5}, {}, {"M": 1.0}]


def test_nobody_to_compare_shows_nothing():
    empty = ReportInputs("title", Faces.of_paths(Path("faces"), ["a/1"]), [])
    assert (gallery_of(empty).pairs, gallery_of(empty).left_out) == ([], 0)
    assert (hardness_of(empty), confusions_of(empty), empty.models) == ({}, {}, [])


def test_hardness_needs_enough_mined_negatives():
    for mined, expected in ((39, []), (40, ["x"])):
        pairs = pairs_of(60, 4, invalid=[59])
        rank = np.zeros(64, int)
        rank[:mined] = np.arange(1, mined + 1)
        # An invalid row and a positive do not make up what is lacking.
        rank[[59, 60]] = mined + 1, mined + 2
        values = {"M": np.arange(64.0), "N": -np.arange(64.0)}
        shown = shown_of([board("x", pairs, values)], ranks={"x": rank})
        assert list(hardness_of(shown)) == expected
    plain = shown_of([board("x", pairs, values)])
    assert hardness_of(plain) == {}


def test_confusions_are_of_the_mined_set_at_the_models_own_threshold(shown):
    (name,) = confusions_of(shown)
    assert name == "M, hard pairs"
    assert {*confusions_of(shown)[name].identities} == {"n0", "n1", "n2"}
    unmined = shown_of(shown.boards[::-1])
    assert list(confusions_of(unmined)) == ["M, easy pairs"]
    perfect = shown_of([board("x", pairs_of(5, 4), {"M": np.arange(9.0)})])
    assert confusions_of(perfect) == {}


def test_scores_of_a_model_are_of_the_sets_it_was_scored_on(shown):
    found = model_scores(shown, "M")
    assert list(found.groups) == ["positives", "easy negatives", "hard negatives"]
    assert found.groups["positives"].tolist() == [6, 7, 8, 9]
    # The invalid row is left out.
    assert found.groups["hard negatives"].tolist() == [8, 9, 1, 2, 3]
    assert found.threshold == 7


@pytest.mark.parametrize("beside", [True, False], ids=["of these pairs", "of others"])
def test_published_rows_are_drawn_on_an_axis_of_their_own(monkeypatch, tmp_path, beside):
    pairs = pairs_of(5, 4)
    theirs = PUBLISHED["random"]
    if beside:
        digest = labelled_digest(pairs)
        theirs = replace(theirs, positives=4, negatives=5, fnr=0.25, pairs_sha256=digest)
    drawn = {}
    monkeypatch.setattr(assembly, "save_figure", lambda figure, path: drawn.update({path: figure}))
    made = board("x", pairs, {"M": np.arange(9.0)}, published=theirs)
    draw_figures(shown_of([made]), tmp_path, lambda *_: None)
    assert {path.stem for path in tmp_path.glob("*.csv")} == {path.stem for path in drawn}
    texts = {
        path.stem: [text.get_text() for text in figure.axes[0].texts]
        for path, figure in drawn.items()
        if path.stem.startswith("leaderboard")
    }
    # Of the published rows a person's rate alone is one that was counted.
    assert texts["leaderboard-x"][::2] == ["M", *(["Human"] if beside else [])]
    assert ("leaderboard-x-zaci20" in texts) == beside
    if beside:
        assert texts["leaderboard-x-zaci20"][4:6] == ["ResNet-152", "2.40"]
