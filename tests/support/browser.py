"""Browser for the tests of pages: a real one found on this machine, never downloaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pairsets.report.pdf import NAMES, VARIABLE, find_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# A page that has not changed by then never will, however busy the machine is.
PATIENCE_MS = 600_000
# Runs before any script of a page: what its policy refuses becomes a console error in any browser.
WATCH = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`refused by the policy: ${event.violatedDirective} ${event.blockedURI}`));"""


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Start a headless Chromium; skips the test where there is none.

    Playwright keeps an event loop in this thread while it runs: do not hold it open across
    modules.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = find_browser()
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} on PATH, and {VARIABLE} names none")
    with playwright.sync_playwright() as driver:
        # Without its sandbox, which a container as root cannot have; the pages are our own.
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """Visit of a page in the browser, with what it complained of or asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@contextmanager
def visit(browser: Browser, address: str, **context: Any) -> Iterator[Visit]:
    """Open `address` in a fresh profile; fails if the page complains or asks for another file.

    Args:
        browser: from `running_browser`.
        address: of the page; what it asks for beside it is recorded.
        **context: Playwright's settings: `viewport`, `color_scheme`, `java_script_enabled`...
    """
    profile = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | context)
    try:
        page = profile.new_page()
        page.set_default_timeout(PATIENCE_MS)
        seen = Visit(page)
        page.on("console", lambda said: _note(seen, said.type, said.text))
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.on("dialog", lambda box: (seen.complaints.append(box.message), box.dismiss()))
        page.on("request", lambda asked: seen.requests.append(asked.url))
        page.add_init_script(WATCH)
        page.goto(address)
        yield seen
        outside = [url for url in seen.requests if not url.startswith(("data:", "file:"))]
        others = {url.partition("#")[0] for url in seen.requests if url.startswith("file:")}
        assert not outside, outside
        assert others == {address.partition("#")[0]}
        assert not seen.complaints, seen.complaints
    finally:
        profile.close()


def _note(seen: Visit, kind: str, text: str) -> None:
    if kind in ("error", "warning"):
        seen.complaints.append(text)


def address_of(path: Path, fragment: str = "") -> str:
    """Address of a file, for a browser."""
    return path.as_uri() + fragment
