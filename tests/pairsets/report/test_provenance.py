"""The foot of the page: day, command, seed, versions, digests, fingerprints; and scores' unit."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from support.elements import Page

from pairsets.errors import OutputError
from pairsets.report import ModelScores, Report, render
from pairsets.report.provenance import EPOCH, Provenance, day_made

EVIL = "<script>alert(1)</script>"


def test_the_foot_says_how_the_page_was_made(tmp_path):
    made = Provenance(
        "2026-11-30",
        f"lookalikes compare faces --model '{EVIL}'",
        7,
        {"lookalikes": "0.1.0", "numpy": "2.4.6"},
        {"random": "ab" * 32},
        {"timm:one": "0123456789abcdef", EVIL: None},
    )
    page = Page(render(Report("t", tmp_path, provenance=made)))
    names = [text for _, text in page.of("dt")]
    assert dict(zip(names, [text for _, text in page.of("dd")], strict=True)) == {
        "Day": "2026-11-30 (UTC)",
        "Command": made.command,
        "Seed of what is drawn at random": "7",
        "Versions": "lookalikes 0.1.0, numpy 2.4.6",
        "SHA-256 of the file of the random pairs": "ab" * 32,
        "Fingerprint of timm:one": "0123456789abcdef",
        f"Fingerprint of {EVIL}": "none: its scores come from a file",
    }
    assert not [text for _, text in page.of("script") if "alert" in text]


def test_without_it_nothing_is_said(tmp_path):
    page = Page(render(Report("t", tmp_path)))
    assert not page.of("dl", "made")
    assert "one file and asks nothing of the network" in page.of("footer")[0][1]


def test_the_day_is_that_of_the_epoch_where_it_is_set(monkeypatch):
    monkeypatch.setenv(EPOCH, "1796083200")
    assert day_made() == "2026-12-01"
    monkeypatch.setenv(EPOCH, "1796083199")
    assert day_made() == "2026-11-30"


def test_else_it_is_that_of_today(monkeypatch):
    monkeypatch.delenv(EPOCH, raising=False)
    before = datetime.now(UTC).date().isoformat()
    found = day_made()
    assert before <= found <= datetime.now(UTC).date().isoformat()


@pytest.mark.parametrize("said", ["yesterday", "1.5", "9" * 30], ids=["word", "decimal", "far"])
def test_an_epoch_that_is_none_is_refused(monkeypatch, said):
    monkeypatch.setenv(EPOCH, said)
    with pytest.raises(OutputError, match="expected whole seconds since 1970"):
        day_made()


@pytest.mark.parametrize(
    ("measure", "axis"),
    [("inner product", "score (inner product), to the right more alike"),
     ("", "score, to the right more alike")],
    ids=["known", "unknown"],
)  # fmt: skip
def test_scores_say_what_they_are(tmp_path, measure, axis):
    values = np.linspace(10_000, 20_000, 50)
    scores = ModelScores("m", {"positives": values}, 14264.0, measure)
    page = Page(render(Report("t", tmp_path, scores=[scores])))
    said = [text for _, text in page.of("text")]
    assert axis in said
    assert "threshold 14,264" in said
