"""History, disagreements and agreement in a real browser, against what stands in the database."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from sklearn.metrics import cohen_kappa_score
from support.browser import in_browsers
from support.review_server import (
    CUT_OFF,
    EVIL,
    MODELS,
    SUSPECT,
    plant,
    scores,
    serving,
    suspects,
    until,
)
from support.review_server import visit_review as visit

REI, KEN = "Rei 綾波", f"Ken {EVIL}"
JUDGED = 75  # by Rei: more than the page asks for at a time
PHONE = {"viewport": {"width": 375, "height": 667}, "has_touch": True, "is_mobile": True}


def rei_says(pair):
    return ["same", "different", "different", "bad crop"][pair % 4]


def ken_says(pair):
    return ["same", "different", "same", "bad crop", "different"][pair % 5]


def word(said):
    return said if said in ("same", "different") else "invalid"


@pytest.fixture(scope="module")
def server(tmp_path_factory, browsers):
    with serving(plant(tmp_path_factory.mktemp("history"), negatives=80, positives=40)) as found:
        # Rei begins at the end, where the pairs of one identity are.
        found.judge(REI, {pair: rei_says(pair) for pair in reversed(range(120 - JUDGED, 120))})
        found.judge(KEN, {pair: ken_says(pair) for pair in range(100)})
        yield found


def opened(browser, server, where, person=REI, **more):
    return visit(browser, server, f"?as={quote(person)}#/{where}", **more)


def cards(page):
    """The rows of the pairs in the list, in its order."""
    return page.evaluate(
        """[...document.querySelectorAll("#history-list .card")]
            .map((card) => Number(card.dataset.pair))"""
    )


def listed(page, count):
    """All cards, once as many are told of and there."""
    text = f"{count} pair{'' if count == 1 else 's'}" if count else "No pair that you judged"
    until(page, "document.getElementById('history-count').textContent.startsWith(value)", text)
    shown = "document.querySelectorAll('#history-list .card').length"
    while page.evaluate(shown) < count:
        before = page.evaluate(shown)
        page.mouse.wheel(0, 20_000)
        until(page, f"{shown} > value", before)
    return cards(page)


def in_sight(page):
    """Wait until a decision counts: who decides at once has not seen the pair."""
    until(page, "document.getElementById('deciding').dataset.sight === 'enough'")


def contradicts(server, pair):
    said = rei_says(pair)
    return word(said) != "invalid" and (said == "same") != bool(server.pairs.label[pair])


def differ(pair):
    return pair < 100 and word(rei_says(pair)) != word(ken_says(pair))


@pytest.mark.parametrize(
    ("filters", "fits"),
    [
        ({}, lambda server, pair: True),
        ({"verdict": "different"}, lambda server, pair: rei_says(pair) == "different"),
        ({"verdict": "invalid"}, lambda server, pair: word(rei_says(pair)) == "invalid"),
        ({"show": "wrong"}, contradicts),
        ({"show": "suspects"}, lambda server, pair: pair in suspects(server.pairs)),
        ({"show": "disagreements"}, lambda server, pair: differ(pair)),
        ({"who": KEN}, lambda server, pair: pair < 100),
        ({"text": "zoë/3"}, lambda server, pair: "zoë/3" in names(server, pair)),
        ({"text": EVIL.upper()}, lambda server, pair: EVIL in names(server, pair)),
        ({"text": "%"}, lambda server, pair: "%" in names(server, pair)),
        (
            {"text": "rei", "verdict": "same", "show": "wrong"},
            lambda server, pair: (
                "rei" in names(server, pair).lower()
                and rei_says(pair) == "same"
                and contradicts(server, pair)
            ),
        ),
        ({"text": "nobody"}, lambda server, pair: False),
    ],
)
def test_search_and_filters(listing, server, filters, fits):
    page = listing
    for name in ("verdict", "show", "who"):
        page.select_option(f"[name={name}]", filters.get(name, "all" if name == "show" else ""))
    page.fill("#history-filters [name=text]", filters.get("text", ""))
    expected = [pair for pair in range(120 - JUDGED, 120) if fits(server, pair)]
    assert listed(page, len(expected)) == expected


@pytest.fixture(scope="module")
def listing(browsers, server):
    with opened(browsers.of("chromium"), server, "history") as seen:
        yield seen.page


def names(server, pair):
    return f"{server.pairs.path_a[pair]} {server.pairs.path_b[pair]}"


@in_browsers
def test_a_card_tells_all_that_is_known(browser, server):
    with opened(browser, server, "history") as seen:
        page = seen.page
        listed(page, JUDGED)
        drawn = scores(server.pairs)
        for pair in (45, 49, 56, 119):
            text = page.text_content(f"[data-pair='{pair}']")
            for path in (server.pairs.path_a[pair], server.pairs.path_b[pair]):
                assert path in text
                assert path.split("/")[0] in text
            assert f"You: {word(rei_says(pair))}" in text
            assert ("Label: same" in text) == bool(server.pairs.label[pair])
            assert ("Contradicts the label" in text) == contradicts(server, pair)
            assert (SUSPECT in text) == (pair in suspects(server.pairs))
            assert f"{drawn[MODELS[0]][pair]:.3f}".replace("-", "\u2212") in text
            assert (KEN in text) == (pair < 100)
            assert "2.5 s" in text
        assert page.locator(".card img[src='x'], .card b img").count() == 0
        faces = page.locator("[data-pair='119'] img")
        assert {face.get_attribute("alt") for face in faces.all()} == {
            server.pairs.path_a[119],
            server.pairs.path_b[119],
        }
        page.reload()
        assert listed(page, JUDGED)[0] == 45


def test_the_address_keeps_the_filters(browser, server):
    with opened(browser, server, f"history?verdict=same&text={quote('橘_雪')}") as seen:
        page = seen.page
        kept = [
            pair
            for pair in range(120 - JUDGED, 120)
            if rei_says(pair) == "same" and "橘_雪" in names(server, pair)
        ]
        assert listed(page, len(kept)) == kept
        assert page.input_value("[name=verdict]") == "same"
        page.select_option("[name=verdict]", "")
        page.wait_for_url(lambda url: "verdict" not in url)
        page.click("nav [data-page=agreement]")
        page.go_back()
        assert page.input_value("#history-filters [name=text]") == "橘_雪"


@in_browsers
def test_a_verdict_is_changed(browser, tmp_path):
    with serving(plant(tmp_path, negatives=10, positives=5)) as own:
        own.judge(REI, dict.fromkeys(range(15), "same"))
        with opened(browser, own, "history") as seen:
            page = seen.page
            listed(page, 15)
            page.click("[data-pair='3'] .card-change")
            page.wait_for_selector("#pair-desk .box img")
            dialog = page.locator("#pair-dialog")
            for path in (own.pairs.path_a[3], own.pairs.path_b[3]):
                assert path in dialog.inner_text()
            page.keyboard.press("d")
            until(page, "document.querySelector('#pair-desk .status').textContent === value",
                  "Saved: different.")  # fmt: skip
            assert "You: different" in page.text_content("[data-pair='3']")
            page.keyboard.press("x")
            page.keyboard.press("Escape")  # back from the reasons, not out of the dialog
            assert dialog.is_visible()
            page.keyboard.press("x")
            page.keyboard.press("o")
            until(page, "document.querySelector('#pair-desk .status').textContent === value",
                  "Saved: invalid: other.")  # fmt: skip
            page.keyboard.press("?")  # no page of help over the dialog
            page.keyboard.press("Escape")
            assert not dialog.is_visible()
            until(page, "document.activeElement.closest('.card')?.dataset.pair === '3'")
            page.keyboard.press("s")  # no pair is open
            assert cards(page) == [*reversed(range(15))]
        said = {pair: rest for pair, *rest in own.said(REI)}
        assert said.pop(3) == [-1, 1, "other"]
        assert all(rest == [1, 0, ""] for rest in said.values())
        kinds = own.rows("SELECT kind, count(*) FROM events GROUP BY kind ORDER BY kind")
        assert kinds == [("change", 2), ("judge", 15)]


def test_a_change_that_is_not_answered_is_sent_again(browser, tmp_path):
    with serving(plant(tmp_path, negatives=4, positives=2)) as own:
        own.judge(REI, {0: "same"})
        with opened(browser, own, "history", may_say=CUT_OFF) as seen:
            page = seen.page
            page.click("[data-pair='0'] .card-change")
            page.wait_for_selector("#pair-desk .box img")
            own.kill()
            page.keyboard.press("d")
            page.locator("#pair-desk .notice").wait_for(state="visible")
            own.start()
            page.locator("#pair-desk .notice").wait_for(state="hidden")
            until(page, "document.querySelector('#pair-desk .status').textContent === value",
                  "The server is back. Saved: different.")  # fmt: skip
        assert own.said(REI) == [(0, 0, 0, "")]


@in_browsers
def test_disagreements_are_decided_blind(browser, tmp_path):
    with serving(plant(tmp_path, negatives=10, positives=5)) as own:
        own.judge(REI, dict.fromkeys(range(6), "same"))
        own.judge(KEN, {0: "same", 1: "different", 2: "duplicate", 3: "same", 5: "different"})
        with opened(browser, own, "disagreements", person="Judge") as seen:
            page = seen.page
            host = "#disagreements"
            # What others said of pairs that may have to be judged yet comes only when asked for.
            page.wait_for_selector(f"{host} .finished h1")
            assert "not judged yet are left out" in page.inner_text(f"{host} .finished p >> nth=0")
            assert REI not in page.inner_text(host)
            assert "what others said" in page.inner_text(f"{host} .also")
            page.click("text=Also show pairs I have not judged yet")
            until(page, "document.querySelectorAll('#disagreements .box img').length === 2")
            assert page.inner_text(f"{host} .done") == "3 pairs to decide"
            assert page.inner_text(f"{host} .said") == f"{REI} said same, {KEN} said different"
            for path in (*own.pairs.path_a, *own.pairs.path_b):
                assert path not in page.content()
            answers = [a.text() for a in seen.answers if "/api/disagreements" in a.url]
            assert answers
            assert all(".png" not in text and "resnet" not in text for text in answers)

            def decide(*keys, left):
                in_sight(page)
                for key in keys:
                    page.keyboard.press(key)
                until(page, "document.querySelector('#disagreements .done').textContent === value",
                      f"{left} pair{'' if left == 1 else 's'} to decide")  # fmt: skip
                if left:
                    in_sight(page)

            decide(" ", left=3)  # pair 1 comes again at the end
            assert "duplicate" in page.inner_text(f"{host} .said")
            decide("x", "1", left=2)
            assert page.inner_text(f"{host} .last-pair b") == "invalid: duplicate"
            page.keyboard.press("n")
            told = page.inner_text(f"{host} .names")
            assert own.pairs.path_a[2] in told
            assert "Decided invalid: duplicate" in told
            decide("s", left=1)
            page.keyboard.press("u")  # back to it
            until(page, "document.querySelector('#disagreements .status').textContent === value",
                  "You decided: same.")  # fmt: skip
            decide("d", left=1)
            decide("s", left=0)
            assert page.inner_text(f"{host} .finished h1") == "All settled"
            page.keyboard.press("s")
            page.reload()
            page.wait_for_selector(f"{host} .finished h1")
            assert page.is_checked("#unjudged")
            assert page.inner_text(f"{host} .finished p >> nth=0") == "3 pairs decided, none left."
            page.focus("#unjudged")
            page.keyboard.press("Tab")
            page.keyboard.press("Shift+Tab")
            page.keyboard.press(" ")  # on the box: it is ticked, no pair is skipped
            assert not page.is_checked("#unjudged")
            page.wait_for_url(lambda url: "unjudged" not in url)
        decided = own.rows("SELECT pair, prediction, invalid, reason FROM decisions ORDER BY pair")
        assert decided == [(1, 1, 0, ""), (2, -1, 1, "duplicate"), (5, 0, 0, "")]
        with opened(browser, own, "history?show=disagreements") as seen:
            listed(seen.page, 3)
            assert "Decided same" in seen.page.text_content("[data-pair='1']")


def test_a_decision_of_somebody_else_is_not_replaced_unseen(browser, tmp_path):
    with serving(plant(tmp_path, negatives=10, positives=5)) as own:
        own.judge(REI, dict.fromkeys(range(3), "same"))
        own.judge(KEN, dict.fromkeys(range(3), "different"))
        with opened(browser, own, "disagreements", may_say="409") as seen:
            page = seen.page
            host = "#disagreements"
            says = "document.querySelector('#disagreements .status').textContent.startsWith(value)"
            until(page, "document.querySelectorAll('#disagreements .box img').length === 2")
            for pair in (0, 1):
                body = {"key": f"decision-of-ken-{pair}", "pair": pair, "verdict": "different"}
                own.ask(KEN, "/decisions", body)

            def press(key, text):
                in_sight(page)
                page.keyboard.press(key)
                until(page, says, text)

            press("s", f"{KEN} has decided meanwhile: different.")
            assert page.inner_text(f"{host} .done") == "2 pairs to decide"
            assert page.inner_text(f"{host} .said").endswith(f"; {KEN} decided different")
            press("s", "Decided: same.")  # knowingly
            press("s", f"{KEN} has decided meanwhile: different.")
            press(" ", "The decision stands as it was.")
            press("d", "Decided: different.")
            assert page.inner_text(f"{host} .finished p >> nth=0").startswith("3 pairs decided")
        decided = own.rows(
            "SELECT pair, prediction, name FROM decisions JOIN annotators a ON a.id = annotator"
        )
        assert decided == [(0, 1, REI), (1, 0, KEN), (2, 0, REI)]


def test_no_disagreements(browser, tmp_path):
    file = plant(tmp_path, negatives=3, positives=2)
    with serving(file) as own, opened(browser, own, "disagreements") as seen:
        seen.page.wait_for_selector("#disagreements .finished h1")
        assert seen.page.inner_text("#disagreements .finished h1") == "No disagreements"
        seen.page.click("nav [data-page=history]")
        until(seen.page, "document.getElementById('history-count').textContent === value",
              "You have not judged a pair yet.")  # fmt: skip


def test_lists_and_desk_are_of_one_width(browser, server):
    with opened(browser, server, "history", viewport={"width": 1900, "height": 900}) as seen:
        page = seen.page
        places = {}
        for name, inside in (
            ("history", ".filters"),
            ("agreement", "#agreement-body"),
            ("disagreements", ".desk .above"),
        ):
            page.click(f"nav [data-page={name}]")
            page.wait_for_selector(f"#{name} {inside}")
            box = page.locator(f"#{name} {inside}").bounding_box()
            title = page.locator(f"#{name} > h1").bounding_box()
            places[name] = (box["x"], box["width"], title["x"])
        assert len(set(places.values())) == 1, places


@in_browsers
def test_agreement(browser, server):
    with opened(browser, server, "agreement") as seen:
        page = seen.page
        page.wait_for_selector("#agreement .board")
        both = range(120 - JUDGED, 100)
        clear = [pair for pair in both if "bad crop" not in (rei_says(pair), ken_says(pair))]
        kappa = cohen_kappa_score(
            [rei_says(pair) for pair in clear], [ken_says(pair) for pair in clear]
        )
        cells = page.locator("#agreement .board >> nth=1").locator("tbody tr td").all_inner_texts()
        assert cells[0] == str(len(both))
        agreed = sum(word(rei_says(pair)) == word(ken_says(pair)) for pair in both) / len(both)
        assert cells[1] == f"{100 * agreed:.1f} %"
        assert cells[2] == f"{kappa:.2f}".replace("-", "\u2212")
        low, high = (float(end.replace("\u2212", "-")) for end in cells[3].split(" to "))
        assert low < kappa < high
        people = page.locator("#agreement .board >> nth=0").locator("tbody tr").all_inner_texts()
        assert [row.split("\t") for row in people] == [[REI, str(JUDGED), "0"], [KEN, "100", "0"]]
        differing = sum(differ(pair) for pair in both)
        assert page.inner_text("#agreement .lede").startswith(f"{differing} pairs judged differ")
        page.click("text=Show error rates against the labels")
        row = page.locator("#agreement .board >> nth=0").locator("tbody tr >> nth=1")
        different = [pair for pair in range(80) if ken_says(pair) != "bad crop"]
        wrong = sum(ken_says(pair) == "same" for pair in different) / len(different)
        assert row.locator("td >> nth=2").inner_text().startswith(f"{100 * wrong:.1f} % (")
        page.click("text=Hide error rates")
        assert "(" not in row.inner_text().replace(KEN, "")


def test_on_a_phone_nothing_sticks_out(browser, server):
    with opened(browser, server, "history", color_scheme="dark", **PHONE) as seen:
        page = seen.page

        def overflow():
            return page.evaluate("document.documentElement.scrollWidth - innerWidth")

        page.wait_for_selector(".card")
        assert overflow() <= 0
        page.tap(".card-open >> nth=0")
        page.wait_for_selector("#pair-desk .box img")
        dialog = page.locator("#pair-dialog")
        assert dialog.evaluate("(box) => box.scrollWidth - box.clientWidth") <= 0
        page.tap("#pair-dialog [data-do=close]")
        for name in ("agreement", "disagreements", "judging"):
            page.tap(".menu-button")
            page.tap(f"nav [data-page={name}]")
            page.wait_for_selector(f"#{name} :is(.board, .box img)")
            assert overflow() <= 0
            assert not page.locator("#menu").is_visible()


def test_by_keyboard_alone(browser, server):
    with opened(browser, server, "history") as seen:
        page = seen.page
        page.wait_for_selector(".card")
        page.focus("#history-filters [name=text]")
        page.keyboard.type("s d x ?")  # text, no verdicts, no help
        assert page.input_value("#history-filters [name=text]") == "s d x ?"
        page.fill("#history-filters [name=text]", "")
        page.wait_for_selector(".card")
        for expected in ("show", "verdict", "who"):
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.name") == expected
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "card-open"
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        page.wait_for_selector("#pair-dialog[open]")
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.className") == "card-open"
