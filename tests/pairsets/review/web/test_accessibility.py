"""Every view of the review by the rules of WCAG, light and dark, on a phone and on a desktop."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from support.accessibility import SCHEMES, WIDTHS, violations
from support.browser import in_browsers
from support.review_server import plant, serving, until, visit_review

REI, KEN = "Rei 綾波", "Ken"
PAIRS = 40


@pytest.fixture(scope="module")
def server(tmp_path_factory, browsers):
    file = plant(tmp_path_factory.mktemp("views"), negatives=PAIRS - 10, positives=10)
    with serving(file) as found:
        words = ["same", "different", "different", "bad crop"]
        found.judge(REI, {pair: words[pair % 4] for pair in range(30)})
        found.judge(KEN, {pair: words[(pair + pair // 4) % 4] for pair in range(PAIRS)})
        yield found


def wait(page, selector):
    page.wait_for_selector(selector, state="visible")


def whole(page, host):
    """Wait for both faces: a verdict then counts."""
    until(page, "document.querySelector(value).dataset.sight === 'enough'", host)


@in_browsers
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_view(browser, server, scheme, width):
    found: list[str] = []
    settings = {"color_scheme": scheme, "viewport": {"width": width, "height": 844}}
    new = f"New {scheme} {width}"

    def look(page, view):
        found.extend(violations(page, view))

    with visit_review(browser, server, f"?as={quote(new)}", **settings) as seen:
        page = seen.page
        whole(page, "#judging")
        look(page, "the first pair")
        page.keyboard.press("x")
        look(page, "the reasons")
        page.keyboard.press("b")
        until(page, "document.querySelector('#judging .last-pair b')")
        page.keyboard.press("n")
        wait(page, "#judging .names")
        look(page, "the last pair with its names")
        page.keyboard.press("f")
        look(page, "flicker")
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        wait(page, "#help-dialog")
        look(page, "the keys")
        page.keyboard.press("Escape")
        if width < 860:
            page.click(".menu-button")
        page.click("#person")
        wait(page, "#person-dialog")
        look(page, "who judges")
    with visit_review(browser, server, f"?as={quote(REI)}#/history", **settings) as seen:
        page = seen.page
        wait(page, ".card")
        look(page, "history")
        page.click(".card-change >> nth=0")
        wait(page, "#pair-desk .box img")
        look(page, "a verdict to change")
        page.keyboard.press("Escape")
        for name, inside in (
            ("disagreements", ".box img"),
            ("agreement", ".board"),
            ("people", ".board"),
        ):
            if width < 860:
                page.click(".menu-button")
                look(page, "the menu")
            page.click(f"nav [data-page={name}]")
            wait(page, f"#{name} {inside}")
            look(page, name)
        page.goto(f"{server.link}#/agreement")
        page.click("text=Show error rates")
        look(page, "error rates")
    with visit_review(browser, server, f"?as={KEN}#/", **settings) as seen:
        page = seen.page
        wait(page, "#judging .finished h1")
        look(page, "all judged")
        page.goto(f"{server.link}#/history?text=nobody")
        until(page, "document.getElementById('history-count').textContent.startsWith('No pair')")
        look(page, "nothing found")
    assert found == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_is_said_in_trouble(browser, tmp_path, scheme):
    found: list[str] = []
    file = plant(tmp_path, negatives=2, positives=1)
    with serving(file) as own:
        for path in {*own.pairs.path_a}:
            (tmp_path / "faces" / path).unlink()
        with visit_review(
            browser, own, "?as=Rei", may_say="Failed to load resource", color_scheme=scheme
        ) as seen:
            page = seen.page
            wait(page, "#judging .box.missing")
            whole(page, "#judging")
            found += violations(page, "a picture that is missing")
            page.route("**/api/judgements", lambda asked: asked.abort())
            page.keyboard.press("x")
            page.keyboard.press("o")
            wait(page, "#judging .notice")
            found += violations(page, "a server that does not answer")
    assert found == []
