"""A page as PDF, printed by a browser that is installed: charts stay lines, text stays text."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from pairsets.errors import PairsetsError
from pairsets.storage.artefacts import atomic_write

# Path or name of the browser that is taken before all others.
VARIABLE = "LOOKALIKES_BROWSER"
# What Chromium and its kin are called.
NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "msedge",
    "brave-browser",
)
# Where they lie on systems that have no command for them.
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
# Seconds after which a browser is taken to hang: a page of 20,000 pairs takes some ten.
PATIENCE = 600
# What Chromium writes of the hour in which it prints.
_HOUR = re.compile(rb"/(?:CreationDate|ModDate) \(D:[^)]*\)")


def find_browser() -> str | None:
    """Path of the browser that `LOOKALIKES_BROWSER` names, else of the first of Chromium's kin."""
    named = os.environ.get(VARIABLE)
    if named:
        return shutil.which(named)
    return next(_installed(), None)


def _installed() -> Iterator[str]:
    yield from filter(None, map(shutil.which, NAMES))
    yield from (place for place in PLACES if Path(place).is_file())


def refuse_without_browser() -> str:
    """Path of the browser that prints.

    Raises:
        PairsetsError: none is installed, or the one that is named is not there.
    """
    found = find_browser()
    if found is not None:
        return found
    named = os.environ.get(VARIABLE)
    if named:
        raise PairsetsError(f"{VARIABLE}={named}: no such program; name a Chromium or Chrome")
    raise PairsetsError(
        "no browser found that writes a PDF: install Chromium, Chrome or Edge, or name one in the "
        f"environment: {VARIABLE}=/path/to/chrome"
    )


def write_pdf(page: str | Path, path: str | Path) -> Path:
    """Print a report to a PDF of A4 pages with a table of contents; returns `path`.

    What is folded on the page is unfolded, and of the gallery its first pairs are printed. The
    same page gives the same bytes by the same browser: the hour is left out of the file.

    Args:
        page: a report that `lookalikes` wrote. Its scripts run, without a network.
        path: of the PDF; an older file is replaced, or stays as it was after an error.

    Raises:
        PairsetsError: no browser, or one that fails.
    """
    page, path = Path(page), Path(path)
    browser = refuse_without_browser()
    if not page.is_file():
        raise PairsetsError(f"{page}: no such file; expected the report to print")
    with TemporaryDirectory(prefix="lookalikes-pdf-") as place:
        made = Path(place) / "page.pdf"
        options = [
            "--headless",
            "--disable-gpu",
            "--no-first-run",
            "--no-pdf-header-footer",
            "--generate-pdf-document-outline",
            # The page asks for nothing; no more does the browser.
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={Path(place) / 'profile'}",
            f"--print-to-pdf={made}",
        ]
        # As root, in containers, Chromium starts only so; the page is the one just written.
        if sys.platform != "win32" and os.geteuid() == 0:
            options.append("--no-sandbox")
        said = _run([browser, *options, page.resolve().as_uri()])
        if not made.is_file() or not made.stat().st_size:
            raise PairsetsError(f"{browser}: wrote no PDF of {page}{said}")
        content = _HOUR.sub(lambda hit: b" " * len(hit[0]), made.read_bytes())
    with atomic_write(path) as stream:
        stream.write(content)
    return path


def _run(command: list[str]) -> str:
    """Complaint of a browser that has ended, for people; empty without one."""
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise PairsetsError(
            f"{command[0]}: no PDF after {PATIENCE} seconds; open the report and print it there"
        ) from error
    except OSError as error:
        raise PairsetsError(f"{command[0]}: cannot be started ({error})") from error
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return f" (exit status {done.returncode}): {lines[-1][:300]}" if lines else ""
