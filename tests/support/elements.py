"""Elements of a page of HTML, for tests that read it as a browser would."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "input", "wbr", "br", "hr", "img", "link"}


class Page(HTMLParser):
    """The elements of a page: tags with attributes, and the text inside each."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.open: list[int] = []
        self.within: list[tuple[int, ...]] = []
        self.feed(html)
        assert not self.open, "elements are left open"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        self.texts.append("")
        self.within.append(tuple(self.open))
        if tag not in VOID:
            self.open.append(len(self.elements) - 1)

    def handle_endtag(self, tag):
        assert self.elements[self.open.pop()][0] == tag

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_data(self, data):
        for at in self.open:
            self.texts[at] += data

    def of(
        self, tag: str, css_class: str = "", within: str = ""
    ) -> list[tuple[dict[str, str], str]]:
        """Elements of this tag that have this class, as (attributes, text).

        `within` asks for those inside the element of that id.
        """
        inside = None
        if within:
            ids = [attributes.get("id") for _, attributes in self.elements]
            inside = ids.index(within)
        return [
            (attributes, " ".join(self.texts[at].split()))
            for at, (name, attributes) in enumerate(self.elements)
            if name == tag
            and (not css_class or css_class in attributes.get("class", "").split())
            and (inside is None or inside in self.within[at])
        ]

    def rows(self, css_class: str, within: str = "") -> list[list[list[str]]]:
        """Texts of the cells of each row, head and body, of each table of a class."""
        found = []
        for attributes, _ in self.of("table", css_class, within):
            table = next(at for at, (_, one) in enumerate(self.elements) if one is attributes)
            lines: dict[int, list[str]] = {}
            for at, (name, _) in enumerate(self.elements):
                if table in self.within[at] and name in ("th", "td"):
                    row = max(up for up in self.within[at] if self.elements[up][0] == "tr")
                    lines.setdefault(row, []).append(" ".join(self.texts[at].split()))
            found.append([*lines.values()])
        return found


def without_command(page: bytes) -> bytes:
    """A report but for the command that it names, which says where its input lay."""
    return re.sub(rb"<dt>Command</dt><dd>.*?</dd>", b"", page, flags=re.DOTALL)
