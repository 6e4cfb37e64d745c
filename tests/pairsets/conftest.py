"""Fixtures of the tests of pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from support.browser import Browsers, running_browsers

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browsers() -> Iterator[Browsers]:
    """Browsers for the tests of a module."""
    with running_browsers() as found:
        yield found


@pytest.fixture
def browser(browsers: Browsers, request: pytest.FixtureRequest) -> Browser:
    """A headless Chromium, or the browser of `in_browsers`; skips the test where there is none."""
    name = getattr(request, "param", "chromium")
    asked = getattr(request.node, "callspec", None)
    is_dark = asked is not None and asked.params.get("scheme") == "dark"
    return browsers.of("firefox-dark" if name == "firefox" and is_dark else name)
