"""Browser for the tests of pages: a real one found on this machine, never downloaded."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pairsets.report.pdf import NAMES, VARIABLE, find_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

# A page that has not changed by then never will, however busy the machine is.
PATIENCE_MS = 600_000
# Runs before any script of a page: what its policy refuses becomes a console error in any browser.
WATCH = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`refused by the policy: ${event.violatedDirective} ${event.blockedURI}`));"""


# Firefox of the system, spoken to by WebDriver BiDi, the protocol that it has of itself; Playwright
# would take a build of its own otherwise.
FIREFOX = ("firefox-esr", "firefox")
# The first that knows all that Playwright says at its start (`network.addDataCollector`); Debian's
# own archive still has 140 where that of its security updates has a newer one.
OLDEST_FIREFOX = 143
# What Firefox is told at its start: the protocol has no word for it later.
LOOKS = {"light": 1, "dark": 0}

# For tests of what people do in either; what the protocol cannot play in Firefox (touch, paper,
# a page without scripts, less motion) is tested in Chromium alone.
in_browsers = pytest.mark.parametrize("browser", ["chromium", "firefox"], indirect=True)


class Browsers:
    """Headless browsers of this machine, each started when it is first asked for.

    Playwright keeps an event loop in this thread while it runs: one of these at a time, and none
    held open across modules.
    """

    def __init__(self, driver: Playwright) -> None:
        self._driver = driver
        self._running: dict[str, Browser] = {}

    def of(self, name: str) -> Browser:
        """Browser called `chromium`, `firefox` or `firefox-dark`; skips where there is none."""
        if name not in self._running:
            start = self._chromium if name == "chromium" else self._firefox
            self._running[name] = start(name)
        return self._running[name]

    def close(self) -> None:
        """Close whatever was started."""
        for browser in self._running.values():
            browser.close()

    def _chromium(self, name: str) -> Browser:
        program = find_browser()
        if program is None:
            pytest.skip(f"no {name}: none of {', '.join(NAMES)} on PATH, and {VARIABLE} names none")
        # Without its sandbox, which a container as root cannot have; the pages are our own.
        return self._driver.chromium.launch(executable_path=program, args=["--no-sandbox"])

    def _firefox(self, name: str) -> Browser:
        program = next(filter(None, map(shutil.which, FIREFOX)), None)
        if program is None:
            pytest.skip(f"no {name}: none of {', '.join(FIREFOX)} on PATH")
        version = _version_of(program)
        if version < OLDEST_FIREFOX:
            pytest.skip(f"no {name} of version {OLDEST_FIREFOX} or newer: {program} is {version}")
        look = LOOKS["dark" if name == "firefox-dark" else "light"]
        return self._driver.firefox.launch(
            channel="moz-firefox",
            executable_path=program,
            firefox_user_prefs={
                "ui.useOverlayScrollbars": 1,
                "layout.css.prefers-color-scheme.content-override": look,
            },
        )


def _version_of(program: str) -> int:
    """Major version of a Firefox, which it says as `Mozilla Firefox 140.12.0esr`."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    number = re.search(r"(\d+)\.", said)
    assert number, said
    return int(number[1])


@contextmanager
def running_browsers() -> Iterator[Browsers]:
    """Hold the browsers of this machine; skips the test where Playwright is not installed."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        browsers = Browsers(driver)
        try:
            yield browsers
        finally:
            browsers.close()


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Start a headless Chromium; skips the test where there is none."""
    with running_browsers() as browsers:
        yield browsers.of("chromium")


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
        # Firefox does not tell of the page itself where it is a file.
        assert others <= {address.partition("#")[0]}
        assert not seen.complaints, seen.complaints
    finally:
        profile.close()


def _note(seen: Visit, kind: str, text: str) -> None:
    if kind in ("error", "warning"):
        seen.complaints.append(text)


def address_of(path: Path, fragment: str = "") -> str:
    """Address of a file, for a browser."""
    return path.as_uri() + fragment
