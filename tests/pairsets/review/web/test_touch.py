"""The review under a finger: what is touched, how large it is, and what is in sight on a phone."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from support.review_server import plant, serving, until, visit_review

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
FINGER = 44  # pixels that a finger hits
FACES = """[...document.querySelectorAll("#judging .box img")].map((face) => face.src)"""


@pytest.fixture(scope="module")
def server(tmp_path_factory, browsers):
    with serving(plant(tmp_path_factory.mktemp("touch"), negatives=40, positives=20)) as found:
        yield found


@pytest.fixture
def phone(browser, server, request):
    name = quote(request.node.name[-60:])
    with visit_review(browser, server, f"?as={name}", **PHONE) as seen:
        in_sight(seen.page)
        yield seen.page


def in_sight(page):
    until(page, "document.getElementById('judging').dataset.sight === 'enough'")


def touch(page, selector):
    """Tap what changes the pair, and wait until the next one can be judged."""
    before = page.evaluate(f"String({FACES})")
    page.tap(selector)
    until(page, f"{FACES}.length === 2 && String({FACES}) !== value", before)
    in_sight(page)


def outside(page):
    """The faces and buttons of the desk that are not wholly on the screen."""
    return page.evaluate(
        """[...document.querySelectorAll("#judging :is(.box, button)")].filter((one) => {
            if (!one.checkVisibility({ visibilityProperty: true })) return false;
            const { left, top, right, bottom } = one.getBoundingClientRect();
            return left < 0 || top < 0 || right > innerWidth || bottom > innerHeight;
        }).map((one) => one.className)"""
    )


def small(page, within="body"):
    """What can be touched and is smaller than a finger: its text and size."""
    return page.evaluate(
        """([within, least]) => [...document.querySelectorAll(
            `${within} :is(button, select, input, nav a, label:has(input[type=checkbox]))`
        )].filter((one) => {
            if (!one.checkVisibility({ visibilityProperty: true })) return false;
            if (one.matches("[type=checkbox]")) return false; // its label is touched
            const { width, height } = one.getBoundingClientRect();
            return width < least || height < least;
        }).map((one) => {
            const { width, height } = one.getBoundingClientRect();
            return `${one.textContent.trim()} ${width} x ${height}`;
        })""",
        [within, FINGER],
    )


def test_both_faces_and_all_buttons_are_in_sight(phone):
    assert outside(phone) == []
    touch(phone, "#judging [data-do=same]")
    assert outside(phone) == []
    phone.tap("#judging [data-do=invalid]")
    assert outside(phone) == []
    assert phone.evaluate("document.documentElement.scrollHeight - innerHeight") <= 0


def test_every_target_is_as_large_as_a_finger(phone):
    touch(phone, "#judging [data-do=different]")
    assert small(phone) == []
    phone.tap("#judging [data-do=invalid]")
    assert small(phone) == []
    phone.tap("#judging [data-do=back]")
    phone.tap(".menu-button")
    assert small(phone) == []
    phone.tap("nav [data-page=history]")
    phone.wait_for_selector(".card")
    assert small(phone) == []
    phone.tap(".card-change >> nth=0")
    phone.wait_for_selector("#pair-desk .box img")
    assert small(phone, "#pair-dialog") == []
    phone.tap("#pair-dialog [data-do=close]")
    phone.tap(".menu-button")
    phone.tap("nav [data-page=disagreements]")
    phone.wait_for_selector("#disagreements .finished h1")
    assert small(phone) == []


def test_all_is_done_by_touch(phone, server, request):
    touch(phone, "#judging [data-do=same]")
    touch(phone, "#judging [data-do=different]")
    touch(phone, "#judging [data-do=skip]")
    touch(phone, "#judging [data-do=undo]")
    touch(phone, "#judging [data-do=undo]")
    phone.tap("#judging [data-do=invalid]")
    touch(phone, "#judging [data-reason=other]")
    phone.tap("#judging [data-do=names]")
    phone.wait_for_selector("#judging .names", state="visible")
    said = server.said(request.node.name[-60:])
    assert [row[1:] for row in said] == [(1, 0, ""), (-1, 1, "other")]


def test_a_finger_moves_both_faces_where_they_are_zoomed(phone):
    """A tap on a face zooms both; what is swiped then is the picture, not the page."""
    box = phone.locator("#judging .box >> nth=0").bounding_box()
    x, y, size = box["x"], box["y"], box["width"]
    phone.touchscreen.tap(x + size / 2, y + size / 2)
    assert phone.get_attribute("#judging [data-do=zoom]", "aria-pressed") == "true"
    finger = phone.context.new_cdp_session(phone)
    for kind, share in (("touchStart", 0.5), ("touchMove", 0.35), ("touchMove", 0.2)):
        points = [{"x": x + share * size, "y": y + share * size}]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    origins = phone.evaluate(
        """[...document.querySelectorAll("#judging .box img")]
            .map((face) => parseFloat(getComputedStyle(face).transformOrigin))"""
    )
    assert origins[0] == origins[1]
    assert abs(origins[0] - 0.2 * size) < 3
    assert phone.evaluate("[scrollX, scrollY]") == [0, 0]
