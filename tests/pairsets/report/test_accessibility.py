"""Page of an audit by the rules of WCAG, light and dark, on a phone and on a desktop."""

from __future__ import annotations

import pytest
from support.accessibility import SCHEMES, WIDTHS, violations
from support.audits import small_audit, small_folder
from support.browser import address_of, visit

from pairsets.report.audit_page import write_audit_page


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    root = tmp_path_factory.mktemp("audit")
    faces = small_folder(root / "faces", ("asuka", "mari", "rei", "shinji"))
    return write_audit_page(small_audit(faces), faces, root / "audit.html")


looks = pytest.mark.parametrize(
    "settings",
    [
        {"color_scheme": scheme, "viewport": {"width": width, "height": 844}}
        for scheme in SCHEMES
        for width in WIDTHS
    ],
    ids=lambda look: f"{look['color_scheme']}-{look['viewport']['width']}",
)


@looks
def test_the_page_of_an_audit(browser, audit, settings):
    with visit(browser, address_of(audit), **settings) as seen:
        found = violations(seen.page, "audit")
    assert found == []
