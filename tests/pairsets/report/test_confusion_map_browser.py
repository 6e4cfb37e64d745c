"""The map of confusions in a real browser: every identity is reached, each cell leads on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
import pytest
from support.accessibility import SCHEMES, violations
from support.browser import address_of, in_browsers, visit
from support.planted_gallery import MODELS, planted_report

from pairsets import PairSet
from pairsets.evaluation.confusion import Confusion
from pairsets.evaluation.confusion_network import ConfusionNetwork
from pairsets.evaluation.hubness import Hubness, hub_faces
from pairsets.report import write_report
from pairsets.report.content import ConfusionMap, HubFaces
from pairsets.report.identity_layout import IdentityLayout

MODEL, SET = MODELS[0], "mined & ranked"
CELL = "#map-table .map-cell"


def pairs_of_set(report):
    """Negatives of the mined set by their own paths."""
    kept = [pair for pair in report.gallery if not pair.label and SET in pair.sets]
    paths = [[pair.path_a for pair in kept], [pair.path_b for pair in kept]]
    return PairSet.of(*paths, 0)


@pytest.fixture(scope="module")
def report(tmp_path_factory, browsers):
    """The planted gallery, with the map of its first model's false accepts."""
    plain = planted_report(tmp_path_factory.mktemp("faces"))
    once = {frozenset((pair.path_a, pair.path_b)): pair for pair in plain.gallery}
    plain = replace(plain, gallery=list(once.values()))
    negatives = [pair for pair in plain.gallery if not pair.label]
    pairs = PairSet.of(
        [f"{pair.name_a}/{pair.path_a}" for pair in negatives],
        [f"{pair.name_b}/{pair.path_b}" for pair in negatives],
        0,
        identities={
            f"{name}/{path}": name
            for pair in negatives
            for name, path in ((pair.name_a, pair.path_a), (pair.name_b, pair.path_b))
        },
    )
    scores = np.array([float(pair.verdicts.get(MODEL, False)) for pair in negatives])
    network = ConfusionNetwork.of(pairs, scores, 1.0)
    second = ConfusionNetwork.of(pairs, scores[::-1].copy(), 1.0)
    return replace(
        plain,
        hubness={SET: Hubness.of_negatives(pairs_of_set(plain))},
        hubs=HubFaces(SET, hub_faces(pairs_of_set(plain)), ["who"] * 12),
        confusions={"one": Confusion.of(pairs, scores, 1.0)},
        maps=[ConfusionMap(MODEL, "", network), ConfusionMap(MODELS[2], "", second)],
        layout=layout_of(network.identities.tolist()),
    )


def layout_of(names):
    """Identities in rows of ten, and one that no pair of the gallery shows."""
    places = np.array([[at % 10 * 3, at // 10 + at % 3 / 9] for at in range(len(names) + 1)])
    return IdentityLayout(MODEL, [*names, "nobody's"], places)


@pytest.fixture(scope="module")
def file(report, tmp_path_factory):
    return write_report(report, tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture
def page(browser, file):
    with visit(browser, address_of(file, "#confusions?map=0")) as seen:
        yield seen.page


def taken(report, name, other=None):
    """Pairs of the gallery that the model takes for one, of one identity or of two."""
    return sum(
        not pair.label
        and pair.verdicts.get(MODEL, False)
        and name in (pair.name_a, pair.name_b)
        and (other is None or {pair.name_a, pair.name_b} == {name, other})
        for pair in report.gallery
    )


@in_browsers
def test_every_identity_is_reached_from_the_first_view(page, report):
    """Rows lead into their groups, down to each identity, once; and all cells add up."""
    network = report.maps[0].network
    whole, views = 0, ["#confusions?map=0&rows=&columns="]
    reached = []
    while views:
        page.evaluate("(hash) => { location.hash = hash; }", views.pop())
        page.wait_for_timeout(30)
        rows = page.evaluate(
            """() => [...document.querySelectorAll("#map-table tbody th a")].map(
                (link) => [link.textContent, link.getAttribute("href")])"""
        )
        assert 0 < len(rows) <= 30
        cells = page.evaluate(
            """() => [...document.querySelectorAll("#map-table tbody tr")].map((row, at) =>
                [...row.querySelectorAll("td")].map((cell, column) =>
                    column >= at ? Number(cell.textContent.replace(",", "")) : 0))"""
        )
        for at, (text, address) in enumerate(rows):
            if address.startswith("#confusions?"):
                views.append(address)
            else:
                reached.append(text)
                cells[at][at] = 0
        inner = [[*row[:at], 0, *row[at + 1 :]] for at, row in enumerate(cells)]
        whole += int(np.sum(inner))
    assert sorted(reached) == sorted(network.identities.tolist())
    assert whole == network.accepted.sum()


def test_a_cell_of_two_identities_opens_the_pairs_that_it_counts(page, report):
    network = report.maps[0].network
    name = network.identities[network.low[np.argmax(network.accepted)]]
    page.fill("#map-find", name)
    page.press("#map-find", "Enter")
    assert page.evaluate("document.activeElement.textContent") == name
    page.wait_for_function(
        "() => document.querySelector('#map-table [href^=\\'#pairs?\\'].map-cell')"
    )
    found = page.query_selector_all(f"{CELL}[href^='#pairs?']")
    told, address = int(found[0].inner_text()), found[0].get_attribute("href")
    asked = {key: value[0] for key, value in parse_qs(address.removeprefix("#pairs?")).items()}
    assert told == taken(report, asked["name"], asked["with"])
    found[0].focus()
    assert f"{told} of" in page.inner_text("#map-says")
    page.keyboard.press("Enter")
    assert int(page.inner_text("#pair-count").split()[0]) == told
    page.go_back()
    assert page.url.partition("#")[2].startswith("confusions?")


@in_browsers
def test_arrows_go_from_cell_to_cell_and_enter_opens_a_group(page):
    page.focus(CELL)
    before = page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.closest('#map-table') !== null")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") != before
    assert page.locator(f"{CELL}[tabindex='0']").count() >= 1
    page.focus("#map-table tbody th a")
    title = page.evaluate("document.activeElement.title")
    page.keyboard.press("Enter")
    assert title.removesuffix(": look inside") in page.inner_text("#map-where")
    page.click("#map-where a")
    assert page.inner_text("#map-where").startswith("All ")


@in_browsers
def test_models_have_maps_of_their_own_and_faces_are_those_of_the_gallery(page, report):
    page.select_option("#map-model", "1")
    assert "map=1" in page.url
    sources = page.evaluate(
        "() => [...document.querySelectorAll('.map-face')].map((face) => face.naturalWidth)"
    )
    assert sources
    assert all(width > 0 for width in sources)
    shown = page.evaluate("() => document.querySelectorAll('.map-still')[0].offsetHeight")
    assert shown == 0


def test_on_a_phone_it_scrolls_within_its_box_and_says_so(browser, file):
    context = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
    with visit(browser, address_of(file, "#confusions?map=0"), **context) as seen:
        widths = seen.page.evaluate(
            """() => [document.documentElement.scrollWidth,
                document.getElementById("map-scroll").scrollWidth]"""
        )
        assert widths[0] <= 390 < widths[1]
        assert seen.page.is_visible("#map-hint")


@in_browsers
def test_a_name_that_nobody_has_is_said(page):
    page.locator("#map-find").press_sequentially("nobody at all")  # as a person: a change
    page.press("#map-find", "Enter")
    assert "nobody at all" in page.inner_text("#map-says")


def test_places_that_the_address_makes_up_are_the_whole_map(browser, file):
    for fragment in ("#confusions?map=9", "#confusions?map=0&rows=77.x&columns=-1"):
        with visit(browser, address_of(Path(file), fragment)) as seen:
            assert seen.page.inner_text("#map-where").startswith("All ")


def test_without_script_the_still_map_stands_there(browser, file):
    with visit(browser, address_of(file), java_script_enabled=False) as seen:
        assert seen.page.is_visible("#confusions .map-still svg")
        assert not seen.page.is_visible("#confusion-map")


@in_browsers
def test_hub_faces_are_shown_and_lead_to_their_pairs(page, report):
    hub = report.hubs.hubs[0]
    page.evaluate("location.hash = '#pairs'")
    shown = page.evaluate(
        "() => [...document.querySelectorAll('.hubs img')].map((face) => face.naturalWidth)"
    )
    assert len(shown) == 12
    assert all(width > 0 for width in shown)
    link = page.locator(".hubs a").first
    assert link.inner_text().startswith(f"{hub.count} ")
    link.click()
    assert int(page.inner_text("#pair-count").split()[0]) == hub.count
    assert f"face {hub.names[0]}" in page.inner_text("#pair-chips")


DOT = "#layout-drawing [data-dot]"


@in_browsers
def test_a_circle_shows_its_face_and_leads_to_its_pairs(page):
    dot = page.locator(f"{DOT}[href]").nth(3)
    name = dot.get_attribute("data-dot")
    dot.dispatch_event("pointerover")
    assert page.inner_text("#layout-says") == dot.get_attribute("aria-label")
    assert page.inner_text("#layout-says").startswith(name)
    page.wait_for_function("() => document.querySelector('#layout-says img').naturalWidth > 0")
    dot.focus()
    page.keyboard.press("Enter")
    asked = {key: value[0] for key, value in parse_qs(page.url.partition("#pairs?")[2]).items()}
    assert asked == {"name": name, "label": "different"}
    assert int(page.inner_text("#pair-count").split()[0]) > 0
    page.go_back()
    assert "#confusions" in page.url


def test_arrows_go_to_the_next_circle_that_way(page):
    place = """() => {
        const circle = document.activeElement.querySelector("circle");
        return [Number(circle.getAttribute("cx")), Number(circle.getAttribute("cy"))]; }"""
    page.locator(DOT).nth(44).focus()
    ways = {"ArrowLeft": (0, -1), "ArrowRight": (0, 1), "ArrowUp": (1, -1), "ArrowDown": (1, 1)}
    for key, (axis, sign) in ways.items():
        before = page.evaluate(place)
        page.keyboard.press(key)
        step = np.subtract(page.evaluate(place), before)
        assert step[axis] * sign > 0, key
        assert abs(step[axis]) >= abs(step[1 - axis]), key
    assert page.locator(f"{DOT}[tabindex='0']").count() == 1
    stopped = [page.keyboard.press("ArrowLeft") or page.evaluate(place) for _ in range(60)]
    assert stopped[-1] == stopped[-2]


def test_the_map_grows_around_the_circle_that_was_told_of(page):
    whole = page.evaluate("document.getElementById('layout-drawing').clientWidth")
    dot = page.locator(DOT).nth(57)
    dot.dispatch_event("pointerover")
    for _ in range(5):
        page.click("[data-zoom='1']")
    grown = page.evaluate("document.getElementById('layout-drawing').clientWidth")
    assert grown == pytest.approx(4 * whole, rel=0.05)
    box, circle = page.locator("#layout-box").bounding_box(), dot.bounding_box()
    for at, size in (("x", "width"), ("y", "height")):
        assert box[at] <= circle[at] <= box[at] + box[size]
    page.emulate_media(media="print")
    printed = page.evaluate("document.getElementById('layout-drawing').clientWidth")
    assert printed <= page.evaluate("document.getElementById('layout-box').clientWidth")
    assert not page.is_visible("#layout-zoom")
    page.emulate_media(media="screen")
    for _ in range(5):
        page.click("[data-zoom='-1']")
    shrunk = page.evaluate("document.getElementById('layout-drawing').clientWidth")
    assert shrunk == pytest.approx(whole, rel=0.05)


def test_who_has_no_pair_in_the_gallery_is_told_of_and_leads_nowhere(page):
    dot = page.locator(f"{DOT}:not([href])")
    assert dot.get_attribute("data-dot") == "nobody's"
    before = page.url
    dot.focus()
    assert page.inner_text("#layout-says") == "nobody's, 0 false accepts"
    page.keyboard.press("Enter")
    assert page.url == before


def test_without_script_the_map_of_identities_stands_there(browser, file, report):
    with visit(browser, address_of(file), java_script_enabled=False) as seen:
        assert seen.page.locator(f"{DOT} circle").count() == len(report.layout.names)
        assert not seen.page.is_visible("#layout-zoom")


@in_browsers
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_map_of_identities_keeps_the_rules_of_wcag(browser, file, scheme):
    with visit(browser, address_of(file), color_scheme=scheme) as seen:
        assert violations(seen.page, "at first") == []
