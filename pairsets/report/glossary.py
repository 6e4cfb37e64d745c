"""Words of the page that have a definition to open, those of the documentation's glossary."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from pairsets.report.templates import asset

# What the page says for a word of the glossary; any other form leads to no definition.
FORMS = {
    "AUC": "AUC",
    "CMC": "rank",
    "DET": "DET",
    "EER": "EER",
    "FAR": "FPR",
    "FNIR": "FPIR",
    "FNR": "FNR",
    "FPIR": "FPIR",
    "FPR": "FPR",
    "Group": "group letters",
    "Holm": "p",
    "ROC": "ROC",
    "chance": "chance",
    "design effect": "design effect",
    "d\u2032": "d\u2032",
    "false accepts": "false accept",
    "gallery": "gallery",
    "hub": "hub",
    "hubs": "hub",
    "intervals": "interval",
    "interval": "interval",
    "kin": "kin",
    "mAP": "mAP",
    "mated": "mated",
    "mined": "mined",
    "non-mated": "mated",
    "operating point": "target FNR",
    "p": "p",
    "percentage points": "percentage points",
    "points": "percentage points",
    "probes": "gallery",
    "quantiles": "quantile",
    "rank correlation": "rank correlation",
    "threshold": "threshold",
}
_LONGEST_FIRST = "|".join(sorted(map(re.escape, FORMS), key=len, reverse=True))
_WORDS = re.compile(rf"(?<![\w-])(?:{_LONGEST_FIRST})(?![\w-])")
_TAG = re.compile(r"(<[^>]*>)")


@dataclass(frozen=True)
class Term:
    """Word of the glossary: its number in the page's ids, itself, and what it means."""

    number: int
    word: str
    says: str


@cache
def glossary() -> dict[str, Term]:
    """Words of `docs/glossary.md`, by the word, as they are shipped beside the templates."""
    entries: dict[str, str] = json.loads(asset("glossary.json"))
    return {word: Term(at, word, says) for at, (word, says) in enumerate(entries.items())}


@dataclass
class Explanations:
    """Words that a page explains, in the order in which they first appear.

    Attributes:
        used: all of them.
        seen: those of the section at hand, where a word has a button once.
    """

    used: dict[str, Term] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def begin(self) -> str:
        """Begin a section, which explains its words anew; no text."""
        self.seen.clear()
        return ""

    @property
    def filter(self) -> Callable[[Context, str], Markup]:
        """Filter of templates that explains a text; never taken for one of constants alone."""
        return pass_context(lambda _, text: self.explain(text))

    def explain(self, text: str) -> Markup:
        """Text of which each known word, where a section first has it, opens its definition.

        What is not Markup is escaped. A button is reached by keyboard and by touch, and opens what
        it names without a script.
        """

        def button(found: re.Match[str]) -> str:
            term = glossary()[FORMS[found[0]]]
            if term.word in self.seen:
                return found[0]
            self.seen.add(term.word)
            self.used.setdefault(term.word, term)
            return (
                f'<button type="button" class="term" popovertarget="term-{term.number}" '
                f'aria-describedby="term-{term.number}">{found[0]}</button>'
            )

        parts = _TAG.split(escape(text))
        return Markup("").join(
            Markup(part if part.startswith("<") else _WORDS.sub(button, part)) for part in parts
        )
