"""The page of an audit: whole, safe, bounded; and as a reader finds it in a browser."""

from __future__ import annotations

import re
from dataclasses import replace
from html import escape, unescape

import pytest
from support.audits import small_audit, small_folder, twins
from support.browser import address_of, in_browsers, visit

from pairsets.files.audit_findings import Finding, Note
from pairsets.files.audit_kinds import AUDIT_KINDS
from pairsets.files.audits import KindAccount
from pairsets.report.audit_cards import BESIDE, GROUP, SHOWN, cards_of
from pairsets.report.audit_page import ABOUT, write_audit_page

EVIL = "</script><script>alert(1)<&'b>"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Faces of four, one of them with an evil name, and an audit that names them all."""
    root = tmp_path_factory.mktemp("page") / "faces"
    evil = EVIL.replace("/", "\u2215")
    faces = small_folder(root, ("asuka", "mari", "rei", "shinji", evil))
    alias = Finding("alias", (Note("", "rei", evil, 0.75, f"rei and {evil}: both", "ask"),))
    audit = small_audit(faces)
    kinds = {**audit.kinds, "alias": KindAccount(1, 0)}
    findings = [*audit.findings[:2], alias, *audit.findings[2:]]
    return faces, replace(audit, kinds=kinds, findings=findings)


@pytest.fixture(scope="module")
def file(world, tmp_path_factory):
    faces, audit = world
    return write_audit_page(audit, faces, tmp_path_factory.mktemp("out") / "audit.html")


def test_every_kind_is_explained():
    assert ABOUT.keys() == AUDIT_KINDS.keys()


def test_a_page_is_one_file_that_repeats_itself(world, file, tmp_path):
    faces, audit = world
    again = write_audit_page(audit, faces, tmp_path / "again.html")
    assert again.read_bytes() == file.read_bytes()
    text = file.read_text("utf-8")
    assert re.findall(r"<(?:link|iframe|img|object|base)\b", text) == []
    assert "default-src 'none'; img-src data:;" in unescape(text)
    assert EVIL.replace("/", "\u2215") not in text
    assert escape(EVIL.replace("/", "\u2215")) in text.replace("&#39;", "&#x27;")


def test_each_face_is_in_the_page_once(world, file):
    faces, audit = world
    shown = {
        face.path
        for cards in cards_of(audit, faces).values()
        for card in cards
        for lane in card.lanes
        for face in lane.faces
    }
    assert file.read_text("utf-8").count("data:image/webp") == len(shown)


def test_what_is_said_stands_there(file):
    text = unescape(re.sub(r"<wbr>", "", file.read_text("utf-8")))
    for part in (
        "15 faces of 5 identities: 6 findings, and 2 faces to leave out",
        "of its flags 90 % (80 to 95 %) are expected to be right here",
        "not measured here",
        "1 picture cannot be read",
        "asuka/2.png is damaged",
        "1 usable picture of 3",
        "Not looked for: a face unlike all others (--embeddings)",
    ):
        assert part in text, part


def test_cards_are_bounded_and_the_rest_is_counted(tmp_path):
    faces = small_folder(tmp_path / "faces", ("asuka",), each=12)
    many = [Note(f"asuka/{n}.png", "asuka", "asuka/0.png", 0.9, "x", "ask") for n in range(12)]
    findings = [Finding("crop", (note,)) for note in many] * (SHOWN // 12 + 1)
    group = twins("duplicate", *many)
    audit = replace(
        small_audit(faces),
        kinds={"duplicate": KindAccount(1, 12), "crop": KindAccount(len(findings), 12)},
        findings=[group, *findings],
    )
    cards = cards_of(audit, faces)
    assert len(cards["crop"]) == SHOWN
    assert (len(cards["duplicate"][0].lanes[0].faces), cards["duplicate"][0].lanes[0].more) == (
        GROUP,
        12 - GROUP,
    )
    text = write_audit_page(audit, faces, tmp_path / "page.html").read_text("utf-8")
    assert f"{len(findings) - SHOWN} more of this kind are in audit.csv" in text
    assert f"{12 - GROUP} more</p>" in text


def test_a_mislabelled_face_stands_beside_both_identities(world):
    faces, audit = world
    (card,) = cards_of(audit, faces)["mislabel"]
    doubted, own, other = card.lanes
    assert [face.path for face in doubted.faces] == ["rei/1.png"]
    assert [face.path for face in own.faces] == ["rei/0.png", "rei/2.png"]
    assert len(other.faces) == BESIDE
    assert card.names == ("rei", "mari")
    assert card.reason == "far"


def test_a_picture_that_cannot_be_read_is_shown_as_such(tmp_path):
    faces = small_folder(tmp_path / "faces", ("asuka", "rei"))
    (tmp_path / "faces" / "rei" / "1.png").write_bytes(b"broken")
    audit = small_audit(faces)
    crop = Finding("crop", (Note("rei/1.png", "rei", "", 1.0, "x", "leave-out"),))
    audit = replace(audit, kinds={"crop": KindAccount(1, 1)}, findings=[crop])
    text = write_audit_page(audit, faces, tmp_path / "page.html").read_text("utf-8")
    assert text.count('<span class="face unreadable">not readable</span>') == 1


def test_nothing_found_is_a_page_too(tmp_path, browser):
    faces = small_folder(tmp_path / "faces", ("asuka", "rei"))
    audit = replace(small_audit(faces), kinds={"crop": KindAccount(0, 0)}, findings=[], unread={})
    file = write_audit_page(audit, faces, tmp_path / "page.html")
    with visit(browser, address_of(file)) as seen:
        assert "Nothing was found." in seen.page.inner_text("#findings")


# --- in a browser


def shown(page):
    """Labels of the findings that a reader sees, in their order."""
    return page.evaluate(
        """() => [...document.querySelectorAll(".find")].filter((one) => one.offsetParent)
            .map((one) => one.getAttribute("aria-label").split(":")[0])"""
    )


def choose(page, **values):
    page.evaluate(
        """(values) => {
            const form = document.getElementById("audit-controls");
            for (const [name, value] of Object.entries(values)) form.elements[name].value = value;
            form.elements.q.dispatchEvent(new Event("input", { bubbles: true }));
        }""",
        values,
    )


ALL = [
    "The same picture twice 1",
    "The same picture twice 2",
    "One identity under two names 1",
    "A face of another identity 1",
    "A bad crop 1",
    "An identity with too few pictures 1",
]


@in_browsers
def test_findings_are_chosen_by_kind_and_searched_by_identity(browser, file):
    with visit(browser, address_of(file)) as seen:
        page = seen.page
        assert shown(page) == ALL
        choose(page, kind="crop")
        assert shown(page) == ["A bad crop 1"]
        assert page.inner_text("#audit-count") == "1 of 6 findings shown"
        choose(page, kind="", q="ＭＡＲＩ")
        assert shown(page) == ["The same picture twice 2", "A face of another identity 1"]
        choose(page, q="script alert(1)")
        assert shown(page) == ["One identity under two names 1"]
        choose(page, q="nobody")
        assert shown(page) == []
        assert page.is_visible("#audit-nothing")
        page.click("text=Show all")
        page.wait_for_function("document.querySelectorAll('.find:not([hidden])').length === 6")
        assert shown(page) == ALL


def test_findings_stand_by_identity_too(browser, file):
    with visit(browser, address_of(file)) as seen:
        page = seen.page
        choose(page, order="identity")
        titles = page.locator(".audit-person").all_inner_texts()
        assert titles == ["asuka", "mari", "rei", "shinji"]
        assert shown(page) == [ALL[0], ALL[1], ALL[2], ALL[3], ALL[4], ALL[5]]
        choose(page, kind="few")
        assert page.locator(".audit-person").all_inner_texts() == ["shinji"]
        choose(page, order="", kind="")
        assert shown(page) == ALL


def test_keys_lead_through_the_findings(browser, file):
    with visit(browser, address_of(file)) as seen:
        page = seen.page
        focused = "document.activeElement.getAttribute('aria-label')?.split(':')[0]"
        for key, expected in (("j", ALL[0]), ("j", ALL[1]), ("k", ALL[0]), ("k", ALL[0])):
            page.keyboard.press(key)
            assert page.evaluate(focused) == expected
        page.keyboard.press("/")
        page.keyboard.type("jk")
        assert page.input_value("[name=q]") == "jk"
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.tagName") == "BODY"


@in_browsers
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1300])
def test_nothing_stands_out_of_the_screen(browser, file, width, scheme):
    view = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    with visit(browser, address_of(file), **view) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
        paper = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
        levels = [int(level) for level in re.findall(r"\d+", paper)]
        assert (sum(levels) > 382) == (scheme == "light")


def test_without_script_all_findings_stand_there(browser, file):
    with visit(browser, address_of(file), java_script_enabled=False) as seen:
        assert seen.page.locator(".find").count() == len(ALL)
        assert seen.page.is_hidden("#audit-controls")
