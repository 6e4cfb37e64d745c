"""A leaderboard as a forest plot: what is drawn where."""

from __future__ import annotations

from dataclasses import replace

import pytest
from matplotlib.colors import to_hex

from pairsets.errors import ScoresError
from pairsets.evaluation.intervals import Interval
from pairsets.figures import INK, MUTED, PAPER, encode, interval_bars
from pairsets.tables.entries import Entry

ENTRIES = (
    Entry("Human", 0.0159, 0.139, None, human=True, fpr_interval=Interval(0.0097, 0.0261)),
    Entry("good $x$", 0.05, 0.139, 0.08, fpr_interval=Interval(0.03, 0.09)),
    Entry("miner", 0.2, 0.139, 0.3, comparable=False, fpr_interval=Interval(0.1, 0.35)),
    Entry("rate alone", 0.3, 0.139, 0.2),
    Entry("theirs", 0.024, 0.139, 0.0889, published=True),
    Entry("their human", 0.0159, 0.139, None, published=True, human=True),
)


def marks(figure):
    """(marker, x, row, colour, filling) of each point, from the top."""
    lines = [line for line in figure.axes[0].lines if line.get_marker() not in ("None", "", None)]
    return [
        (
            line.get_marker(),
            pytest.approx(line.get_xdata()[0]),
            line.get_ydata()[0],
            to_hex(line.get_color()),
            to_hex(line.get_markerfacecolor()),
        )
        for line in sorted(lines, key=lambda line: line.get_ydata()[0])
    ]


def spans(figure):
    """(low, high, row) of each interval."""
    lines = [line for line in figure.axes[0].lines if line.get_marker() in ("None", "", None)]
    return {line.get_ydata()[0]: tuple(line.get_xdata()) for line in lines}


def test_points_and_intervals_are_percent_in_the_order_of_the_rows():
    figure = interval_bars(ENTRIES)
    assert [(x, row) for _, x, row, *_ in marks(figure)] == [
        (1.59, 0), (5.0, 1), (20.0, 2), (30.0, 3), (2.4, 4), (1.59, 5),
    ]  # fmt: skip
    assert spans(figure) == {
        0: pytest.approx((0.97, 2.61)),
        1: pytest.approx((3.0, 9.0)),
        2: pytest.approx((10.0, 35.0)),
    }
    low, high = figure.axes[0].get_ylim()
    assert low > high  # the first row is at the top
    assert figure.axes[0].get_xlim()[0] == 0
    assert figure.axes[0].get_xlim()[1] >= 35


def test_kinds_of_rows_are_told_apart():
    looks = {
        row: (marker, color, fill) for marker, _, row, color, fill in marks(interval_bars(ENTRIES))
    }
    assert looks[0] == ("*", INK, INK)
    assert looks[5] == ("*", INK, PAPER)
    assert looks[2] == ("o", MUTED, MUTED)
    assert looks[1][1:] == (looks[1][1], looks[1][1])
    assert looks[4] == ("o", looks[1][1], PAPER)
    names = [text.get_text() for text in interval_bars(ENTRIES).legends[0].get_texts()]
    assert names == ["person", "run here", "mined this set", "published", "person, published"]
    assert not interval_bars(ENTRIES[1:2]).legends


def test_names_and_numbers_stand_beside():
    texts = [text.get_text() for text in interval_bars(ENTRIES, title="$t$ & co").axes[0].texts]
    assert texts[:4] == ["Human", "1.59  [0.970, 2.61]", "good $x$", "5.00  [3.00, 9.00]"]
    assert texts[7] == "30.0"
    svg = encode(interval_bars(ENTRIES, title="$t$ & co"), "svg")
    assert b">$t$ &amp; co</text>" in svg
    assert b">good $x$</text>" in svg


def test_rows_without_the_rate_are_left_out():
    figure = interval_bars(ENTRIES, column="eer")
    assert [x for _, x, *_ in marks(figure)] == [8.0, 30.0, 20.0, 8.89]
    assert not spans(figure)
    nan = replace(ENTRIES[1], fpr=float("nan"))
    assert len(marks(interval_bars([nan, ENTRIES[2]]))) == 1


def test_published_models_have_an_axis_of_the_rate_that_they_have():
    ours = replace(ENTRIES[1], fpr_interpolated=0.061)
    theirs = replace(ENTRIES[4], fpr=None, fpr_interpolated=0.024)
    assert [x for _, x, *_ in marks(interval_bars([ours, theirs]))] == [5.0]
    figure = interval_bars([ours, theirs], column="fpr_interpolated")
    assert [x for _, x, *_ in marks(figure)] == [6.1, 2.4]
    # The interval is that of the other rate.
    assert not spans(figure)
    assert "ZACI-20" in figure.axes[0].get_xlabel()


def test_an_interval_that_is_not_known_is_not_drawn():
    one = replace(ENTRIES[1], fpr_interval=Interval(float("nan"), float("nan")))
    assert not spans(interval_bars([one]))


def test_the_axis_ends_at_all_pairs():
    one = Entry("all", 1.0, 0.1, 0.5, fpr_interval=Interval(0.97, 1.0))
    assert interval_bars([one]).axes[0].get_xlim() == (0, 100)


def test_a_long_name_is_cut_and_does_not_reach_into_the_chart():
    figure = interval_bars([replace(ENTRIES[1], model="W" * 80), ENTRIES[2]])
    encode(figure, "png")
    (name, *_) = figure.axes[0].texts
    assert name.get_text().endswith("…")
    box = name.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 < figure.axes[0].get_window_extent().x0


def test_nothing_to_draw_and_other_columns_are_refused():
    with pytest.raises(ScoresError, match="no row has a value in eer"):
        interval_bars(ENTRIES[:1], column="eer")
    with pytest.raises(ScoresError, match="no row"):
        interval_bars([])
    with pytest.raises(ScoresError, match="'auc'"):
        interval_bars(ENTRIES, column="auc")


@pytest.mark.parametrize("file_format", ["svg", "png"])
def test_the_same_rows_give_the_same_bytes(file_format):
    first, again = (encode(interval_bars(ENTRIES, title="t"), file_format) for _ in range(2))
    assert first == again
