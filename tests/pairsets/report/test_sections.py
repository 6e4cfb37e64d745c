"""Differences, trade-offs, people, hubs, hardness and confusions on the page."""

from __future__ import annotations

from urllib.parse import parse_qs

import numpy as np
import pytest
from PIL import Image
from support.elements import Page

from pairsets import Hubness, PairSet
from pairsets.evaluation.annotators import agreement
from pairsets.evaluation.confusion import Confusion
from pairsets.evaluation.hardness import hardness
from pairsets.evaluation.human import human_rates
from pairsets.evaluation.rates import roc
from pairsets.funnel import FunnelRow
from pairsets.report import DetSet, GalleryPair, ModelScores, Report, render
from pairsets.report.differences import OPEN_ROWS, contrasts_of
from pairsets.report.tables import agreement_sentence, hardness_table, hubness_table
from pairsets.tables.leaderboard import make_leaderboard, percent

COUNT = 300
EVIL = "</script><b>&\"'"


@pytest.fixture(scope="module")
def pairs():
    generator = np.random.default_rng(5)
    labels = np.r_[np.ones(COUNT // 2, int), np.zeros(COUNT // 2, int)]
    first = generator.integers(0, 50, COUNT)
    second = np.where(labels == 1, first, (first + generator.integers(1, 50, COUNT)) % 50)
    a = [f"c{one}/a{at % 7}.png" for at, one in enumerate(first)]
    b = [f"c{one}/b{at}.png" for at, one in enumerate(second)]
    said = np.where(generator.random(COUNT) < 0.1, 1 - labels, labels)
    return PairSet.of(a, b, labels, said)


@pytest.fixture(scope="module")
def scores(pairs):
    generator = np.random.default_rng(6)
    skills = {"good": 4.0, "worse": 1.0, "worst": 0.4, "bad": 0.8, "fair": 2.0, EVIL: 1.5}
    return {
        name: pairs.label * skill + generator.normal(0, 1, COUNT) for name, skill in skills.items()
    }


@pytest.fixture(scope="module")
def board(pairs, scores):
    return make_leaderboard("random", pairs, scores, 0.1, draws=200)


@pytest.fixture(scope="module")
def report(pairs, scores, board, tmp_path_factory):
    root = tmp_path_factory.mktemp("faces")
    for path in {*pairs.path_a, *pairs.path_b}:
        (root / path).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (9, 9, 9)).save(root / path)
    gallery = [
        GalleryPair(
            rank=0,
            path_a=pairs.path_a[row],
            path_b=pairs.path_b[row],
            name_a=pairs.names(row)[0],
            name_b=pairs.names(row)[1],
            scores={model: float(one[row]) for model, one in scores.items()},
            label=int(pairs.label[row]),
            verdicts={
                model: bool(one[row] >= board.comparison.thresholds[model])
                for model, one in scores.items()
            },
            set="random",
        )
        for row in range(COUNT)
    ]
    rank = np.where(pairs.label == 0, np.cumsum(pairs.label == 0), 0)
    taken = {model: scores[model] >= 0.8 for model in ("good", EVIL)}
    people = {
        name: PairSet.of(pairs.path_a, pairs.path_b, pairs.label, said)
        for name, said in (
            ("rei", pairs.human_prediction),
            ("asuka & co", pairs.label),
            ("third", np.r_[1 - pairs.label[:30], pairs.label[30:]]),
        )
    }
    return Report(
        "t",
        root,
        facts=[("Faces", "4")],
        funnel=[FunnelRow("mine", "kept", 4, True)],
        leaderboards=[board],
        scores=[ModelScores("good", {"positives": scores["good"][:9], "none": np.empty(0)})],
        curves=[
            DetSet(
                "random",
                {model: roc(pairs.label, one) for model, one in scores.items()},
                human_rates(pairs),
                (0.1,),
            )
        ],
        gallery=gallery,
        hubness={"random": Hubness.of_negatives(pairs), "none": Hubness.of([], [])},
        hardness={"hard": hardness(pairs, rank, taken, bins=5, hub_share=0.05)},
        confusions={
            "good": Confusion.of(pairs, scores["good"], 0.8),
            EVIL: Confusion.of(pairs, scores[EVIL], 99.0),
        },
        agreement={"random": agreement(people)},
        warnings=["beware"],
    )


@pytest.fixture(scope="module")
def page(report):
    return Page(render(report, thumbnail_pixels=8))


def test_sections_stand_in_their_order_and_the_links_say_so(page):
    sections = [one["id"] for one, _ in page.of("section") if "id" in one]
    assert sections == [
        "leaderboards", "det", "differences", "annotators", "scores", "hardness", "hubness",
        "confusions", "funnel", "pairs",
    ]  # fmt: skip
    links = [
        one["href"] for one, text in page.of("a")
        if not text.startswith(("Skip to the pairs", "To all ")) and
        not one["href"].startswith("#pairs?")
    ]  # fmt: skip
    assert links == [f"#{name}" for name in sections]


def test_ids_are_not_shared_by_any_two_parts(page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


class TestDifferences:
    def test_the_lower_rate_comes_first_and_what_is_told_before_the_rest(self, report, board):
        (found,) = contrasts_of(report)
        fpr = found.tables[0]
        assert (found.name, fpr.statistic, found.apart) == ("random", "FPR", ())
        rows = [*fpr.rows, *fpr.more]
        assert len(rows) == 15
        assert len(fpr.rows) == OPEN_ROWS
        rates = {model: one.fpr_achieved for model, one in board.comparison.evaluations.items()}
        assert all(rates[row.lower] <= rates[row.higher] for row in rows)
        tells = [row.tells for row in rows]
        assert tells == sorted(tells, reverse=True)
        assert {True, False} == set(tells)
        assert fpr.more_tell == sum(row.tells for row in fpr.more)
        for row in rows:
            expected = 100 * (rates[row.lower] - rates[row.higher])
            assert float(row.difference.replace("\u2212", "-")) == pytest.approx(expected, rel=0.01)
            assert row.drawing.count("faded") == (not row.tells)

    def test_counts_are_of_pairs_that_one_alone_gets_right(self, report, board, pairs, scores):
        cuts = board.comparison.thresholds
        right = {model: (one >= cuts[model]) == (pairs.label == 1) for model, one in scores.items()}
        (found,) = contrasts_of(report)
        for table in found.tables:
            for row in [*table.rows, *table.more]:
                assert row.only_lower.count == (right[row.lower] & ~right[row.higher]).sum()
                assert row.only_higher.count == (right[row.higher] & ~right[row.lower]).sum()

    def test_counts_lead_to_these_pairs_in_the_gallery(self, page, report):
        rows = {(row.lower, row.higher): row for row in contrasts_of(report)[0].tables[0].rows}
        links = [one["href"] for one, _ in page.of("a") if one["href"].startswith("#pairs?")]
        views = [parse_qs(link.partition("?")[2], strict_parsing=True) for link in links]
        assert all(view["set"] == ["random"] for view in views)
        assert ["good"] in [view["right"] for view in views]
        assert [EVIL] in [view["wrong"] for view in views]
        one = next(iter(rows.values()))
        view = parse_qs(one.only_lower.address.partition("?")[2])
        assert (view["right"], view["wrong"]) == ([one.lower], [one.higher])

    def test_without_the_pairs_there_is_no_link(self, report):
        bare = Report("t", report.faces_root, leaderboards=report.leaderboards)
        (found,) = contrasts_of(bare)
        assert not [row for row in found.tables[0].rows if row.only_lower.address]
        assert "#pairs?" not in render(bare)

    def test_the_page_says_it_in_words(self, page, report):
        fpr, _, eer, _ = page.rows("contrast", within="differences")
        assert fpr[0][:2] == ["Lower FPR", "Higher FPR"]
        assert eer[0][:2] == ["Lower EER", "Higher EER"]
        (found,) = contrasts_of(report)
        for row, cells in zip(found.tables[0].rows, fpr[1:-1], strict=True):
            alone = f"only this one right: {row.only_lower.count:,} pairs"
            assert cells[0].startswith(row.lower + alone)
            alone = f"only this one right: {row.only_higher.count:,} pairs"
            assert cells[1].startswith(row.higher + alone)
            assert cells[2] == row.difference + row.bounds
            assert cells[4] == row.p
            assert cells[5:] == [row.lower if row.tells else "cannot tell"]
        (heading,) = [text for _, text in page.of("h3") if "FNR" in text]
        assert heading == "Random pairs, FPR at an FNR of 10.0 %"

    def test_a_model_apart_is_named(self, pairs, scores, tmp_path):
        some = {model: scores[model] for model in ("good", "bad", "fair")}
        board = make_leaderboard("adversarial", pairs, some, 0.1, mined_by="fair", draws=200)
        page = Page(render(Report("t", tmp_path, leaderboards=[board])))
        assert "Not compared: fair, which mined this set." in [t for _, t in page.of("p", "foot")]

    def test_a_set_whose_miner_leaves_one_model_says_so(self, pairs, scores, board, tmp_path):
        some = {model: scores[model] for model in ("good", "fair")}
        mined = make_leaderboard("mined", pairs, some, 0.1, mined_by="fair", draws=200)
        page = Page(render(Report("t", tmp_path, leaderboards=[board, mined])))
        (said,) = [text for _, text in page.of("p", "foot") if text.startswith("Mined pairs:")]
        assert "No two models to compare: fair mined the set" in said

    def test_one_model_has_none(self, pairs, scores, tmp_path):
        board = make_leaderboard("random", pairs, {"good": scores["good"]}, 0.1, draws=200)
        assert contrasts_of(Report("t", tmp_path, leaderboards=[board])) == []


def test_trade_offs_are_drawn_twice_with_the_person(page, report):
    labels = [one["aria-label"] for one, _ in page.of("svg", "chart", within="det")]
    models = ", ".join(report.curves[0].curves)
    assert labels == [f"{kind} curves on the random set: {models}" for kind in ("DET", "ROC")]
    caption = page.of("figcaption", within="det")[0][1]
    human = report.curves[0].human
    low, high = human.fpr_rate.low, human.fpr_rate.high
    assert f"FPR {percent(human.fpr)} % [{percent(low)}, {percent(high)}]" in caption
    assert "Dotted: an FNR of 10.0 %." in caption


def test_an_empty_group_is_not_drawn(page):
    (caption,) = [text for _, text in page.of("figcaption", within="scores")]
    assert caption == "9 positives."


class TestPeople:
    def test_each_person_and_the_majority_have_their_errors(self, page, report):
        errors, between = page.rows("plain", within="annotators")
        found = report.agreement["random"]
        assert [row[0] for row in errors[1:]] == ["rei", "asuka & co", "third", "Majority"]
        for row, rates in zip(errors[1:], [*found.rates.values(), found.majority], strict=True):
            assert row[1].startswith(percent(rates.fpr))
            assert row[2].startswith(percent(rates.fnr))
        assert errors[2][1].startswith("0.00")
        assert errors[3][2].startswith(percent(30 / 150))
        assert [row[0] for row in between[1:]] == [
            "rei and asuka & co", "rei and third", "asuka & co and third",
        ]  # fmt: skip
        for row, one in zip(between[1:], found.between, strict=True):
            assert row[2].startswith(f"{one.kappa.value:.3f}[")
            assert row[3:] == [f"{one.only_first}", f"{one.only_second}"]

    def test_all_together_in_words(self, report, pairs):
        found = report.agreement["random"]
        # In the first 30 the second and the third person contradict each other.
        same = (pairs.human_prediction == pairs.label)[30:].sum()
        text = agreement_sentence(found)
        assert text.startswith(f"3 people judged 300 pairs and all say the same of {same:,} of")
        assert f"together: {found.fleiss.value:.3f} [" in text


class TestHubs:
    def test_sets_stand_side_by_side(self, report):
        table = hubness_table(report.hubness)
        assert table.columns == ("random", "none")
        rows = dict(table.rows)
        found = report.hubness["random"]
        assert rows["pairs of different identities"][0].text == "150"
        assert [cell.text for cell in rows["images"]] == [f"{found.images:,}", "0"]
        most, nothing = rows["most pairs with one image"]
        assert most.text.startswith(f"{found.image.count:,} (")
        assert most.note == found.image.names[0]
        assert nothing.text == ""
        both = rows["most pairs with one identity pair"][0]
        assert both.note == " & ".join(found.identity_pair.names)

    def test_no_sets_no_table(self):
        assert hubness_table({}) is None


class TestHardness:
    def test_what_hubs_have_to_do_with_the_errors(self):
        """One hub in the first 4 of 10 pairs, all of them accepted; of the others every third."""
        a = ["h/1"] * 4 + [f"a{at}/1" for at in range(6)]
        pairs = PairSet.of(a, [f"b{at}/1" for at in range(10)], 0)
        taken = np.array([1, 1, 1, 1, 1, 0, 0, 1, 0, 0], bool)
        found = hardness(pairs, np.arange(1, 11), {"m": taken}, bins=2)
        ((model, cells),) = hardness_table(found).rows
        assert model == "m"
        assert [cell.text for cell in cells] == ["100", "20.0", "60.0", "33.3", "66.7"]
        assert cells[-1].note == "4 of 6"
        assert hardness_table(found).columns[:2] == (
            "FPR %, ranks 1 to 5",
            "FPR %, ranks 6 to 10",
        )

    def test_a_set_of_hubs_alone_and_one_without_errors(self):
        pairs = PairSet.of(["h/1"] * 3, [f"b{at}/1" for at in range(3)], 0)
        found = hardness(pairs, [1, 2, 3], {"m": np.zeros(3, bool)}, bins=1)
        ((_, cells),) = hardness_table(found).rows
        assert [cell.text for cell in cells] == ["0.00", "0.00", "0.00", "N/A", "N/A"]

    def test_it_is_on_the_page(self, page, report):
        (words, *_) = [text for _, text in page.of("p", "intro", within="hardness")]
        found = report.hardness["hard"]
        assert words.startswith("150 mined pairs in order of their rank, the hardest first")
        assert f"{len(found.hubs)} of {found.images}" in words
        assert page.of("svg", "chart", within="hardness")[0][0]["aria-label"] == (
            f"FPR by rank of good, {EVIL}"
        )


def test_confusions_are_drawn_or_said_not_to_be(page, report):
    (chart,) = page.of("svg", "chart", within="confusions")
    found = report.confusions["good"]
    assert chart[0]["aria-label"].endswith(", ".join(found.identities))
    first, second = [text for _, text in page.of("figcaption", within="confusions")]
    assert first.startswith(f"{found.errors_inside:,} of {found.errors:,} false accepts are of")
    assert second == "None of 150 pairs of different identities is taken for one."
    assert [text for _, text in page.of("summary", within="confusions")] == [EVIL]


def test_the_headline_has_intervals(board, tmp_path):
    mined = make_leaderboard(
        "adversarial", board.comparison.pairs, board.comparison.scores, 0.1, draws=200
    )
    report = Report("t", tmp_path, leaderboards=[board, mined])
    page = Page(render(report))
    easy, hard = report.headline.best, report.headline.hard.entry
    shown = [text for _, text in page.of("dd", "at") if "interval" in text]
    assert shown == [
        f"[{percent(one.fpr_interval.low)}, {percent(one.fpr_interval.high)}] %, the 95 % interval"
        for one in (easy, hard)
    ]


def test_names_that_are_no_text_are_written_all_the_same(tmp_path):
    """Folders may be called by bytes that are no UTF-8."""
    strange = PairSet.of(["c\udcff3/1", "c\udcff3/1"], ["b/1", "d/1"], 0)
    report = Report(
        "t",
        tmp_path,
        hubness={"random": Hubness.of_negatives(strange)},
        confusions={"m": Confusion.of(strange, [1.0, 2.0], 0.0)},
    )
    html = render(report)
    html.encode("utf-8")
    page = Page(html)
    assert "c?3/1" in page.rows("wrapping")[0][6][1]
    assert "c?3" in page.of("svg", "chart")[0][0]["aria-label"]
