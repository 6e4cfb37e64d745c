"""The gallery in a real browser, against an oracle that reads the pairs themselves."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import combinations, pairwise
from time import monotonic
from urllib.parse import urlencode

import pytest
from PIL import Image
from support.browser import PATIENCE_MS, address_of, in_browsers, visit
from support.planted_gallery import (
    EVIL,
    MODELS,
    PAIRS,
    THRESHOLDS,
    names,
    ordered,
    planted_report,
    shown,
    write_page,
)

from pairsets import PairSet
from pairsets.evaluation.comparison import compare
from pairsets.evaluation.differences import Difference
from pairsets.report import write_report
from pairsets.report.content import GalleryPair, Report
from pairsets.report.gallery import LARGE_PAIRS
from pairsets.report.gallery_links import address, pair_key
from pairsets.tables.leaderboard import Leaderboard

A, B, C = MODELS
MANY = 300  # cards that may be in the page at a time
CARD = ".pair-grid [data-place]"
# One of every filter, and of those that meet.
VIEWS = [
    {},
    *(
        {"q": q}
        for q in ("ayanami", "soryu a", "eloise de", "ｶﾞﾗｽ", "abcスト", "כהן", "<script>alert")
    ),
    {"set": "random"},
    {"set": "mined & ranked"},
    {"label": "same"},
    {"label": "different"},
    *({"show": f"{kind}:{model}"} for kind in ("fa", "fr", "wrong", "right") for model in (A, C)),
    {"show": f"fa:{B}"},
    {"wrong": A},
    {"right": C},
    *({"human": said} for said in ("wrong", "right", "none")),
    {"split": "1"},
    {"wrong": A, "right": B},
    {"wrong": C, "right": A, "label": "same"},
    {"show": f"fa:{A}", "human": "right", "sort": f"low:{A}"},
    {"q": "ayanami", "set": "mined & ranked", "split": "1", "sort": "split"},
    {"q": "eloise de", "label": "different", "show": f"right:{C}", "human": "none", "wrong": B},
]
SORTS = [
    "",
    "rank",
    *(f"{way}:{model}" for way in ("high", "low") for model in MODELS),
    "split",
    "human",
]


@pytest.fixture(scope="module")
def report(tmp_path_factory, browsers):
    return planted_report(tmp_path_factory.mktemp("faces"))


@pytest.fixture(scope="module")
def file(report, tmp_path_factory):
    return write_page(report, tmp_path_factory.mktemp("page") / "gallery.html")


@pytest.fixture
def page(browser, file):
    """The page on a desktop; at its end, that it complained of nothing and asked for nothing."""
    with visit(browser, address_of(file)) as seen:
        yield seen.page


def choose(page, view):
    """Set all controls in one go, those without a value as at the start."""
    page.evaluate(
        """(view) => {
            const form = document.getElementById("pair-controls");
            for (const control of form.querySelectorAll("[name]")) {
                const value = view[control.name] ?? "";
                if (control.type === "checkbox") control.checked = value !== "";
                else control.value = value;
            }
            form.elements.sort.dispatchEvent(new Event("input", { bubbles: true }));
        }""",
        dict(view),
    )


def count(page):
    return int(page.inner_text("#pair-count").split()[0].replace(",", ""))


def drawn(page):
    """(place, what is on the card) of the cards in the page, in its order."""
    return page.evaluate(
        """() => [...document.querySelectorAll(".pair-grid [data-place]")].map((card) => [
            Number(card.dataset.place),
            [...card.querySelectorAll("img")].map((face) => face.alt),
            card.querySelector(".pair-rank").textContent,
            card.getAttribute("aria-label"),
        ])"""
    )


def told(pair):
    """What a card says of a pair: no two pairs with a rank say the same."""
    faces = [f"{pair.name_a}, {pair.path_a}", f"{pair.name_b}, {pair.path_b}"]
    return [faces, f"Rank {pair.rank:,}" if pair.rank else ""]


def assert_shows(page, report, order):
    """Every card in the page is the pair that belongs at its place."""
    cards = drawn(page)
    assert 0 < len(cards) <= MANY
    assert [place for place, *_ in cards] == sorted(place for place, *_ in cards)
    for place, faces, rank, label in cards:
        assert [faces, rank] == told(report.gallery[order[place]]), place
        assert label.startswith(f"Pair {place + 1:,} of {len(order):,}; ")
    return {place for place, *_ in cards}


def active(page):
    """The place of the card with the focus."""
    return page.evaluate("Number(document.activeElement.dataset.place ?? -1)")


def in_sight(page, place):
    """Whether the card is on the screen, and not below the controls."""
    return page.evaluate(
        """(place) => {
            const box = document.querySelector(`[data-place="${place}"]`).getBoundingClientRect();
            const bar = document.getElementById("pair-controls").getBoundingClientRect();
            return box.top >= bar.bottom && box.bottom <= innerHeight;
        }""",
        place,
    )


def until(page, expression):
    """Wait until JavaScript finds the expression true. Playwright's own way needs `eval`."""
    end = monotonic() + PATIENCE_MS / 1000
    while not page.evaluate(expression):
        assert monotonic() < end, expression
        page.wait_for_timeout(20)


def until_count(page, expected):
    """Wait until the view is of so many pairs, as after a step back."""
    until(page, f"document.getElementById('pair-count').textContent.startsWith('{expected:,} ')")


def settled(page):
    """Wait for the drawing that follows a scroll."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 20)))")


@in_browsers
def test_filters_keep_what_the_pairs_say(page, report):
    for view in VIEWS:
        choose(page, view)
        order = shown(report, view)
        assert count(page) == len(order) > 0, view
        assert 0 in assert_shows(page, report, order)
    assert len({len(shown(report, view)) for view in VIEWS}) > 20


def test_orders(page, report):
    orders = {sort: ordered(report, sort) for sort in SORTS}
    assert len({tuple(order) for order in orders.values()}) == len(SORTS)
    for sort, order in orders.items():
        page.select_option("[name=sort]", sort)
        seen = assert_shows(page, report, order)
        page.focus(f"{CARD}[tabindex='0']")
        page.keyboard.press("End")
        seen |= assert_shows(page, report, order)
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight / 2)")
        settled(page)
        seen |= assert_shows(page, report, order)
        assert {0, PAIRS - 1} <= seen
        assert any(PAIRS * 0.4 < place < PAIRS * 0.6 for place in seen)


@in_browsers
def test_the_page_scrolls_from_end_to_end_without_a_gap(page, report):
    choose(page, {"label": "same"})
    order = shown(report, {"label": "same"})
    height = page.evaluate("document.documentElement.scrollHeight")
    first_row = set(range(int(page.get_attribute("#pair-grid", "aria-colcount"))))
    seen = set()
    for at in [*range(0, height, 2600), height]:
        page.evaluate(f"scrollTo(0, {at})")
        settled(page)
        cards = assert_shows(page, report, order) - first_row  # Tab reaches it
        assert all(after - before == 1 for before, after in pairwise(sorted(cards)))
        seen |= cards
        # What is drawn covers the screen, as far as the grid does.
        covered = page.evaluate(
            """() => {
                const grid = document.getElementById("pair-grid").getBoundingClientRect();
                const rows = [...document.querySelectorAll(".pair-grid [role=row]")]
                    .map((row) => row.getBoundingClientRect());
                const [top, end] = [Math.max(0, grid.top), Math.min(innerHeight, grid.bottom)];
                return top >= end || (rows.some((row) => row.top <= top + 40 && row.bottom > top)
                    && rows.some((row) => row.bottom >= end - 40 && row.top < end));
            }"""
        )
        assert covered, at
    assert seen == set(range(len(order))) - first_row
    # The length of the page is that of all rows.
    assert page.evaluate("document.documentElement.scrollHeight") == height


def test_rows_are_equally_high_whatever_is_in_them(page):
    page.evaluate("scrollTo(0, 3000)")
    settled(page)
    rows = page.evaluate(
        """() => [...document.querySelectorAll(".pair-grid [role=row]")].map((row) => {
            const cards = [...row.children].map((card) => card.getBoundingClientRect().height);
            return [row.getBoundingClientRect().top, ...new Set(cards)];
        })"""
    )
    heights = {height for row in rows for height in row[1:]}
    assert len(heights) == 1
    steps = {round(after[0] - before[0]) for before, after in pairwise(rows[1:])}
    assert len(steps) == 1
    assert steps.pop() > heights.pop()


def test_with_the_keyboard_alone(page, report):
    for _ in range(40):
        page.keyboard.press("Tab")
        if active(page) >= 0:
            break
    assert active(page) == 0
    page.keyboard.press("Tab")
    assert active(page) == -1  # one stop for the whole grid
    page.keyboard.press("Shift+Tab")
    columns = int(page.get_attribute("#pair-grid", "aria-colcount"))
    assert columns > 2
    walk = [
        ("ArrowRight", 1),
        ("ArrowDown", 1 + columns),
        ("ArrowLeft", columns),
        ("ArrowUp", 0),
        ("ArrowUp", 0),
        ("ArrowLeft", 0),
        ("End", PAIRS - 1),
        ("ArrowDown", PAIRS - 1),
        ("ArrowLeft", PAIRS - 2),
        ("Home", 0),
    ]
    for key, goal in walk:
        page.keyboard.press(key)
        assert active(page) == goal, key
        assert in_sight(page, goal), key
    page.keyboard.press("PageDown")
    down = active(page)
    assert down >= columns
    assert down % columns == 0
    page.keyboard.press("PageUp")
    assert active(page) == 0
    page.mouse.move(600, 500)
    page.mouse.wheel(0, 30_000)
    until(page, "scrollY > 25_000")
    settled(page)
    page.keyboard.press("ArrowRight")  # from the card with the focus, though it is far away
    assert active(page) == 1
    assert in_sight(page, 1)
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    assert page.locator("#pair-viewer").is_visible()
    assert f"{PAIRS:,} of {PAIRS:,}" in page.inner_text("#pair-title")
    page.keyboard.press("f")
    assert "over" in page.get_attribute("#pair-stage", "class").split()
    page.keyboard.press("ArrowRight")  # there is none after the last
    assert f"{PAIRS:,} of" in page.inner_text("#pair-title")
    assert page.get_attribute("[data-do=next]", "aria-disabled") == "true"
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#pair-title").endswith(f" 2 of {PAIRS:,}")
    page.keyboard.press("Escape")
    # Pair 2 was not even in the page when the last one was enlarged.
    until(page, "document.activeElement.dataset.place === '1'")
    assert in_sight(page, 1)
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "q"
    page.keyboard.type("ayan/")
    assert page.input_value("[name=q]") == "ayan/"


@in_browsers
def test_the_enlarged_view_says_all(page, report):
    view = {"show": f"wrong:{A}", "sort": f"low:{A}"}
    choose(page, view)
    order = shown(report, view)
    page.click(f"{CARD} >> nth=2 >> .pair-faces")
    for step in (2, 3, 4):
        pair = report.gallery[order[step]]
        assert page.inner_text("#pair-title").endswith(f"{step + 1} of {len(order):,}")
        alts = [face.get_attribute("alt") for face in page.locator("#pair-stage img").all()]
        assert [alts, ""] == [told(pair)[0], ""]
        rows = [re.split(r"\t", row) for row in page.inner_text("#pair-table tbody").split("\n")]
        told_by = {row[0]: row[1:] for row in rows}
        for model in MODELS:
            cells = told_by[model]
            score = pair.scores.get(model)
            assert cells[0] == ("–" if score is None else f"{score:.3f}".replace("-", "−"))
            wrong = {
                None: "",
                False: "✓ right",
                True: "✗ false " + ("reject" if pair.label else "accept"),
            }
            cut = THRESHOLDS[pair.set].get(model)
            assert cells[1] == ("–" if cut is None else f"{cut:.3f}")
            assert cells[-1] == wrong[pair.mistaken(model)]
        if pair.quantiles:
            assert float(told_by[A][2]) == pytest.approx(pair.quantiles[A], abs=1e-6)
        said = {-1: "not judged", 0: "different", 1: "same"}[pair.human_prediction]
        assert told_by["Person"][0] == said
        page.keyboard.press("ArrowRight")
    name = report.gallery[order[5]].name_b
    page.click("#pair-who .pair-name >> nth=1")
    assert not page.locator("#pair-viewer").is_visible()
    assert count(page) == len(shown(report, view | {"name": name}))
    assert_shows(page, report, shown(report, view | {"name": name}))
    until(page, "document.activeElement.dataset.place === '0'")


PERIOD = 550  # milliseconds a face


@pytest.mark.parametrize("calm", [False, True])
def test_flicker_moves_by_itself_only_for_who_wants_motion(browser, file, report, calm):
    context = {"reduced_motion": "reduce" if calm else "no-preference"}
    paths = report.gallery[6].path_a, report.gallery[6].path_b
    with visit(browser, address_of(file, f"#pair={pair_key(*paths)}"), **context) as seen:
        page = seen.page

        def visible():
            faces = page.locator("#pair-stage figure").all()
            return [face.evaluate("(face) => getComputedStyle(face).visibility") for face in faces]

        page.clock.install()
        page.clock.pause_at(datetime.now() + timedelta(hours=1))
        assert visible() == ["visible", "visible"]
        page.keyboard.press("F")
        first = visible()
        assert sorted(first) == ["hidden", "visible"]
        page.clock.run_for(PERIOD)
        assert (visible() == first) == calm
        before = visible()
        page.keyboard.press(" ")
        assert visible() == before[::-1]
        page.clock.run_for(PERIOD)
        assert visible() == before[::-1]  # from now on by hand
        page.keyboard.press("f")
        assert visible() == ["visible", "visible"]


def test_a_name_keeps_its_pairs_and_a_chip_drops_it(page, report):
    name = report.gallery[1].name_a
    page.click(f"{CARD} >> nth=1 >> .pair-name >> nth=0")
    assert count(page) == len(shown(report, {"name": name})) < PAIRS
    assert active(page) == 0
    chip = page.locator("#pair-chips button")
    assert name in chip.inner_text()
    chip.click()
    assert count(page) == PAIRS
    assert page.locator("#pair-chips button").count() == 0


@in_browsers
def test_a_view_is_an_address(page, browser, file, report):
    view = {"show": f"wrong:{B}", "human": "right", "q": "ayanami", "sort": "split"}
    choose(page, view)
    order = shown(report, view)
    until(page, "location.hash.includes('ayanami')")
    address = page.url
    page.click(f"{CARD} >> nth=1 >> .pair-faces")
    until(page, "location.hash.includes('pair=')")
    enlarged = page.url
    with visit(browser, address) as again:
        assert count(again.page) == len(order)
        assert_shows(again.page, report, order)
        values = [again.page.input_value(f"[name={key}]") for key in view]
        assert values == list(view.values())
        assert again.page.locator("#pair-grid").bounding_box()["y"] < 900
    with visit(browser, enlarged) as again:
        assert again.page.inner_text("#pair-title").endswith(f"2 of {len(order):,}")


def test_back_and_forward(page, report):
    first, second = {"label": "same"}, {"label": "same", "wrong": A}
    page.click("[data-do=filters]")
    page.select_option("[name=label]", "same")
    page.select_option("[name=wrong]", A)
    page.fill("[name=q]", "a")
    page.locator("[name=q]").press_sequentially("yanami")
    third = second | {"q": "ayanami"}
    assert count(page) == len(shown(report, third))
    until(page, "location.hash.includes('ayanami')")
    for view in (second, first, {}):
        page.go_back()  # a word typed is one step
        until_count(page, len(shown(report, view)))
        assert_shows(page, report, shown(report, view))
    page.go_forward()
    until_count(page, len(shown(report, first)))
    page.click("a[href='#other']")  # another section says nothing about the view
    assert count(page) == len(shown(report, first))


def test_an_address_that_names_what_is_not_there(browser, file):
    with visit(
        browser, address_of(file, "#pairs?show=fa:nobody&label=%00&name=x&sort=odd&zz=1")
    ) as seen:
        assert count(seen.page) == PAIRS
        assert not seen.page.locator("#pair-viewer").is_visible()


def test_an_empty_view_says_which_filter_is_to_blame(page, report):
    choose(page, {"wrong": A, "right": A, "label": "same"})
    assert count(page) == 0
    text = page.inner_text("#pair-nothing")
    without = len(shown(report, {"right": A, "label": "same"}))
    assert f"wrong by {A}" in text
    assert f"Without it: {without:,} pairs" in text
    page.click(f"#pair-nothing button >> text='Without it: {without:,} pairs'")
    assert count(page) == without
    choose(page, {"q": "nobody is called so"})
    assert "fits no pair at all" in page.inner_text("#pair-nothing")
    page.click("#pair-nothing button")
    assert count(page) == PAIRS
    assert_shows(page, report, range(PAIRS))


@pytest.mark.parametrize("place", ["0", "9000", "document.documentElement.scrollHeight"])
def test_what_a_view_holds_is_in_sight_from_wherever_it_was_chosen(page, report, place):
    page.evaluate("document.body.style.paddingTop = '5000px'")  # as in a report, with tables above
    for view, seen in (
        ({"q": "nobody is called so"}, "#pair-nothing"),
        ({"q": "ayanami"}, CARD),
    ):
        choose(page, {})
        page.evaluate("document.getElementById('pair-grid').scrollIntoView()")
        page.evaluate(f"scrollBy(0, {place})")
        choose(page, view)
        assert count(page) == len(shown(report, view))
        top = page.evaluate(f"document.querySelector('{seen}').getBoundingClientRect().top")
        bar = page.evaluate("document.getElementById('pair-count').getBoundingClientRect().bottom")
        assert 0 < bar < top < page.viewport_size["height"]


def test_a_link_of_the_page_leads_to_the_pairs_and_back_to_where_it_was(page, report):
    view = {"wrong": A, "right": B}
    page.evaluate(
        """(to) => {
          const link = Object.assign(document.createElement("a"), { href: to, id: "to-pairs" });
          link.append("pairs");
          document.body.prepend(link, Object.assign(document.createElement("p"), { id: "gap" }));
          document.getElementById("gap").style.height = "5000px";
          scrollTo(0, 0);
        }""",
        "#pairs?" + urlencode(view),
    )
    for _ in range(2):  # the second time from the address that it names
        page.evaluate("scrollTo(0, 0)")
        page.click("#to-pairs")
        assert count(page) == len(shown(report, view))
        top = page.evaluate("document.getElementById('pairs').getBoundingClientRect().top")
        assert abs(top) < page.viewport_size["height"] / 2
        assert page.evaluate("document.activeElement.closest('#pair-grid') !== null")
    page.evaluate("scrollTo(0, 0)")
    page.go_back()
    until_count(page, PAIRS)


def test_counts_of_differences_are_what_their_links_open(browser, report, tmp_path):
    """Two sets with pairs in common, and more pairs than the gallery takes."""
    pairs = report.gallery[:400]
    boards = [_board_of(name, pairs) for name in ("random", "mined & ranked")]
    whole = replace(report, gallery=pairs, leaderboards=boards)
    file = write_report(replace(whole, gallery=pairs[:150]), tmp_path / "report.html")
    with visit(browser, address_of(file)) as seen:
        page = seen.page
        page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
        links = page.locator("#differences a")
        texts = links.all_text_contents()
        # Of each set three times two models, either of whom may be right alone.
        assert len(texts) == 12
        assert all(" of " in text for text in texts)
        for at, text in enumerate(texts):
            links.nth(at).click()
            assert count(page) == int(text.split()[0]) > 0
    write_report(whole, file)
    with visit(browser, address_of(file)) as seen:
        links = seen.page.locator("#differences table:first-of-type a")
        texts = links.all_text_contents()
        assert not [text for text in texts if " of " in text]
        for at, text in enumerate(texts):
            links.nth(at).click()
            assert count(seen.page) == int(text.split()[0].replace(",", "")) > 0


def _board_of(name, gallery):
    """A table of the pairs of a set, whose verdicts are those that the gallery has."""
    rows = [pair for pair in gallery if name in pair.sets]
    found = [
        Difference(
            "fpr", first, second, -0.1, -0.2, 0.0, 0.01, 0.01, *(
                sum(pair.mistaken(one) is False and pair.mistaken(other) is True for pair in rows)
                for one, other in ((first, second), (second, first))
            ),
        )
        for first, second in combinations(MODELS, 2)
    ]  # fmt: skip
    pairs = PairSet.of(["a/1", "a/1"], ["b/1", "a/2"], [0, 1])
    comparison = compare(name, pairs, {key: [0.0, 1.0] for key in MODELS}, 0.1, draws=0)
    return Leaderboard(name, (), replace(comparison, differences={"fpr": tuple(found)}))


def test_choices_say_how_many(page, report):
    for key in ("show", "label", "set", "human", "wrong", "right"):
        for option in page.locator(f"[name={key}] option").all():
            value = option.get_attribute("value")
            if value:
                expected = len(shown(report, {key: value}))
                assert option.text_content().endswith(f" ({expected:,})")


def test_reset(page, report):
    choose(page, VIEWS[-1] | {"sort": "split"})
    assert count(page) < PAIRS
    page.click("[data-do=reset]")
    assert count(page) == PAIRS
    assert page.input_value("[name=sort]") == ""
    assert not page.locator("[data-do=reset]").is_visible()
    assert page.url.endswith("#pairs")


@in_browsers
def test_hostile_names_are_text(page):
    evil = next(name for name in names() if name.startswith(EVIL))
    page.fill("[name=q]", evil)
    assert count(page) > 0
    buttons = page.locator(f"{CARD} .pair-name").all_text_contents()
    assert evil in buttons
    assert page.locator("main .pair-names b, main option b, main .pair-chips b").count() == 0
    # The page's own, and the larger faces until they are read.
    assert page.evaluate("document.scripts.length") == 2
    page.click(f"{CARD} >> nth=0 >> .pair-faces")
    assert page.evaluate("document.scripts.length") == 1


def test_without_script_the_same_cards(browser, file, report):
    with visit(browser, address_of(file), java_script_enabled=False) as seen:
        plain = seen.page.locator("#pair-first .pair-card").all_inner_texts()
        assert not seen.page.locator("#pair-controls").is_visible()
        assert "first 36 of 3,000" in seen.page.inner_text("#pair-rest")
    with visit(browser, address_of(file)) as seen:
        cards = seen.page.locator(CARD).all_inner_texts()
        assert not seen.page.locator("#pair-rest, #pair-first").count()
    assert len(plain) == 36
    assert [card.split() for card in cards[:12]] == [card.split() for card in plain[:12]]


def test_faces_are_drawn(page):
    page.evaluate("scrollTo(0, 20000)")
    settled(page)
    until(
        page,
        """[...document.querySelectorAll(".pair-grid [data-place] img")]
            .every((face) => face.complete && face.naturalWidth === 24)""",
    )
    assert page.locator(f"{CARD} img").count() > 20


@in_browsers
@pytest.mark.parametrize(
    ("width", "scheme"), [(360, "light"), (360, "dark"), (768, "light"), (1280, "dark")]
)
def test_nothing_sticks_out(browser, file, report, scheme, width):
    context = {"color_scheme": scheme, "viewport": {"width": width, "height": 740}}
    with visit(browser, address_of(file, "#pairs?q=alert"), **context) as seen:
        page = seen.page

        def overflow():
            return page.evaluate("document.documentElement.scrollWidth - innerWidth")

        page.click("[data-do=filters]")
        assert overflow() <= 0
        columns = int(page.get_attribute("#pair-grid", "aria-colcount"))
        assert columns == {360: 1, 768: 2, 1280: 4}[width]
        assert_shows(page, report, shown(report, {"q": "<script>alert"}))
        page.click(f"{CARD} >> nth=0 >> .pair-faces")
        assert overflow() <= 0
        viewer = page.locator("#pair-viewer")
        assert viewer.evaluate("(box) => box.scrollWidth - box.clientWidth") <= 0
        paper = page.evaluate(
            "getComputedStyle(document.getElementById('pair-controls')).backgroundColor"
        )
        light = sum(map(int, re.findall(r"\d+", paper)[:3])) > 3 * 128
        assert light == (scheme == "light")


@in_browsers
def test_in_the_whole_report(browser, report, tmp_path):
    file = write_report(replace(report, gallery=report.gallery[:200]), tmp_path / "report.html")
    with visit(browser, address_of(file, "#pairs?label=same")) as seen:
        same = [at for at in range(200) if report.gallery[at].label]
        assert count(seen.page) == len(same)
        assert_shows(seen.page, report, same)
        seen.page.click(f"{CARD} >> nth=0 >> .pair-faces")
        assert seen.page.inner_text("#pair-title").endswith(f"1 of {len(same)}")


def test_a_turned_phone_keeps_its_place(browser, file, report):
    with visit(browser, address_of(file), viewport={"width": 360, "height": 740}) as seen:
        page = seen.page
        page.evaluate("document.getElementById('pair-grid').scrollIntoView()")
        page.evaluate("scrollBy(0, 300000)")
        settled(page)
        first = min(place for place, *_ in drawn(page) if place and in_view(page, place))
        page.set_viewport_size({"width": 740, "height": 360})
        settled(page)
        assert_shows(page, report, range(PAIRS))
        after = [place for place, *_ in drawn(page) if place and in_view(page, place)]
        assert min(after) - 4 <= first <= max(after) + 4


def in_view(page, place):
    return page.evaluate(
        """(place) => {
            const box = document.querySelector(`[data-place="${place}"]`).getBoundingClientRect();
            return box.bottom > 0 && box.top < innerHeight;
        }""",
        place,
    )


def test_paper_has_the_first_pairs_of_the_view(page, report):
    choose(page, {"label": "same"})
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    printed = page.locator("div.pair-printed .pair-card")
    faces = [face.get_attribute("alt") for face in printed.locator("img").all()]
    order = shown(report, {"label": "same"})
    assert faces == [face for at in order[:60] for face in told(report.gallery[at])[0]]
    assert not page.locator("#pair-controls, #pair-grid").filter(visible=True).count()
    assert f"first 60 of {len(order):,} pairs; same identity." in page.inner_text("p.pair-printed")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert printed.count() == 0


def test_a_screen_reader_hears_where_it_is(page, report):
    grid = page.locator("#pair-grid")
    columns = int(grid.get_attribute("aria-colcount"))
    assert int(grid.get_attribute("aria-rowcount")) == -(-PAIRS // columns)
    page.focus(f"{CARD}[tabindex='0']")
    page.keyboard.press("End")
    cell = page.locator(f"[data-place='{PAIRS - 1}']")
    assert cell.get_attribute("role") == "gridcell"
    assert int(cell.get_attribute("aria-colindex")) == (PAIRS - 1) % columns + 1
    row = cell.locator("xpath=..")
    assert (row.get_attribute("role"), row.get_attribute("aria-rowindex")) == (
        "row",
        str(-(-PAIRS // columns)),
    )
    pair = report.gallery[-1]
    label = cell.get_attribute("aria-label")
    assert f"{pair.name_a} and {pair.name_b}" in label
    for model in pair.scores:
        wrong = pair.mistaken(model)
        kind = "right" if wrong is False else f"false {'reject' if pair.label else 'accept'}"
        said = f"{model} {pair.scores[model]:.3f}".replace(" -", " −")
        assert (said + ("" if wrong is None else f" {kind}")) in label.split("; ")
    assert page.locator(f"{CARD}[tabindex='0']").count() == 1


@in_browsers
def test_two_identities_are_a_view(browser, file, report):
    different = next(pair for pair in report.gallery if not pair.label)
    same = next(pair for pair in report.gallery if pair.label)
    for view in (
        {"name": different.name_a, "with": different.name_b},
        {"name": same.name_a, "with": same.name_b},
        {"with": different.name_b, "label": "different"},
    ):
        order = shown(report, view)
        with visit(browser, address_of(file, address(view))) as seen:
            assert count(seen.page) == len(order) > 0
            assert_shows(seen.page, report, order)
            assert seen.page.locator("#pair-chips button").count() == len(view)
            seen.page.locator("#pair-chips button").last.click()
            without = dict([*view.items()][:-1]) if "label" not in view else {"with": view["with"]}
            assert count(seen.page) == len(shown(report, without))


def key_of(pair):
    return pair_key(pair.path_a, pair.path_b)


def test_a_link_to_a_pair_outlives_another_order(browser, file, report, tmp_path):
    pair = report.gallery[17]
    turned = replace(
        pair, path_a=pair.path_b, path_b=pair.path_a, name_a=pair.name_b, name_b=pair.name_a
    )
    others = [one for one in report.gallery[::-1] if one is not pair]
    moved = write_page(replace(report, gallery=[*others[:40], turned]), tmp_path / "moved.html")
    for page_file in (file, moved):
        with visit(browser, address_of(page_file, f"#pair={key_of(pair)}")) as seen:
            faces = [
                face.get_attribute("alt") for face in seen.page.locator("#pair-stage img").all()
            ]
            assert sorted(faces) == sorted(told(pair)[0])
            assert not seen.page.locator("#pair-unknown").is_visible()
            # The address stays that of the pair, and leaves with it.
            seen.page.keyboard.press("Escape")
            until(seen.page, "location.hash === '#pairs'")


@in_browsers
def test_a_link_to_a_pair_is_copied(page, report):
    choose(page, {"label": "same"})
    order = shown(report, {"label": "same"})
    page.evaluate(
        "void (navigator.clipboard.writeText = async (text) => { window.copied = text; })"
    )
    page.click(f"{CARD} >> nth=1 >> .pair-faces")
    page.click("[data-do=copy]")
    until(page, "document.getElementById('pair-copied').textContent === 'Link copied'")
    before, _, fragment = page.evaluate("copied").partition("#")
    assert before == page.url.partition("#")[0]
    assert fragment == f"pair={key_of(report.gallery[order[1]])}"
    page.keyboard.press("ArrowRight")  # of another pair nothing is copied yet
    assert page.inner_text("#pair-copied") == ""
    # Without a clipboard a text is selected and copied; where that fails too, it is said.
    page.evaluate("void (navigator.clipboard.writeText = () => Promise.reject(new Error('none')))")
    for done, said in (("true", "Link copied"), ("false", "Not copied")):
        page.evaluate(
            "void (document.execCommand ="
            f" () => (window.copied = document.activeElement.value, {done}))"
        )
        page.click("[data-do=copy]")
        until(page, f"document.getElementById('pair-copied').textContent.startsWith('{said}')")
        assert f"#pair={key_of(report.gallery[order[2]])}" in page.evaluate("copied")
    assert page.evaluate("document.activeElement.dataset.do") == "copy"


def test_a_pair_that_is_not_there_is_said_to_be_missing(browser, file, report):
    with visit(browser, address_of(file, "#pair=0123456789ab")) as seen:
        page = seen.page
        assert "not on this page" in page.inner_text("#pair-unknown")
        assert not page.locator("#pair-viewer").is_visible()
        choose(page, {"label": "same"})
        assert not page.locator("#pair-unknown").is_visible()
    pair = next(one for one in report.gallery if not one.label)
    with visit(browser, address_of(file, f"#pairs?label=same&pair={key_of(pair)}")) as seen:
        page = seen.page
        assert "leave its pair out" in page.inner_text("#pair-unknown")
        page.click("#pair-unknown a")
        until(page, "document.getElementById('pair-viewer').open")
        assert page.locator("#pair-stage img").first.get_attribute("alt") == told(pair)[0][0]
        assert count(page) == PAIRS


def test_a_pair_of_two_sets_is_linked_in_its_own(browser, report, tmp_path):
    pair = next(one for one in report.gallery if one.verdicts.get(A) and one.set == "random")
    other = replace(pair, set="mined & ranked", also=(), verdicts={A: False})
    gallery = [*report.gallery[:20], pair, other]
    file = write_page(replace(report, gallery=gallery), tmp_path / "twice.html")
    with visit(browser, address_of(file)) as seen:
        page = seen.page
        page.evaluate(
            "void (navigator.clipboard.writeText = async (text) => { window.copied = text; })"
        )
        page.focus(f"{CARD}[tabindex='0']")
        page.keyboard.press("End")
        page.keyboard.press("Enter")
        page.click("[data-do=copy]")
        until(page, "window.copied")
        address = page.evaluate("copied")
    with visit(browser, address) as seen:
        assert "mined & ranked set" in seen.page.inner_text("#pair-who")


def test_a_score_is_told_from_the_threshold_that_it_misses(browser, report, tmp_path):
    pair = replace(report.gallery[0], scores={A: 0.59999, B: 0.6, C: 12.34561}, set="s", also=())
    cuts = {"s": {A: 0.6, B: 0.6, C: 12.34567}}
    made = replace(report, gallery=[pair], thresholds=cuts)
    file = write_page(made, tmp_path / "near.html")
    with visit(browser, address_of(file, f"#pair={key_of(pair)}")) as seen:
        rows = seen.page.inner_text("#pair-table tbody").split("\n")
        told_by = {cells[0]: cells[1:3] for cells in (row.split("\t") for row in rows)}
    assert told_by[A] == ["0.59999", "0.60000"]
    assert told_by[B] == ["0.600", "0.600"]
    assert told_by[C] == ["12.3456", "12.3457"]


def test_an_enlarged_face_is_sharp(browser, tmp_path):
    gallery = []
    for at in range(LARGE_PAIRS + 1):
        for name in ("a", "b"):
            Image.effect_mandelbrot((450, 450), (-2, -1.5, 1, 1.5), 10 + at % 7).convert(
                "RGB"
            ).save(tmp_path / f"{at}{name}.png", compress_level=1)
        gallery.append(GalleryPair(0, f"{at}a.png", f"{at}b.png", f"a{at}", f"b{at}", {}))
    file = write_page(Report("sharp", tmp_path, gallery=gallery), tmp_path / "sharp.html")
    with visit(browser, address_of(file)) as seen:
        page = seen.page
        for pair, width in ((gallery[0], 400), (gallery[LARGE_PAIRS - 1], 400), (gallery[-1], 24)):
            page.evaluate(f"location.hash = '#pair={key_of(pair)}'")
            for side, name in enumerate((pair.name_a, pair.name_b)):
                face = f"document.querySelectorAll('#pair-stage img')[{side}]"
                until(page, f"{face}.alt.startsWith('{name},') && {face}.complete")
                assert page.evaluate(f"{face}.naturalWidth") == width
        # The cards stay small.
        assert page.evaluate(f"document.querySelector('{CARD} img').naturalWidth") == 24
