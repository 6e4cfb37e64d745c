"""The judging page in a real browser, against a real server and what stands in its database."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from threading import Timer
from time import monotonic
from urllib.parse import quote

import numpy as np
import pytest
from support.accessibility import violations
from support.browser import in_browsers
from support.held_clients import has_ended, never_finishing
from support.review_server import (
    CUT_OFF,
    EVIL,
    IDENTITIES,
    plant,
    serving,
    until,
    visit_review,
)

from pairsets.review.web.limits import LIMITS

PHONE = {"viewport": {"width": 375, "height": 667}, "has_touch": True, "is_mobile": True}
SAME, DIFFERENT = (1, 0, ""), (0, 0, "")
REASONS = ("duplicate", "bad crop", "several identities", "other")
FACES = """[...document.querySelectorAll("#judging .box img")].map((face) => face.src)"""


@pytest.fixture(scope="module")
def server(tmp_path_factory, browsers):
    with serving(plant(tmp_path_factory.mktemp("review"))) as found:
        yield found


@pytest.fixture
def person(request):
    """A name of one's own for each test: the review of everybody else is none of its business."""
    return f"{request.node.name} & 綾波"[-60:].strip()


@pytest.fixture
def page(browser, server, person):
    with opened(browser, server, person) as seen:
        yield seen.page


def opened(browser, server, person, **more):
    return visit_review(browser, server, f"?as={quote(person)}", **more)


def faces(page):
    """The pictures on the screen, once a pair can be judged."""
    until(page, f"{FACES}.length === 2")
    return tuple(page.evaluate(FACES))


def in_sight(page):
    """Wait until a verdict counts (who judges at once has not seen the pair), or is being saved."""
    until(
        page,
        "document.getElementById('judging').dataset.sight === 'enough'"
        " || document.querySelector('#judging [data-do].chosen')",
    )


def act(page, action):
    """Do something that changes the pair, and wait for the next one."""
    before = faces(page)
    in_sight(page)
    action()
    until(page, f"{FACES}.length === 2 && String({FACES}) !== value", ",".join(before))
    return faces(page)


def press(page, key):
    return act(page, lambda: page.keyboard.press(key))


def status(page):
    return page.inner_text("#judging .status")


def done(page):
    return page.inner_text("#judging .done")


def verdicts(server, person):
    return [row[1:] for row in server.said(person)]


@in_browsers
def test_judges_by_key(browser, server, person):
    began = monotonic()
    with opened(browser, server, person) as seen:
        page = seen.page
        shown = [faces(page)]
        for key, word in (("s", "same"), ("d", "different"), ("S", "same")):
            shown.append(press(page, key))
            assert status(page) == f"Saved: {word}."
        assert verdicts(server, person) == [SAME, DIFFERENT, SAME]
        assert len(set(shown)) == 4
        assert done(page) == f"3 of {len(server.pairs)}"
        bar = page.locator("#judging [role=progressbar]")
        assert bar.get_attribute("aria-valuenow") == "3"
        pace = page.inner_text("#judging .pace")
        assert re.fullmatch(r"\d+(\.\d)? (s|min) a pair · .+ left", pace)
    took = server.rows(
        "SELECT seconds FROM verdicts v JOIN annotators a ON a.id = annotator WHERE a.name = ?",
        person,
    )
    assert len(took) == 3
    assert all(0.05 < seconds < monotonic() - began for (seconds,) in took)


def test_judges_while_others_never_finish(browser, server, person):
    """More than the server keeps: each of the page's connections takes the place of one of them."""
    with never_finishing(server.link, LIMITS.connections + 50) as held:
        with opened(browser, server, person) as seen:
            for key in "sd":
                press(seen.page, key)
            assert verdicts(server, person) == [SAME, DIFFERENT]
        assert sum(has_ended(client) for client in held) >= 50


@in_browsers
def test_judges_by_mouse_and_space_skips_then(page, server, person):
    act(page, lambda: page.click("[data-do=same]"))
    act(page, lambda: page.click("[data-do=different]"))
    assert verdicts(server, person) == [SAME, DIFFERENT]
    press(page, " ")
    assert verdicts(server, person) == [SAME, DIFFERENT]
    assert status(page) == "Skipped. It will come up again at the end."


def test_a_phone_judges_by_touch_and_never_scrolls(browser, server, person):
    with opened(browser, server, person, **PHONE) as seen:
        page = seen.page
        act(page, lambda: page.tap("[data-do=different]"))
        page.tap("[data-do=invalid]")
        size = page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        )
        assert size[0] <= 375
        assert size[1] <= 667
        act(page, lambda: page.tap("[data-reason='bad crop']"))
        assert verdicts(server, person) == [DIFFERENT, (-1, 1, "bad crop")]
        boxes = [box.bounding_box() for box in page.locator("#judging .box").all()]
        assert all(abs(box["width"] - box["height"]) < 1 for box in boxes)
        assert min(box["width"] for box in boxes) > 170
        for action in ("same", "different", "invalid", "skip", "flicker", "zoom", "undo"):
            assert page.locator(f"#judging [data-do={action}]").bounding_box()["height"] >= 36


@in_browsers
def test_the_faces_are_square_and_in_sight(page):
    faces(page)
    for width, height in ((667, 375), (320, 480), (375, 667), (800, 600), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        for box in (box.bounding_box() for box in page.locator("#judging .box").all()):
            assert abs(box["width"] - box["height"]) < 1
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            assert box["y"] + box["height"] <= height
            assert box["width"] > 0.2 * min(width, height)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        for _ in range(2):  # the verdicts, the reasons
            assert_texts_fit(page)
            page.keyboard.press("x")


def assert_texts_fit(page):
    """No text of a button is cut, or sticks out of it."""
    cut = page.evaluate(
        """[...document.querySelectorAll("#judging button, .top button")].filter((button) => {
            if (!button.checkVisibility({ visibilityProperty: true })) return false;
            const { left, right } = button.getBoundingClientRect();
            return [...button.children].some((part) => {
                const box = part.getBoundingClientRect();
                return box.width && !part.matches(".unseen") && !button.matches("#person") &&
                    (box.left < left || box.right > right);
            });
        }).map((button) => button.textContent)"""
    )
    assert cut == []


def test_while_the_menu_lies_over_the_faces_keys_do_nothing(browser, server, person):
    with opened(browser, server, person, **PHONE) as seen:
        page = seen.page
        shown = faces(page)
        page.tap(".menu-button")
        assert page.locator("#menu").is_visible()
        in_sight(page)
        for key in "sdx1u?":
            page.keyboard.press(key)
        page.wait_for_timeout(100)
        assert faces(page) == shown
        assert not page.locator("#help-dialog").is_visible()
        page.keyboard.press("Escape")
        assert not page.locator("#menu").is_visible()
        assert shows_verdicts(page)
        press(page, "s")
        assert verdicts(server, person) == [SAME]
        page.tap(".menu-button")
        page.set_viewport_size({"width": 1200, "height": 800})  # the menu is beside the faces now
        press(page, "d")
        assert verdicts(server, person) == [SAME, DIFFERENT]


def test_text_twice_as_large_loses_nothing(browser, server, person):
    with opened(browser, server, person, viewport={"width": 800, "height": 700}) as seen:
        page = seen.page
        page.evaluate("document.documentElement.style.fontSize = '32px'")
        faces(page)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert_texts_fit(page)
        page.set_viewport_size({"width": 375, "height": 667})
        assert_texts_fit(page)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        act(page, lambda: page.click("[data-do=skip]"))


def shows_verdicts(page):
    style = page.locator("#judging .verdicts").evaluate("(e) => getComputedStyle(e).visibility")
    return style == "visible"


@in_browsers
def test_invalid_has_a_reason(page, server, person):
    faces(page)
    for key in ("Escape", "x"):
        page.keyboard.press("x")
        assert not shows_verdicts(page)
        page.keyboard.press(key)
        assert shows_verdicts(page)
    for number, reason in enumerate(REASONS):
        for choose in (
            lambda number=number: page.keyboard.press(str(number + 1)),
            lambda reason=reason: page.keyboard.press(reason[0]),
            lambda reason=reason: page.click(f"[data-reason='{reason}']"),
        ):
            page.keyboard.press("x")
            act(page, choose)
            assert status(page) == f"Saved: invalid: {reason}."
            assert shows_verdicts(page)
    assert verdicts(server, person) == [(-1, 1, reason) for reason in REASONS for _ in range(3)]


@in_browsers
def test_undo_again_and_again(page, server, person):
    shown = [faces(page)]
    for key in "sdsd":
        shown.append(press(page, key))
    press(page, " ")
    said = ["had skipped this pair", "had said different", "had said same"]
    for words, expected in zip(said, reversed(shown), strict=False):
        assert press(page, "u") == expected
        assert words in status(page)
    assert verdicts(server, person) == [SAME, DIFFERENT]
    assert press(page, "s") == shown[3]
    for expected in (shown[2], shown[1], shown[0]):
        assert act(page, lambda: page.click("[data-do=undo]")) == expected
    assert page.is_disabled("#judging [data-do=undo]")
    in_sight(page)
    page.keyboard.press("u")
    page.wait_for_timeout(100)
    assert faces(page) == shown[0]
    assert verdicts(server, person) == []


@in_browsers
def test_unsure_is_no_verdict(page, server, person):
    first = faces(page)
    second = press(page, "q")
    assert "Unsure, not counted." in status(page)
    act(page, lambda: page.click("#judging [data-do=unsure]"))
    assert "2 unsure" in page.inner_text("#judging .pace")
    assert done(page).startswith("0 of")
    assert press(page, "u") == second
    assert "had been unsure" in status(page)
    assert press(page, "u") == first
    assert "unsure" not in page.inner_text("#judging .pace")
    press(page, "s")
    press(page, "q")
    assert verdicts(server, person) == [SAME]
    page.click("nav [data-page=agreement]")
    until(page, "document.querySelector('#agreement-body table')")
    heads = page.locator("#agreement-body table").first.locator("th[scope=col]").all_inner_texts()
    cells = page.locator("#agreement-body tr", has_text=person).first.locator("td")
    assert (heads[:3], cells.all_inner_texts()[:2]) == (["Person", "Judged", "Unsure"], ["1", "1"])


@in_browsers
def test_after_a_reload_it_goes_on(page, server, person):
    first = faces(page)
    assert "as=" not in page.url
    shown = press(page, "d")
    page.reload()
    assert faces(page) == shown
    until(page, "document.querySelector('.last-pair b')")
    assert page.inner_text("#judging .last-pair b") == "different"
    assert press(page, "u") == first


def test_two_windows_of_one_person(browser, server, person):
    with opened(browser, server, person, may_say="409") as seen:
        one = seen.page
        other = one.context.new_page()
        other.goto(f"{server.link}?as={quote(person)}")
        shown = faces(one)
        assert faces(other) == shown
        after = press(one, "s")
        assert press(other, "d") == after
        assert "already, in another window" in status(other)
        assert verdicts(server, person) == [SAME]
        press(other, "d")
        assert verdicts(server, person) == [SAME, DIFFERENT]


def test_two_people_at_once(browser, server, person):
    with (
        opened(browser, server, f"{person} a") as first,
        opened(browser, server, f"{person} b") as second,
    ):
        orders = ([faces(first.page)], [faces(second.page)])
        for _ in range(5):
            orders[0].append(press(first.page, "s"))
            orders[1].append(press(second.page, "d"))
        assert {frozenset(pair) for pair in orders[0]} != {frozenset(pair) for pair in orders[1]}
    assert verdicts(server, f"{person} a") == 5 * [SAME]
    assert verdicts(server, f"{person} b") == 5 * [DIFFERENT]


@in_browsers
def test_killed_in_the_middle_of_two_hundred(browser, tmp_path):
    """What the page showed as saved is in the database; what was not is sent until it is."""
    with serving(plant(tmp_path)) as own:
        small = {"viewport": {"width": 480, "height": 400}}
        with opened(browser, own, "Rei", may_say=CUT_OFF, **small) as seen:
            page = seen.page
            faces(page)
            # Presses a key as soon as a pair is there, and notes each that was acknowledged.
            page.evaluate(
                """() => {
                    globalThis.acknowledged = [];
                    const box = document.querySelector("#judging .stage");
                    const told = document.querySelector("#judging .last-pair");
                    new MutationObserver(() => {
                        const said = told.querySelector("b")?.textContent;
                        if (said) acknowledged.push(said);
                    }).observe(told, { childList: true });
                    let count = 0;
                    setInterval(() => {
                        if (acknowledged.length >= 200) return;
                        const key = "sd"[acknowledged.length % 2];
                        document.body.dispatchEvent(
                            new KeyboardEvent("keydown", { key, bubbles: true }));
                    }, 5);
                }"""
            )
            until(page, "acknowledged.length >= 80")
            own.kill()
            told = page.evaluate("acknowledged.length")
            saved = len(own.said("Rei"))
            # The last one may be on the disk, its answer lost.
            assert told <= saved <= told + 1
            notice = page.locator("#judging .notice")
            notice.wait_for(state="visible")
            assert "Not saved yet, trying again." in notice.inner_text()
            assert page.locator("#judging .verdict.chosen").count() == 1
            shown = faces(page)
            page.wait_for_timeout(400)
            assert faces(page) == shown
            own.start()
            until(page, f"acknowledged.length > {told}")
            notice.wait_for(state="hidden")
            until(page, "acknowledged.length === 200")
            words = page.evaluate("acknowledged")
        said = own.said("Rei")
        assert len(said) == 200
        assert len({pair for pair, *_ in said}) == 200
        assert [row[1:] for row in said] == 100 * [SAME, DIFFERENT]
        assert words == 100 * ["same", "different"]
        events = own.rows("SELECT kind, count(*) FROM events GROUP BY kind")
        assert events == [("judge", 200)]


def test_another_set_at_the_same_address_is_not_judged(browser, tmp_path):
    with serving(plant(tmp_path)) as own:
        with opened(browser, own, "Rei", may_say=CUT_OFF) as seen:
            page = seen.page
            shown = press(page, "s")
            own.kill()
            in_sight(page)
            page.keyboard.press("d")
            page.locator("#judging .notice").wait_for(state="visible")
            own.file.rename(tmp_path / "old.csv")
            own.store.rename(tmp_path / "old.sqlite")
            shutil.rmtree(tmp_path / "faces")
            plant(tmp_path, negatives=60)
            own.start()
            until(
                page, "document.querySelector('.notice').textContent.includes('another pair set')"
            )
            page.keyboard.press("d")
            page.wait_for_timeout(200)
            assert faces(page) == shown
        assert own.rows("SELECT count(*) FROM events") == [(0,)]


def test_a_slow_answer(page, server, person):
    """Keys while an answer is awaited are for no pair; that it is saving is said after a while."""
    shown = faces(page)
    waiting = []
    page.route("**/api/judgements", lambda route: waiting.append(route))
    in_sight(page)
    # In one breath, which no timer comes between.
    at_once = page.evaluate(
        """() => {
            const event = new KeyboardEvent("keydown", { key: "s", code: "KeyS", bubbles: true });
            document.body.dispatchEvent(event);
            return document.querySelector("#judging .status").textContent;
        }"""
    )
    assert at_once != "Saving"
    assert page.locator("#judging [data-do=same].chosen").count() == 1
    until(page, "document.querySelector('.status').textContent === 'Saving'")
    for key in "ddu x1":
        page.keyboard.press(key)
    page.click("[data-do=different]")
    assert faces(page) == shown
    act(page, lambda: waiting[0].continue_())
    assert len(waiting) == 1
    assert verdicts(server, person) == [SAME]
    assert done(page).startswith("1 of")


def test_an_error_of_the_server_is_tried_again(browser, server, person):
    with opened(browser, server, person, may_say="503") as seen:
        page = seen.page
        faces(page)
        keys, room = [], []

        def refuse(route):
            keys.append(route.request.post_data_json["key"])
            problem = {"error": "The disk is full.", "code": "not_saved"}
            if room:
                route.continue_()
            else:
                route.fulfill(status=503, json=problem)

        def make_room():
            room.append(True)
            # Not by the mouse: it may be tried again by itself, and the button be gone.
            page.evaluate("document.querySelector('#judging [data-do=again]').click()")

        page.route("**/api/judgements", refuse)
        in_sight(page)
        page.keyboard.press("s")
        page.locator("#judging .notice").wait_for(state="visible")
        assert "The disk is full." in page.inner_text("#judging .notice")
        assert page.locator("#judging [data-do=again]").is_visible()
        while len(keys) < 3:
            page.wait_for_timeout(20)
        act(page, make_room)
        assert status(page) == "The server is back. Saved: same."
        assert len(set(keys)) == 1
        assert verdicts(server, person) == [SAME]


def test_a_locked_database_is_named_and_tried_again(browser, tmp_path):
    """As by another program that looks into it."""
    with (
        serving(plant(tmp_path, negatives=3, positives=2)) as own,
        opened(browser, own, "Rei", may_say="503") as seen,
        closing(sqlite3.connect(own.store, isolation_level=None)) as other,
    ):
        page = seen.page
        shown = faces(page)
        other.execute("BEGIN IMMEDIATE")
        in_sight(page)
        page.keyboard.press("s")
        page.locator("#judging .notice").wait_for(state="visible")
        told = page.inner_text("#judging .notice p")
        assert told.startswith("Not saved yet, trying again. ")
        assert "database is locked" in told
        assert faces(page) == shown
        act(page, lambda: other.execute("ROLLBACK"))
        assert status(page) == "The server is back. Saved: same."
        assert len(own.said("Rei")) == 1


def test_flicker(page):
    faces(page)
    page.clock.install()
    page.clock.pause_at(datetime.now() + timedelta(hours=1))
    stage = page.locator("#judging .stage")
    page.keyboard.press("f")
    assert page.get_attribute("#judging [data-do=flicker]", "aria-pressed") == "true"
    shown = []
    for milliseconds in (0, 329, 1, 329, 1, 329, 1, 660):
        page.clock.run_for(milliseconds)
        shown.append(
            page.evaluate(
                """[...document.querySelectorAll("#judging .stage figure")]
                    .filter((face) => getComputedStyle(face).visibility === "visible")
                    .map((face) => face.className).join()"""
            )
        )
    assert shown == [*2 * ["left", "left", "right", "right"]]
    page.clock.resume()
    left, right = (stage.locator(f".{side} .box").bounding_box() for side in ("left", "right"))
    assert left == right
    page.keyboard.press("Escape")
    assert stage.locator("figure:visible").count() == 2
    page.keyboard.press("f")
    press(page, "s")
    assert stage.locator("figure:visible").count() == 2


def test_without_motion_each_press_shows_the_other(browser, server, person):
    with opened(browser, server, person, reduced_motion="reduce") as seen:
        page = seen.page
        faces(page)
        shown = []
        for _ in range(4):
            page.keyboard.press("f")
            visible = page.locator("#judging figure:visible")
            assert visible.count() == 1
            shown.append(visible.get_attribute("class"))
        assert shown == 2 * ["left", "right"]
        page.wait_for_timeout(700)
        assert page.locator("#judging figure:visible").get_attribute("class") == "right"
        page.click("#judging .box:visible")
        assert page.locator("#judging figure:visible").count() == 2


@in_browsers
def test_zoom_moves_both_faces_in_step(page):
    faces(page)

    def looks():
        found = page.evaluate(
            """[...document.querySelectorAll("#judging .box img")].map((face) => {
                const style = getComputedStyle(face);
                return [style.transform, style.transformOrigin];
            })"""
        )
        assert found[0] == found[1]
        return found[0]

    assert looks()[0] in ("none", "matrix(1, 0, 0, 1, 0, 0)")
    page.keyboard.press("z")
    middle = looks()
    assert middle[0] == "matrix(2, 0, 0, 2, 0, 0)"
    box = page.locator("#judging .right .box").bounding_box()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.75 * box["height"])
    x, y = (float(part[:-2]) for part in looks()[1].split())
    assert abs(x - 0.25 * box["width"]) < 2
    assert abs(y - 0.75 * box["height"]) < 2
    page.keyboard.press("ArrowRight")
    assert float(looks()[1].split("px")[0]) > x + 5
    page.keyboard.press("z")
    assert looks()[0] == "matrix(4, 0, 0, 4, 0, 0)"
    page.keyboard.press("z")
    assert looks()[0] == "matrix(1, 0, 0, 1, 0, 0)"
    page.mouse.click(box["x"] + 10, box["y"] + 10)
    assert looks()[0] == "matrix(2, 0, 0, 2, 0, 0)"
    press(page, "d")
    assert looks()[0] == "matrix(1, 0, 0, 1, 0, 0)"


def test_names_come_after_the_verdict(browser, server, person):
    pairs = server.pairs
    with opened(browser, server, person) as seen:
        page = seen.page
        faces(page)
        page.wait_for_load_state("networkidle")
        bodies = [
            f"{answer.url} {answer.all_headers()} {answer.text()}"
            for answer in seen.answers
            if "/api/" in answer.url
        ]
        page.keyboard.press("n")  # nothing is judged: nothing to name
        for text in bodies:
            for word in ("label", 'suspect"', "score", "resnet"):
                assert word not in text, word
        for text in (*bodies, page.content()):
            for hidden in (*(f"{name}/" for name in IDENTITIES), *IDENTITIES[2:5], ".png"):
                assert hidden not in text, hidden
                assert quote(hidden) not in text, hidden
        press(page, "s")
        ((pair, *_),) = server.said(person)
        page.keyboard.press("n")
        names = page.locator("#judging .names")
        names.wait_for(state="visible")
        told = names.inner_text()
        assert pairs.path_a[pair] in told
        assert pairs.path_b[pair] in told
        assert ("Label: same" in told) == bool(pairs.label[pair])
        assert "resnet" in told
        page.keyboard.press("n")
        assert not names.is_visible()
        assert pairs.path_a[pair] not in page.content()
        page.keyboard.press("n")
        names.wait_for(state="visible")
        press(page, "d")
        assert not names.is_visible()


def test_undo_waits_until_there_is_something_to_undo(browser, server, person):
    with opened(browser, server, person) as seen:
        page = seen.page
        undo = page.locator("#judging [data-do=undo]")
        faces(page)
        assert undo.is_disabled()
        press(page, " ")
        assert undo.is_enabled()
        press(page, "u")
        assert undo.is_disabled()
        press(page, "d")
        assert undo.is_enabled()
        page.reload()
        faces(page)
        until(page, "!document.querySelector('#judging [data-do=undo]').disabled")
        press(page, "u")
        assert undo.is_disabled()
        assert status(page) == "Undone: you had said different."


@pytest.mark.parametrize("size", [(390, 844), (1300, 800), (2560, 1300)])
def test_the_last_pair_stands_below_the_pair_to_judge(browser, server, person, size):
    """Its faces are large enough to see, never over the pair; nothing moves when they come."""
    viewport = dict(zip(("width", "height"), size, strict=True))
    with opened(browser, server, person, viewport=viewport) as seen:
        page = seen.page

        def places(selector):
            return [box.bounding_box() for box in page.locator(f"#judging {selector}").all()]

        first = faces(page)
        assert page.inner_text("#judging .last-pair") == "Your last verdict appears here."
        before = [places(part) for part in (".box", ".verdict", ".thumb")]
        press(page, "d")
        assert [places(part) for part in (".box", ".verdict", ".thumb")] == before
        told = page.inner_text("#judging .last-pair")
        assert " ".join(told.split()).startswith("You said different in ")
        last = page.locator("#judging .last-pair img")
        assert tuple(face.get_attribute("src") for face in last.all()) == tuple(
            address.replace(server.link, "/") for address in first
        )
        for names in (False, True):
            if names:
                page.keyboard.press("n")
                page.wait_for_selector("#judging .names", state="visible")
                (card,) = places(".names")
                assert card["y"] >= max(box["y"] + box["height"] for box in places(".verdict"))
            edge = max(box["y"] + box["height"] for box in places(".box"))
            for face in places(".thumb"):
                assert face["y"] >= edge
                assert min(face["width"], face["height"]) >= 72
            for box in places(".box"):  # they stay in sight, whole
                assert box["y"] >= 0
                assert min(box["width"], box["height"]) >= 140


def colour_of(page, selector, name="color"):
    return page.locator(selector).first.evaluate("(e, name) => getComputedStyle(e)[name]", name)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_colour_has_one_meaning(browser, server, person, scheme):
    """And is never alone: each of them is said in words."""
    labels = server.pairs.label
    wrong = {n: "different" if same else "same" for n, same in enumerate(labels[:250:50])}
    server.judge(person, wrong | {289: "different"})
    with visit_review(
        browser, server, f"?as={quote(person)}#/history?show=wrong", color_scheme=scheme
    ) as seen:
        page = seen.page
        page.wait_for_selector(".chip.wrong")
        contradiction = colour_of(page, ".chip.wrong")
        assert page.inner_text(".chip.wrong >> nth=0") == "≠ Contradicts the label"
        assert colour_of(page, ".said-list .wrong") == contradiction
        assert "≠ label" in page.inner_text(".said-list >> nth=0")
        label = {
            word: colour_of(page, f".chip.{word}:not(.mine)") for word in ("same", "different")
        }
        assert page.inner_text(".chip.different:not(.mine) >> nth=0") == (
            "Label: different identities"
        )
        page.click("nav [data-page=judging]")
        faces(page)
        for word, colour in label.items():
            assert colour_of(page, f"#judging .verdict.{word}") == colour
        others = [
            colour_of(page, "#judging .bar div", "backgroundColor"),
            colour_of(page, "#judging .notice", "borderLeftColor"),
            colour_of(page, "#judging .verdict.invalid"),
        ]
        assert len({*label.values(), contradiction}) == 3
        assert not {*label.values(), contradiction} & set(others)


def heard(page):
    """What a screen reader hears of the desk: its live regions in the tree of accessibility."""
    return page.locator("#judging .told [role=status]").aria_snapshot()


def test_a_screen_reader_hears_the_count_of_the_page(page):
    """Of every verdict: the count that it hears is the one that the page shows."""
    faces(page)
    for count in range(1, 31):
        press(page, "sd"[count % 2])
        shown = done(page)
        assert shown.startswith(f"{count} of ")
        assert f"{shown} judged." in heard(page)
        assert f"Saved: {('same', 'different')[count % 2]}." in heard(page)
    tree = page.locator("#judging .above").aria_snapshot()
    assert shown in tree
    press(page, "u")
    assert f"{done(page)} judged." in heard(page)
    assert done(page).startswith("29 of ")
    region = page.locator("#judging .told [role=status]")
    assert region.get_attribute("aria-atomic") == "true"
    assert page.locator("#judging [role=status]").count() == 1


def test_a_held_key_judges_once(page, server, person):
    faces(page)
    in_sight(page)
    after = act(page, lambda: [page.keyboard.down("s") for _ in range(30)])
    page.wait_for_timeout(300)
    page.keyboard.down("s")
    page.wait_for_timeout(100)
    assert faces(page) == after
    page.keyboard.up("s")
    assert verdicts(server, person) == [SAME]


def send_key(page, *keys):
    """Key presses of another keyboard: each what is printed on the key, and where it is."""
    page.evaluate(
        """(keys) => keys.forEach(([key, code]) => document.body.dispatchEvent(
            new KeyboardEvent("keydown", { key, code, bubbles: true, cancelable: true })))""",
        list(keys),
    )


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([("ы", "KeyS")], SAME),
        ([("в", "KeyD")], DIFFERENT),
        ([("ס", "KeyS")], SAME),
        ([("と", "KeyS")], SAME),
        ([("Process", "KeyD")], DIFFERENT),
        ([("s", "KeyO")], SAME),  # Dvorak
        ([("x", "KeyB"), ("&", "Digit1")], (-1, 1, "duplicate")),  # French digits
        ([("ч", "KeyX"), ("и", "KeyB")], (-1, 1, "bad crop")),
    ],
)
def test_any_keyboard_layout(layouts, server, keys, expected):
    act(layouts, lambda: send_key(layouts, *keys))
    assert verdicts(server, "Layouts")[-1] == expected


@pytest.fixture(scope="module")
def layouts(browsers, server):
    with opened(browsers.of("chromium"), server, "Layouts") as seen:
        faces(seen.page)
        yield seen.page


def test_other_keys_do_nothing(page, server, person):
    shown = faces(page)
    in_sight(page)
    for keys in ("Control+s", "Alt+d", "Meta+s", "Control+Shift+d", "o", "1", "Enter"):
        page.keyboard.press(keys)
    send_key(page, ("o", "KeyS"), ("é", "KeyD"), ("ö", "KeyS"))  # on Dvorak o is where s was
    page.wait_for_timeout(200)
    assert faces(page) == shown
    assert verdicts(server, person) == []


def focused(page):
    return page.evaluate(
        """() => {
            const found = document.activeElement;
            const style = getComputedStyle(found);
            const isSeen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
            return [found.dataset.do ?? found.textContent.trim(), isSeen];
        }"""
    )


def test_by_keyboard_alone(page, server, person):
    faces(page)
    press(page, " ")  # for who has done nothing there is nothing to undo
    reached = {}
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break
        name, is_seen = focused(page)
        reached[name] = is_seen
    assert {"same", "different", "invalid", "skip", "flicker", "zoom", "undo", "help"} <= set(
        reached
    )
    assert all(reached.values()), reached
    page.focus("[data-do=same]")
    page.keyboard.press("Tab")
    assert focused(page)[0] == "different"
    press(page, "Enter")
    press(page, " ")  # on the button: it is pressed
    assert verdicts(server, person) == 2 * [DIFFERENT]
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert focused(page)[0].endswith("Duplicate")
    press(page, "Enter")
    assert verdicts(server, person)[2:] == [(-1, 1, "duplicate")]


def test_help(page, server, person):
    shown = faces(page)
    page.keyboard.press("?")
    dialog = page.locator("#help-dialog")
    assert dialog.is_visible()
    for _ in range(4):  # the focus stays within, or goes to the browser's own buttons
        page.keyboard.press("Tab")
        assert page.evaluate(
            "document.activeElement === document.body || "
            "document.getElementById('help-dialog').contains(document.activeElement)"
        )
    in_sight(page)
    page.keyboard.press("s")
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert faces(page) == shown
    assert verdicts(server, person) == []


def test_who_judges_is_asked(browser, server):
    with visit_review(browser, server) as seen:
        page = seen.page
        dialog = page.locator("#person-dialog")
        dialog.wait_for(state="visible")
        for _ in range(3):
            page.keyboard.press("Escape")
            page.wait_for_timeout(50)
            assert dialog.is_visible()
        page.fill("[name=name]", f"  {EVIL} s ")
        page.keyboard.press("Enter")
        faces(page)
        assert page.inner_text("#person b") == f"{EVIL} s"
        assert not dialog.is_visible()
        press(page, "s")
        page.reload()
        faces(page)
        assert page.inner_text("#person b") == f"{EVIL} s"
        page.click("#person")
        page.wait_for_selector("#person-dialog[open]")
        page.keyboard.press("Escape")
        assert page.inner_text("#person b") == f"{EVIL} s"
        page.click("#person")
        page.fill("[name=name]", "Asuka 2")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        faces(page)
        assert page.inner_text("#person b") == "Asuka 2"
        assert done(page).startswith("0 of")
        other = page.context.new_page()  # a tab of its own: another person
        other.goto(server.link)
        other.wait_for_selector("#person-dialog[open]")
    assert verdicts(server, f"{EVIL} s") == [SAME]


@in_browsers
def test_people_go_on_by_their_names(browser, tmp_path):
    file = plant(tmp_path, negatives=20, positives=5)
    with serving(file) as own:
        own.judge("Rei 綾波", dict.fromkeys(range(20), "same"))
        own.judge(EVIL, dict.fromkeys(range(25), "same"))
        own.ask("Ken", "/annotators", {"name": "Ken"})
        with visit_review(browser, own) as seen:
            page = seen.page
            page.wait_for_selector("#person-dialog[open]")
            known = page.locator("#person-dialog .known button").all_inner_texts()
            assert known == ["Rei 綾波 5 left", f"{EVIL} done", "Ken 25 left"]
            page.locator("[name=name]").press_sequentially("ken")
            page.keyboard.press("Enter")
            until(page, "document.querySelector('#person-dialog .problem').textContent")
            assert "Ken judges here already" in page.inner_text("#person-dialog .problem")
            assert own.rows("SELECT count(*) FROM annotators") == [(3,)]
            page.click("#person-dialog .known button >> nth=2")
            faces(page)
            assert page.inner_text("#person b") == "Ken"
            page.click("nav [data-page=people]")
            page.wait_for_selector("#people .board")
            assert page.inner_text("#people .lede") == "25 of 25 pairs have a verdict of somebody."
            rows = [row.split("\t") for row in page.locator("#people tbody tr").all_inner_texts()]
            assert [row[:7] for row in rows] == [
                ["Rei 綾波", "20", "5", "0", "2.5 s", "1,440", "under a minute"],
                [EVIL, "25", "0", "0", "2.5 s", "1,440", "done"],
                ["Ken", "0", "25", "0", "–", "–", "–"],
            ]
            own.judge("Ken", {3: "same"})  # meanwhile: the page asks anew by itself
            until(page, "document.querySelectorAll('#people tbody td')[14].textContent === '1'")
            page.click("#people tbody a >> nth=0")
            faces(page)
            assert page.inner_text("#person b") == "Rei 綾波"
            assert done(page).startswith("20 of 25")


def test_the_command_line_wins_over_the_name_of_an_earlier_review(browser, tmp_path):
    with (
        serving(plant(tmp_path, negatives=4, positives=2), person="Rei") as own,
        visit_review(browser, own, may_say=CUT_OFF) as seen,
    ):
        page = seen.page

        def again():
            page.goto(own.link)
            faces(page)
            return page.inner_text("#person b")

        faces(page)
        assert page.inner_text("#person b") == "Rei"
        page.click("#person")
        page.fill("[name=name]", "Asuka")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert again() == "Asuka"
        own.kill()
        own.start()
        assert again() == "Asuka"  # the same review, which was left as Asuka
        own.kill()
        own.person = "Ken"
        own.start()
        assert again() == "Ken"
        own.kill()
        own.store.rename(tmp_path / "old.sqlite")
        shutil.rmtree(tmp_path / "faces")
        plant(tmp_path, negatives=5, positives=2)
        own.person = ""
        own.start()
        page.goto(own.link)
        page.wait_for_selector("#person-dialog[open]")  # of other pairs: who judges them?


def test_the_next_pair_comes_at_once(browser, server, person):
    """Its pictures are there before the key; nothing flashes, and nothing moves."""
    with opened(browser, server, person) as seen:
        page = seen.page
        faces(page)
        page.evaluate(
            """() => {
                globalThis.shown = 0;
                globalThis.shifts = [];
                globalThis.flashes = 0;
                const boxes = [...document.querySelectorAll("#judging .box")];
                new MutationObserver(() => requestAnimationFrame(() => { shown += 1; }))
                    .observe(boxes[1], { childList: true });
                const look = () => {
                    const images = boxes.map((box) => box.querySelector("img"));
                    const whole = (image) => image?.complete && image.naturalWidth;
                    if (!images.every(whole)) flashes += 1;
                    requestAnimationFrame(look);
                };
                look();
                const note = (list) => shifts.push(...list.getEntries().map((e) => e.value));
                new PerformanceObserver(note).observe({ type: "layout-shift" });
            }"""
        )
        for number in range(25):
            in_sight(page)
            known = set(seen.requests)
            assert known.issuperset(press(page, "sd"[number % 2]))
        until(page, "shown === 25")
        assert page.evaluate("flashes") == 0
        assert page.evaluate("shifts.reduce((sum, one) => sum + one, 0)") < 0.001


def test_colours_can_be_chosen(page):
    faces(page)
    seen = []
    for _ in range(3):
        page.click("#theme")
        seen.append(
            (
                page.inner_text("#theme").split()[-1],
                page.evaluate("getComputedStyle(document.body).backgroundColor"),
            )
        )
    light, dark, auto = seen
    assert [name for name, _ in seen] == ["Light", "Dark", "Auto"]
    assert light[1] == auto[1] != dark[1]
    page.click("#theme")
    page.click("#theme")
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark[1]


def contrast(page, selector):
    """Between a text and what lies under it, as WCAG has it."""
    text, paper = page.evaluate(
        """(selector) => {
            const canvas = document.createElement("canvas").getContext(
                "2d", { willReadFrequently: true });
            const colour = (text) => {
                canvas.clearRect(0, 0, 1, 1);
                canvas.fillStyle = text;
                canvas.fillRect(0, 0, 1, 1);
                return [...canvas.getImageData(0, 0, 1, 1).data];
            };
            const found = document.querySelector(selector);
            const paper = (element) => {
                const under = colour(getComputedStyle(element).backgroundColor);
                return under[3] === 255 ? under : paper(element.parentElement);
            };
            return [colour(getComputedStyle(found).color), paper(found)];
        }""",
        selector,
    )

    def light(colour):
        parts = [part / 255 for part in colour[:3]]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    high, low = sorted((light(text), light(paper)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_dark_and_light_can_be_read(page):
    press(page, "s")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", paper)[:3])) > 3 * 128) == (scheme == "light")
        for selector in (
            ".done", ".pace", ".status", "[data-do=same] span", "[data-do=different] span",
            "[data-do=invalid] span", ".tools span", ".tools kbd", ".last-pair b", ".muted",
            "nav a:not([aria-current])", ".set", "#theme",
        ):  # fmt: skip
            assert contrast(page, selector) >= 4.5, (scheme, selector)


@pytest.fixture(scope="module")
def few(tmp_path_factory, browsers):
    """Six pairs, so that there is an end."""
    file = plant(tmp_path_factory.mktemp("few"), negatives=4, positives=2)
    with serving(file) as found:
        yield found


def test_to_the_end_and_what_was_skipped_comes_again(browser, few):
    with opened(browser, few, "Rei") as seen:
        page = seen.page
        first = faces(page)
        second = press(page, " ")
        press(page, " ")
        for _ in range(3):
            press(page, "s")
        assert press(page, "s") == first
        assert page.inner_text("#judging .said") == "You skipped this pair before"
        assert press(page, "d") == second
        in_sight(page)
        page.keyboard.press("d")
        page.wait_for_selector("#judging .finished h1")
        assert page.inner_text("#judging .finished h1") == "All judged"
        assert done(page) == "6 of 6"
        assert len(few.said("Rei")) == 6
        page.keyboard.press("s")  # nothing to judge
        page.keyboard.press("u")
        assert faces(page) == second
        assert not page.locator("#judging .finished").is_visible()
        in_sight(page)
        page.keyboard.press("d")
        page.click("text=Look through your verdicts")
        until(page, "document.querySelectorAll('.card').length === 6")


def test_a_picture_that_cannot_be_shown(browser, tmp_path):
    file = plant(tmp_path, negatives=1, positives=1)
    with serving(file) as own:
        (tmp_path / "faces" / own.pairs.path_a[0]).unlink()
        (tmp_path / "faces" / own.pairs.path_b[1]).write_bytes(b"no picture")
        with opened(browser, own, "Rei", may_say="Failed to load resource") as seen:
            page = seen.page
            for count in (1, 2):
                page.wait_for_selector("#judging .box.missing")
                missing = page.locator("#judging .box.missing")
                assert missing.inner_text().startswith("This picture cannot be shown.")
                # The other face comes when it is decoded, before or after this failure is told.
                page.wait_for_selector("#judging .box:not(.missing) img")
                assert page.locator("#judging .box img").count() == 1
                in_sight(page)
                page.keyboard.press("s")
                assert "A face cannot be shown" in status(page)
                page.keyboard.press("x")
                page.keyboard.press("b")
                until(page, f"document.querySelector('.done').textContent === '{count} of 2'")
            page.wait_for_selector("#judging .finished h1")
        assert [row[1:] for row in own.said("Rei")] == 2 * [(-1, 1, "bad crop")]


@in_browsers
def test_it_ends_when_the_aim_is_met(browser, tmp_path):
    with (
        serving(plant(tmp_path, negatives=40, positives=4), until="FPR within 45 points") as own,
        opened(browser, own, "Rei") as seen,
    ):
        page = seen.page
        for _ in range(40):
            in_sight(page)
            page.keyboard.press("d")
            page.wait_for_timeout(120)
            if page.locator("#judging .finished h1").is_visible():
                break
        assert page.inner_text("#judging .finished h1") == "The aim is met"
        assert "FPR 0.0 % (0.0 to " in page.inner_text("#judging .finished")
        assert 0 < len(own.said("Rei")) < 40
        page.keyboard.press("u")
        assert faces(page)


@in_browsers
def test_a_pair_that_comes_again_is_like_any_other_and_agreement_tells(browser, tmp_path):
    file = plant(tmp_path, negatives=60, positives=10)
    with serving(file, repeat=0.5) as own:
        pairs = range(40)
        own.judge("Rei", {pair: "same" if pair % 2 else "different" for pair in pairs})
        with opened(browser, own, "Rei") as seen:
            page = seen.page
            asked = "SELECT pair, prediction FROM repeats"
            while not own.rows(asked):
                faces(page)
                before = done(page)
                press(page, "s")
            ((pair, prediction),) = own.rows(asked)
            assert done(page) == before  # no progress by it
            assert prediction == 1
            assert dict(row[:2] for row in own.said("Rei"))[pair] == pair % 2 or pair not in pairs
            page.goto(f"{own.link}#/agreement")
            table = page.locator("#agreement .board >> nth=1")
            table.wait_for()
            assert "Agreement with oneself" in table.inner_text()
            cells = table.locator("tbody td").all_inner_texts()
            first = dict(row[:2] for row in own.said("Rei"))[pair]
            assert cells[:2] == ["1", f"{100.0 * (first == 1):.1f} %"]
            assert violations(page, "agreement with oneself") == []
        with opened(browser, own, "Rei") as seen:
            press(seen.page, "u")  # the second answer is taken back, and the first one stands
            until(seen.page, "true")
        assert own.rows(asked) == []
        assert len(own.said("Rei")) >= len(pairs)


def test_the_rest_is_with_others(browser, tmp_path):
    file = plant(tmp_path, negatives=4, positives=2)
    with serving(file, overlap=0.0) as own, opened(browser, own, "Rei") as first:
        faces(first.page)
        with opened(browser, own, "Ken") as second:
            page = second.page
            page.wait_for_selector("#judging .finished h1")
            assert page.inner_text("#judging .finished h1") == "The last 6 pairs are with others"


def test_a_server_that_is_not_there_yet(browser, tmp_path):
    with serving(plant(tmp_path, negatives=3, positives=2)) as own:
        with opened(browser, own, "Rei", may_say=CUT_OFF) as seen:
            faces(seen.page)
            own.kill()
            seen.page.click("nav [data-page=agreement]")
            seen.page.click("nav [data-page=judging]")
            seen.page.locator("#judging .notice").wait_for(state="visible")
            Timer(0.3, own.start).start()
            seen.page.locator("#judging .notice").wait_for(state="hidden")
            press(seen.page, "s")
        assert len(own.said("Rei")) == 1
