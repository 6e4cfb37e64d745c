"""Advice on a file that is no pair file, but has another project's form."""

from __future__ import annotations

import shlex
from pathlib import Path

from pairsets.errors import SourceError
from pairsets.pairset import COLUMNS
from pairsets.sources.formats import candidates, format_named
from pairsets.sources.formats.refusals import why_refused
from pairsets.sources.text.text_lines import read_head


def advice(path: Path) -> str:
    """Advice on a file that is of another known form; empty if it is not."""
    if not path.is_file():
        return ""
    try:
        header = read_head(path).split(b"\n", 1)[0]
        # One with a column of ours, and something wrong about it, is meant to be ours.
        if b"pathA" in header or b"human_prediction" in header:
            return ""
        found = candidates(path)
    except SourceError:
        return ""
    if "csv" in found:
        return ""
    if not found:
        return why_refused(path, read_head(path)) or ""
    which = " or ".join(f"{name} ({format_named(name).SUMMARY})" for name in found)
    said = f" --from-format {'|'.join(found)}" if len(found) > 1 else ""
    return (
        f"{path}: no pair file (expected {','.join(COLUMNS)}), but it looks like {which}. To make "
        f"one of it: lookalikes convert {shlex.quote(str(path))}{said} --out NEW.csv"
    )
