"""The leaderboards on the page: planted models, and what the tables and drawings say of them."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from support.elements import Page

from pairsets import PairSet
from pairsets.evaluation.intervals import Interval
from pairsets.report import Report, render
from pairsets.report.forest_plot import Scale
from pairsets.report.leaderboards import board_of, boards_of
from pairsets.report.operating_points import operating_tables
from pairsets.tables.entries import Entry
from pairsets.tables.leaderboard import Leaderboard, make_leaderboard, percent
from pairsets.tables.published_rows import PUBLISHED, Published, labelled_digest

TARGET = 0.1


def planted(seed: int = 0, count: int = 400) -> PairSet:
    """Pairs of characters that are in several pairs each; half of them positive, judged."""
    generator = np.random.default_rng(seed)
    labels = np.r_[np.ones(count // 2, int), np.zeros(count // 2, int)]
    first = generator.integers(0, 60, count)
    second = np.where(labels == 1, first, (first + generator.integers(1, 60, count)) % 60)
    paths = [[f"c{one}/{side}{at}.png" for at, one in enumerate(ends)]
             for side, ends in (("a", first), ("b", second))]  # fmt: skip
    said = np.where(generator.random(count) < 0.05, 1 - labels, labels)
    return PairSet.of(*paths, labels, said)


def scored(pairs: PairSet, skill: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1, len(pairs))
    return pairs.label * skill + noise


def of_these(pairs: PairSet) -> Published:
    """ZACI-20's rows, as if they were of these pairs."""
    half = len(pairs) // 2
    digest = labelled_digest(pairs)
    return replace(
        PUBLISHED["random"], positives=half, negatives=half, fnr=TARGET, pairs_sha256=digest
    )


@pytest.fixture(scope="module")
def boards():
    """Two strong models alike, a poor one, one that mined; with the published rows.

    As if ZACI-20's random pairs were these; its adversarial ones are others.
    """
    made = []
    carried = None
    for name in ("random", "adversarial"):
        pairs = planted(seed=len(name))
        strong = scored(pairs, 3.0, 1)
        scores = {
            "strong": strong,
            "twin & <b>": strong + np.random.default_rng(9).normal(0, 0.1, len(pairs)),
            "poor": scored(pairs, 0.7, 2),
            "miner": scored(pairs, 2.0, 3),
        }
        made.append(
            make_leaderboard(
                name,
                pairs,
                scores,
                TARGET,
                mined_by="miner" if name == "adversarial" else None,
                published=of_these(pairs) if name == "random" else PUBLISHED[name],
                draws=200,
                carried=carried,
            )
        )
        carried = {m: (cut, "random") for m, cut in made[0].comparison.thresholds.items()}
    return made


@pytest.fixture(scope="module")
def page(boards, tmp_path_factory):
    return Page(render(Report("t", tmp_path_factory.mktemp("none"), leaderboards=boards)))


def test_rows_have_rates_intervals_and_letters(boards, page):
    for board, table in zip(boards, page.rows("ranking"), strict=True):
        head, *rows, _ = table
        assert head == [
            "Model", "FPR %", "FPR, drawn", "Group", "FNR %", "EER %", "EER, drawn", "Group",
            "FPR (ZACI-20) %",
        ]  # fmt: skip
        for entry, row in zip(board.entries, rows, strict=True):
            expected = percent(entry.fpr)
            if board.beside_published:
                assert row[-1] == percent(entry.fpr_interpolated)
            if not entry.published:
                low, high = entry.fpr_interval.low, entry.fpr_interval.high
                expected += f"[{percent(low)}, {percent(high)}]"
            assert row[1] == expected
            assert len(row) == len(head)
            groups = board.comparison.groups
            own = {} if entry.published or entry.human else groups["fpr"]
            assert row[3] == own.get(entry.model, "")


def test_an_fnr_that_all_models_share_stands_in_the_caption(boards, tmp_path):
    board = boards[1]
    page = Page(render(Report("t", tmp_path, leaderboards=[board])))
    (caption,) = [text for _, text in page.of("caption") if "FPR at the threshold" in text]
    (fnr,) = {percent(entry.fnr) for entry in board.entries if not entry.human}
    assert caption == (
        f"Adversarial pairsFPR at the threshold that misses {fnr} % of the pairs of one identity "
        f"(FNR {fnr} %)"
    )
    (head, person, *others, _) = page.rows("ranking")[0]
    assert "FNR %" not in head
    interval = board.entries[0].fnr_interval
    assert person[0].endswith(
        f"FNR {percent(board.entries[0].fnr)} % [{percent(interval.low)}, {percent(interval.high)}]"
    )
    assert not [row for row in others if "FNR" in row[0]]


def test_an_fnr_that_models_differ_in_has_a_column_in_each_table():
    rows = Entry("a", 0.2, 0.1, 0.15), Entry("b", 0.3, 0.12, 0.2)
    alike, other = Leaderboard("random", rows[:1]), Leaderboard("hard", rows)
    views = boards_of([alike, other])
    assert [view.fnr for view in views] == ["10.0", ""]
    assert [view.fnr_column for view in views] == [True, True]
    assert [row.fnr.text for row in views[1].rows] == ["10.0", "12.0"]
    assert not boards_of([alike])[0].fnr_column


def test_columns_are_the_same_in_each_table(boards):
    apart = [board_of(board) for board in boards]
    shared = boards_of(boards)
    assert [view.beside_published for view in apart] == [True, False]
    assert [view.beside_published for view in shared] == [True, True]
    assert [view.fnr_column for view in apart] == [True, False]  # published rows have another FNR
    assert {(view.grouped, view.fnr_column) for view in shared} == {(True, True)}


def test_names_of_models_break_between_their_parts_alone(tmp_path):
    board = Leaderboard("random", (Entry("timm:tf_efficientnet_lite0@my-own", 0.2, 0.1, 0.15),))
    page = Page(render(Report("t", tmp_path, leaderboards=[board])))
    (name,) = page.of("span", "model")
    assert name[1] == "timm:tf_efficientnet_lite0@my-own"
    assert [text for _, text in page.of("span", "part")] == [
        "timm:", "tf_efficientnet_lite0@", "my-own",
    ]  # fmt: skip


def test_letters_are_not_of_a_published_row_of_the_same_name():
    pairs = planted()
    scores = {"ResNet-18": scored(pairs, 3.0, 1), "other": scored(pairs, 1.0, 2)}
    board = make_leaderboard("random", pairs, scores, TARGET, published=of_these(pairs), draws=200)
    rows = board_of(board).rows
    assert [bool(row.fpr.letters) for row in rows if row.entry.model == "ResNet-18"] == [
        True, False, False,
    ]  # fmt: skip


def test_published_rows_of_other_pairs_are_on_no_common_axis(boards, page):
    beside, apart = (board_of(board) for board in boards)
    assert (beside.beside_published, beside.apart) == (True, None)
    assert not apart.beside_published
    assert not [row for row in apart.rows if row.entry.published]
    assert apart.apart.columns[0] == "FPR (ZACI-20) %"
    assert [row[0] for row in apart.apart.rows][:2] == ["Human", "SE-ResNet-152"]
    (caption,) = [text for _, text in page.of("caption") if "published rows" in text]
    assert caption == "ZACI-20's published rows of its own adversarial pairs, apart"
    assert [
        text for _, text in page.of("p", "foot") if "2,991 negative, where these are 200" in text
    ]
    # The axis of the EER ends where these pairs do, not at the 43.0 % of others.
    assert max(entry.eer or 0 for entry in boards[1].entries) < 0.43
    shown = [entry for entry in boards[1].entries if entry.eer is not None]
    assert (
        apart.eer_axis
        == Scale.of(
            [100 * end for entry in shown for end in (entry.eer, entry.eer_interval.high)]
        ).axis()
    )


def test_a_published_model_is_not_drawn_by_another_rate(boards):
    rows = [row for row in board_of(boards[0]).rows if row.entry.published]
    assert [row.fpr.text for row in rows] == ["1.59", *["N/A"] * 5]
    assert not any("<circle" in row.fpr.drawing for row in rows)
    assert [row.zaci for row in rows] == ["1.59", "2.40", "2.43", "2.54", "2.96", "5.08"]


def test_what_the_data_cannot_tell_is_said_and_not_bold(boards, page):
    assert all(board.tied("fpr") for board in boards)
    assert page.of("strong") == []
    feet = [text for _, text in page.of("p", "foot") if "cannot tell the lowest" in text]
    assert len(feet) == 2
    best, other = sorted(("strong", "twin & <b>"), key=lambda m: rate(boards[0], m))
    assert f"FPR: these pairs cannot tell the lowest one, that of {best}, from" in feet[0]
    assert re.search(rf"from (that|those) of .*{re.escape(other)}", feet[0])
    assert "poor" not in feet[0]


def rate(board: Leaderboard, model: str) -> float:
    return board.comparison.evaluations[model].fpr_achieved


def test_a_best_that_the_data_tell_is_bold_and_nothing_is_said(tmp_path):
    pairs = planted()
    scores = {"good": scored(pairs, 4.0, 1), "poor": scored(pairs, 0.5, 2)}
    board = make_leaderboard("random", pairs, scores, TARGET, draws=200)
    page = Page(render(Report("t", tmp_path, leaderboards=[board])))
    assert [text for _, text in page.of("strong")] == [
        percent(board.comparison.evaluations["good"].fpr_achieved),
        percent(board.comparison.evaluations["good"].eer),
    ]
    assert "cannot tell" not in " ".join(text for _, text in page.of("p", "foot"))


class TestDrawing:
    ROWS = (
        Entry("person", 0.02, 0.1, None, human=True, fpr_interval=Interval(0.01, 0.03)),
        Entry("ours", 0.25, 0.1, 0.2, fpr_interval=Interval(0.20, 0.375)),
        Entry("miner", 0.40, 0.1, 0.2, comparable=False, fpr_interval=Interval(0.35, 0.5)),
        Entry("theirs", 0.10, 0.1, 0.3, published=True),
    )

    @pytest.fixture
    def drawn(self):
        rows = board_of(Leaderboard("random", self.ROWS)).rows
        return {row.entry.model: Page(str(row.fpr.drawing)) for row in rows}

    def test_points_and_intervals_lie_where_the_axis_says(self, drawn):
        # The highest end is 50 %, so that the axis goes from 0 to 50.
        (circle,) = drawn["ours"].of("circle")
        assert circle[0]["cx"] == "50%"
        (span,) = drawn["ours"].of("line", "span")
        assert (span[0]["x1"], span[0]["x2"]) == ("40%", "75%")
        ticks = [line["x1"] for line, _ in drawn["ours"].of("line", "tick")]
        assert ticks == ["20%", "40%", "60%", "80%", "100%"]
        (zero,) = drawn["ours"].of("line", "zero")
        assert zero[0]["x1"] == "0%"

    def test_a_person_is_a_star_with_an_interval(self, drawn):
        assert not drawn["person"].of("circle")
        assert len(drawn["person"].of("path")) == 1
        (span,) = drawn["person"].of("line", "span")
        assert (span[0]["x1"], span[0]["x2"]) == ("2%", "6%")

    def test_a_published_row_is_hollow_without_interval(self, drawn):
        assert drawn["theirs"].of("svg", "hollow")[0][0]["class"] == "forest hollow"
        assert not drawn["theirs"].of("line", "span")
        assert drawn["theirs"].of("circle")[0][0]["cx"] == "20%"

    def test_the_model_that_mined_is_faded(self, drawn):
        assert drawn["miner"].of("svg", "faded")
        assert not drawn["ours"].of("svg", "faded")

    def test_a_rate_that_does_not_exist_is_not_drawn(self):
        row = board_of(Leaderboard("random", self.ROWS)).rows[0]
        assert not Page(str(row.eer.drawing)).of("path")

    def test_screen_readers_have_the_numbers_instead(self, drawn):
        for page in drawn.values():
            assert page.elements[0][1]["aria-hidden"] == "true"

    def test_chance_is_drawn_where_the_axis_reaches_it(self):
        """A coin takes for one as many of the pairs of two as it does not miss of those of one."""
        rows = Entry("a", 0.95, 0.1, 0.6), Entry("b", 0.3, 0.1, 0.2)
        board = board_of(Leaderboard("hard", rows))
        page = Page(str(board.rows[0].fpr.drawing) + str(board.rows[0].eer.drawing))
        assert [line["x1"] for line, _ in page.of("line", "chance")] == ["90%", "83.33%"]
        assert board.chance == (
            "Dashed is chance, what tossing a coin gives: an FPR of 90.0 % and an EER of 50.0 %."
        )
        assert not board_of(Leaderboard("random", rows[1:])).chance

    def test_the_ends_of_the_axis_stand_in_each_row_for_narrow_screens(self, drawn):
        for page in drawn.values():
            assert [text for _, text in page.of("text", "end")] == ["0", "50"]

    def test_rows_of_nothing_can_be_drawn(self):
        board = board_of(Leaderboard("random", (Entry("a", None, None, None),)))
        assert board.rows[0].fpr.text == "N/A"
        assert not board.grouped
        assert not board.remarks


class TestScale:
    @pytest.mark.parametrize(
        "values",
        [[0.0], [], [100.0], [0.3, 0.7], [1e-3], [99.9, 3.0], [-29.6, 4.2], [-3.0], [47.0, 49.9]],
    )
    def test_it_holds_nought_and_all_values_with_few_round_ticks(self, values):
        scale = Scale.of(values)
        assert scale.low <= min([0.0, *values])
        assert scale.high >= max([0.0, *values])
        assert 0 in scale.ticks
        assert 2 <= len(scale.ticks) <= 8
        steps = np.diff(scale.ticks)
        assert steps == pytest.approx(steps[0])
        assert f"{steps[0]:.0e}"[0] in "125"
        assert (scale.ticks[0], scale.ticks[-1]) == (scale.low, scale.high)
        # No tick beyond the one that the values need.
        assert scale.high - steps[0] < max([0.0, *values]) or scale.high == steps[0]

    def test_what_is_not_known_has_no_place_on_it(self):
        assert Scale.of([float("nan"), float("inf"), 9.0]) == Scale.of([9.0])

    def test_beyond_an_end_is_at_the_end(self):
        scale = Scale.of([10.0])
        assert (scale.place(-5), scale.place(25)) == ("0%", "100%")


class TestDetails:
    def test_operating_points_are_those_of_the_evaluation(self, boards):
        fpr, fnr, *_ = operating_tables(boards[0])
        evaluations = boards[0].comparison.evaluations
        assert {name for name, _ in fpr.rows} == set(evaluations)
        for table, fixed, count in ((fpr, "fnr", 4), (fnr, "fpr", 4)):
            assert len(table.columns) == count
            for name, cells in table.rows:
                points = [one for one in evaluations[name].points if one.fixed == fixed]
                for point, cell in zip(points, cells, strict=True):
                    if point.target * 200 < 1:  # 200 pairs of each kind
                        assert (cell.text, cell.note) == ("", "set too small")
                        continue
                    assert cell.text == percent(getattr(point, "fpr" if fixed == "fnr" else "fnr"))
                    one = point.interval
                    assert cell.note == (
                        f"[{percent(one.low)}, {percent(one.high)}]" if one else ""
                    )
            assert all(cells[0].note.startswith("[") for _, cells in table.rows)

    def test_how_much_the_pairs_tell(self, boards):
        (table,) = [one for one in operating_tables(boards[0]) if "AUC" in one.columns]
        strong = dict(table.rows)["strong"]
        found = boards[0].comparison.evaluations["strong"]
        assert strong[0].text == f"{found.auc:.4f}"
        assert strong[1].text == f"{found.dprime:.2f}"
        assert table.columns[3] == "FPR (ZACI-20) %"
        assert strong[3].text == percent(found.fpr_interpolated)
        assert strong[4].text == f"{found.fpr_rate.effective:.0f}"
        assert strong[4].note == f"of 200, design effect {found.fpr_rate.design_effect:.1f}"

    def test_the_carried_threshold_is_named_by_its_set(self, boards, page):
        assert not [one for one in operating_tables(boards[0]) if "threshold fixed" in one.title]
        (table,) = [one for one in operating_tables(boards[1]) if "threshold fixed" in one.title]
        assert table.title == "At the threshold fixed on the random set"
        pairs, scores = boards[1].comparison.pairs, boards[1].comparison.scores
        for name, (cut, fpr, fnr) in table.rows:
            threshold = boards[0].comparison.thresholds[name]
            accepted = scores[name] >= threshold
            assert cut.text == f"{threshold:.3f}".replace("-", "\u2212")
            assert fpr.text == percent(accepted[pairs.label == 0].mean())
            assert fnr.text == percent(1 - accepted[pairs.label == 1].mean())
            assert fpr.note.startswith("[")
        assert [text for _, text in page.of("caption") if "threshold fixed" in text] == [
            table.title
        ]

    def test_they_are_folded_away(self, page):
        summaries = [text for _, text in page.of("summary")]
        assert [text for text in summaries if text.startswith("More about each model on the")] == [
            f"More about each model on the {name} pairs: other operating points, AUC, how much "
            "the pairs tell"
            for name in ("random", "adversarial")
        ]
        assert not [part for part, _ in page.of("details") if "open" in part]

    def test_rows_without_an_evaluation_have_none(self):
        assert operating_tables(Leaderboard("random", PUBLISHED["random"].entries)) == []
