"""The report as PDF: its charts as lines, the same bytes twice, and what a browser fails at."""

from __future__ import annotations

import json
import re
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from support.command_line import contents, lookalikes

from pairsets import Faces, random_pairs
from pairsets.errors import PairsetsError
from pairsets.evaluation.rates import roc
from pairsets.report import DetSet, Report, pdf, write_pdf, write_report

COMPARE = [
    "compare",
    "faces",
    "--model",
    "pixels",
    "--pair-file",
    "pairs.csv",
    "--out",
    "run",
    "--pdf",
]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page with two charts, and with a part that is folded."""
    labels = np.repeat([1, 0], 60)
    curve = roc(labels, labels * 0.5 + np.random.default_rng(0).normal(0, 0.3, 120))
    report = Report(
        title="Printed",
        faces_root=tmp_path,
        facts=[("Faces", "4")],
        curves=[DetSet("random", {"a model": curve}, None, (0.1,))],
    )
    return write_report(report, tmp_path / "report.html")


@pytest.fixture
def browser() -> None:
    if pdf.find_browser() is None:
        pytest.skip(f"no browser: none of {', '.join(pdf.NAMES)} is installed")


def _streams(content: bytes) -> bytes:
    """What the compressed parts of a PDF hold."""
    found = re.findall(rb"stream\r?\n(.*?)endstream", content, re.DOTALL)
    return b"\n".join(zlib.decompressobj().decompress(one) for one in found if one[:1] == b"x")


@pytest.mark.usefixtures("browser")
def test_charts_are_lines_on_pages_of_a4(page: Path) -> None:
    content = write_pdf(page, page.with_suffix(".pdf")).read_bytes()
    assert content.startswith(b"%PDF-")
    assert b"/Subtype /Image" not in content
    # Curves are drawn: paths are opened, continued and stroked.
    drawn = _streams(content)
    assert drawn.count(b" l\n") > 100
    assert drawn.count(b"\nS\n") > 10
    sizes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", content)
    assert {(round(float(w)), round(float(h))) for w, h in sizes} == {(595, 842)}
    assert b"/Outlines" in content


@pytest.mark.usefixtures("browser")
def test_the_same_page_gives_the_same_bytes(page: Path, tmp_path: Path) -> None:
    first = write_pdf(page, tmp_path / "a.pdf").read_bytes()
    assert first == write_pdf(page, tmp_path / "b.pdf").read_bytes()
    assert b"Date" not in first


def test_no_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(pdf.VARIABLE, sys.executable)
    with pytest.raises(PairsetsError, match=r"report\.html: no such file"):
        write_pdf(tmp_path / "report.html", tmp_path / "report.pdf")


def _script(path: Path, text: str) -> Path:
    path.write_text(f"#!{sys.executable}\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="a script is no program there")
def test_a_browser_that_fails_leaves_the_older_file(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = _script(tmp_path / "broken", "import sys; sys.exit('no display')")
    monkeypatch.setenv(pdf.VARIABLE, str(broken))
    older = tmp_path / "report.pdf"
    older.write_bytes(b"older")
    with pytest.raises(PairsetsError, match=r"wrote no PDF of .* \(exit status 1\): no display"):
        write_pdf(page, older)
    assert older.read_bytes() == b"older"
    hangs = _script(tmp_path / "hangs", "import time; time.sleep(1000)")
    monkeypatch.setenv(pdf.VARIABLE, str(hangs))
    monkeypatch.setattr(pdf, "PATIENCE", 0.2)
    with pytest.raises(PairsetsError, match=r"no PDF after 0\.2 seconds; open the report"):
        write_pdf(page, older)
    monkeypatch.setenv(pdf.VARIABLE, str(_script(tmp_path / "odd", "").rename(tmp_path / "b")))
    (tmp_path / "b").write_text("#!/nowhere\n")
    with pytest.raises(PairsetsError, match="cannot be started"):
        write_pdf(page, older)


def test_without_a_browser_nothing_is_begun(
    faces_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = faces_folder.parent
    monkeypatch.chdir(home)
    before = contents(home)
    monkeypatch.setenv(pdf.VARIABLE, str(tmp_path / "none"))
    assert "no such program; name a Chromium or Chrome" in lookalikes(*COMPARE).message
    monkeypatch.delenv(pdf.VARIABLE)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(pdf, "PLACES", ())
    with pytest.raises(PairsetsError, match="install Chromium, Chrome or Edge"):
        pdf.refuse_without_browser()
    assert contents(home) == before


_PRINTS = """import sys
[out] = [a.partition("=")[2] for a in sys.argv if a.startswith("--print-to-pdf=")]
open(out, "wb").write(b"%PDF-1.4 of " + sys.argv[-1].encode())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a script is no program there")
def test_a_run_prints_its_report(
    faces_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = faces_folder.parent
    monkeypatch.chdir(home)
    random_pairs(Faces.scan(faces_folder), positives=18, negatives=30, seed=1).write("pairs.csv")
    monkeypatch.setenv(pdf.VARIABLE, str(_script(tmp_path / "prints", _PRINTS)))
    ended = lookalikes(*COMPARE, "--json")
    assert ended.code == 0, ended.err
    assert "run/report.pdf" in json.loads(ended.out)["files"]
    assert Path("run/report.pdf").read_text().endswith("/run/report.html")
    # One that is not asked for would show an older report.
    ended = lookalikes(*COMPARE[:-1], "--overwrite")
    assert ended.code == 0, ended.err
    assert not Path("run/report.pdf").exists()
