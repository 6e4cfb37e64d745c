"""Words of the page with a definition to open: those of the documentation, and nothing else."""

from __future__ import annotations

from markupsafe import Markup
from support.elements import Page
from support.glossary import PAGE, SHIPPED, read_glossary, text_of

from pairsets.evaluation.intervals import Interval
from pairsets.report import Report, render
from pairsets.report.glossary import FORMS, Explanations, glossary
from pairsets.tables.entries import Entry
from pairsets.tables.leaderboard import Leaderboard

EVIL = "FPR <script>alert(1)</script>"


def test_what_is_shipped_is_what_the_documentation_says():
    """PYTHONPATH=tests python -m support.glossary renews it."""
    assert SHIPPED.read_text("utf-8") == text_of(read_glossary(PAGE.read_text("utf-8")))


def test_definitions_are_plain_text():
    found = read_glossary(
        "| **FPR**, false rate | share of *some* ([how](a.md)), [as said](b.md#c) | FMR |\n"
        "| word | what it means | elsewhere |\n"
    )
    assert found == {"FPR": "Share of some, as said"}


def test_each_form_leads_to_a_word():
    assert set(FORMS.values()) <= set(glossary())


def test_a_word_is_a_button_once_a_section():
    words = Explanations()
    found = Page(str(words.explain("FPR and FNR: the FPR, zFPR, FPR-like & kin")))
    assert [text for _, text in found.of("button")] == ["FPR", "FNR", "kin"]
    assert not Page(str(words.explain("FPR again"))).of("button")
    words.begin()
    assert len(Page(str(words.explain("FPR again"))).of("button")) == 1
    assert [*words.used] == ["FPR", "FNR", "kin"]


def test_markup_is_kept_and_text_escaped():
    words = Explanations()
    assert words.explain('<b title="FPR">') == Markup("&lt;b title=&#34;") + words.explain("") + (
        words_button("FPR")
    ) + Markup("&#34;&gt;")
    words.begin()
    assert words.explain(Markup('<b title="FPR">EER</b>')) == Markup(
        f'<b title="FPR">{words_button("EER")}</b>'
    )


def words_button(word: str) -> Markup:
    number = glossary()[word].number
    return Markup(
        f'<button type="button" class="term" popovertarget="term-{number}" '
        f'aria-describedby="term-{number}">{word}</button>'
    )


def test_each_button_of_a_page_has_its_definition(tmp_path):
    entry = Entry(EVIL, 0.2, 0.1, 0.15, fpr_interval=Interval(0.1, 0.3))
    page = Page(render(Report("t", tmp_path, leaderboards=[Leaderboard(EVIL, (entry,))])))
    buttons = [one for one, _ in page.of("button", "term")]
    targets = {one["popovertarget"] for one in buttons}
    assert targets == {one["aria-describedby"] for one in buttons}
    shown = {one["id"]: text for one, text in page.of("div", "definition")}
    assert set(shown) == targets
    fpr = glossary()["FPR"]
    assert shown[f"term-{fpr.number}"] == f"FPR {fpr.says}."
    assert {"FPR", "FNR", "EER"} <= {text for _, text in page.of("button", "term")}
    assert not [text for _, text in page.of("script") if "alert" in text]
