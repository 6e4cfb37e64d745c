"""The page around the gallery in a real browser: contents that stay, tables in line, a phone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.accessibility import SCHEMES, WIDTHS, violations
from support.browser import address_of, in_browsers, visit
from support.planted_gallery import planted_report

from pairsets.evaluation.intervals import Interval
from pairsets.funnel import FunnelRow
from pairsets.report import write_report
from pairsets.report.provenance import Provenance
from pairsets.tables.entries import Entry
from pairsets.tables.leaderboard import Leaderboard

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
LONG = "timm:tf_efficientnet_lite0@" + "weights/" * 6 + "x" * 70


def rows(*rates):
    return tuple(
        Entry(name, rate, 0.1, rate / 2, fpr_interval=Interval(rate / 2, min(1.1 * rate, 1)))
        for name, rate in zip(("best", "timm:tf_efficientnet_lite0", LONG), rates, strict=False)
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory, browsers):
    report = replace(
        planted_report(tmp_path_factory.mktemp("faces")),
        leaderboards=[
            Leaderboard("random", rows(0.01, 0.02, 0.3)),
            Leaderboard("adversarial", rows(0.55, 0.999)),
        ],
        funnel=[FunnelRow(f"stage {at}", "kept", at, kept=True) for at in range(20)],
        provenance=Provenance("2026-11-30", "lookalikes compare " + "faces " * 40, 0),
    )
    return write_report(report, tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture
def page(browser, file):
    with visit(browser, address_of(file), viewport={"width": 1300, "height": 800}) as seen:
        yield seen.page


@pytest.fixture
def phone(browser, file):
    with visit(browser, address_of(file), **PHONE) as seen:
        yield seen.page


def marked(page, name):
    """Wait until the contents mark a section, and none beside it."""
    page.wait_for_function(
        """(name) => {
            const found = [...document.querySelectorAll(".contents [aria-current]")];
            return found.length === 1 && found[0].hash === "#" + name;
        }""",
        arg=name,
    )


def folded(page):
    return page.evaluate(
        "() => [...document.querySelectorAll('section.folded')].map((one) => one.id)"
    )


@in_browsers
def test_columns_of_all_tables_stand_in_line(page):
    lefts = page.evaluate(
        """() => [...document.querySelectorAll(".ranking")].map((table) =>
            [...table.querySelectorAll("thead th")].map((one) =>
                Math.round(one.getBoundingClientRect().left)))"""
    )
    assert len(lefts) == 2
    assert lefts[0] == lefts[1]


@in_browsers
@pytest.mark.parametrize("width", [390, 800, 1300, 2560])
def test_nothing_is_wider_than_the_screen(browser, file, width):
    with visit(browser, address_of(file), viewport={"width": width, "height": 800}) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth") == width


def test_a_part_of_a_name_is_not_broken(page):
    """Unless it is longer than any cell."""
    lines = page.evaluate(
        """() => [...document.querySelectorAll(".ranking .part")].map((one) => [
            one.textContent, one.classList.contains("long"), one.offsetHeight])"""
    )
    assert len({height for _, long, height in lines if not long}) == 1
    assert [text for text, long, _ in lines if long] == ["x" * 70]


@in_browsers
def test_the_contents_stay_and_mark_the_section_that_is_read(page):
    for name in ("funnel", "leaderboards", "pairs"):
        page.click(f'.contents a[href="#{name}"]')
        marked(page, name)
        top, below = page.evaluate(
            """(name) => {
                const bar = document.querySelector(".contents").getBoundingClientRect();
                const heading = document.querySelector(`#${name} h2`).getBoundingClientRect();
                return [bar.top, heading.top - bar.bottom];
            }""",
            name,
        )
        assert top == 0
        assert below >= 0
    assert folded(page) == []
    assert page.locator(".fold").count() == 0


def test_on_a_phone_sections_are_folded_but_the_first_and_the_pairs(phone):
    assert folded(phone) == ["funnel"]
    button = phone.locator("#funnel .fold")
    assert button.get_attribute("aria-expanded") == "false"
    assert not phone.is_visible(".funnel")
    button.tap()
    assert button.get_attribute("aria-expanded") == "true"
    assert phone.is_visible(".funnel")
    button.press("Enter")
    assert folded(phone) == ["funnel"]


def test_a_link_into_a_folded_section_opens_it(phone, browser, file):
    phone.tap('.contents a[href="#funnel"]')
    marked(phone, "funnel")
    assert phone.is_visible(".funnel")
    with visit(browser, address_of(file, "#funnel"), **PHONE) as seen:
        assert folded(seen.page) == []
        marked(seen.page, "funnel")


def test_what_was_folded_is_open_on_a_wide_screen_and_on_paper(phone):
    phone.emulate_media(media="print")
    assert phone.is_visible(".funnel")
    phone.emulate_media(media="screen")
    assert not phone.is_visible(".funnel")
    phone.set_viewport_size({"width": 1000, "height": 800})
    phone.wait_for_function("!document.querySelector('.folded, .fold')")
    assert phone.is_visible(".funnel")


def test_without_a_script_all_is_open(browser, file):
    with visit(browser, address_of(file), java_script_enabled=False, **PHONE) as seen:
        assert seen.page.is_visible(".funnel")


def test_on_a_phone_each_row_has_the_numbers_of_its_axis(phone, page):
    ends = ".ranking tbody .fpr-drawn .end"
    assert phone.locator(ends).all_text_contents() == ["0", "40"] * 3 + ["0", "100"] * 2
    assert all(one.is_visible() for one in phone.locator(ends).all())
    assert not page.locator(ends).first.is_visible()


def test_a_word_opens_its_definition_by_keyboard_and_by_touch(page, phone):
    for one, act in ((page, "press"), (phone, "tap")):
        button = one.locator("#leaderboards .intro .term").first
        shown = one.locator(f"#{button.get_attribute('popovertarget')}")
        assert not shown.is_visible()
        button.scroll_into_view_if_needed()
        if act == "press":
            button.focus()
            button.press("Enter")
        else:
            button.tap()
        assert shown.is_visible()
        assert "pairs of two identities" in shown.inner_text()
        one.keyboard.press("Escape")
        assert not shown.is_visible()


@in_browsers
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_page_keeps_the_rules_of_wcag(browser, file, scheme, width):
    settings = {"color_scheme": scheme, "viewport": {"width": width, "height": 844}}
    with visit(browser, address_of(file), **settings) as seen:
        found = violations(seen.page, "at first")
        for button in seen.page.locator(".fold[aria-expanded=false]").all():
            button.click()
        seen.page.locator(".intro .term").first.click()
        found += violations(seen.page, "all open")
    assert found == []
