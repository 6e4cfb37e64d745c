"""Accessibility of a page, as axe-core judges it in the browser by the rules of WCAG 2.2 AA."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# The two looks of a page, and a phone's width beside a desktop's.
SCHEMES = ("light", "dark")
WIDTHS = (390, 1300)


def violations(page: Page, view: str, within: str = "body") -> list[str]:
    """Violations in what the page shows now: view, rule, element, and what is wrong with it.

    Whatever moves is brought to its end first: a colour on its way from one to another has a
    contrast of its own. What is laid out only when it is scrolled to is laid out before, so that
    nothing moves under axe-core's eyes.
    """
    axe = pytest.importorskip("axe_playwright_python.base", reason="axe-core is not installed")
    page.evaluate(
        """() => {
            for (const one of document.querySelectorAll("body *")) {
                const late = getComputedStyle(one).contentVisibility === "auto";
                if (late) one.style.contentVisibility = "visible";
            }
            for (const one of document.getAnimations()) {
                if (one.effect?.getComputedTiming().endTime < Infinity) one.finish();
            }
        }"""
    )
    # By the browser's own door: the page's policy allows no script from elsewhere.
    page.evaluate(axe.AXE_SCRIPT)
    found = page.evaluate(
        """async ([rules, within]) => {
            const { violations, passes } = await axe.run(within === "body" ? document : within, {
                runOnly: { type: "tag", values: rules },
            });
            return [passes.length, violations.flatMap(({ id, nodes }) => nodes.map((node) =>
                `${id}: ${node.target.join(" ")}: ${node.failureSummary.replace(/\\s+/g, " ")}`))];
        }""",
        [RULES, within],
    )
    passed, wrong = found
    assert passed > 5, "axe-core has looked at nothing"
    return [f"{view}: {one}" for one in wrong]
