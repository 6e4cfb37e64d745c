"""The glossary of the documentation as pages ship it; `python -m support.glossary` renews it."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "glossary.md"
SHIPPED = ROOT / "pairsets" / "report" / "assets" / "glossary.json"


def read_glossary(text: str) -> dict[str, str]:
    """Definitions by word, the first of its row, without links and emphasis."""
    found = {}
    for line in text.splitlines():
        if row := re.match(r"\| \*\*(.+?)\*\*.*? \| (.+?) \|", line):
            says = re.sub(r" \(\[(?:how|1:N|thresholds)\]\([^)]*\)\)", "", row[2])
            says = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", says)
            says = re.sub(r"[*`]+", "", says)
            found[row[1]] = says[0].upper() + says[1:]
    return found


def text_of(found: dict[str, str]) -> str:
    """The shipped file: a word a line."""
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    SHIPPED.write_text(text_of(read_glossary(PAGE.read_text("utf-8"))), encoding="utf-8")
