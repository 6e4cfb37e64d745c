"""Pictures of the pages as the docs show them, of what `make demo` leaves; written anew when run.

Pixels hang on the browser and on its fonts: no test compares them.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from PIL import Image

from support.browser import address_of, running_browser, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parent.parent.parent
IMAGES, DEMO = ROOT / "docs" / "images", ROOT / "demo"
# Pictures of pairs that a build draws, kept as they are.
DRAWN = ("adversarial", "random")
WINDOW = {"width": 1120, "height": 720}
# Verdicts of a person who is mostly right: `s`ame, `d`ifferent.
VERDICTS = "ddsdsddsdddsdd"
# Whether so many pairs are judged, and both faces of the next one drawn.
SHOWN = """(done) => {
  const bar = document.querySelector("#judging [role=progressbar]");
  const faces = [...document.querySelectorAll("#judging .box img")];
  return Number(bar?.getAttribute("aria-valuenow")) === done &&
    faces.length === 2 && faces.every((face) => face.complete && face.naturalWidth);
}"""
# Milliseconds in which a page that was drawn settles: pictures fade in.
SETTLED = 1000


@contextmanager
def reviewed(folder: Path) -> Iterator[str]:
    """Serve a review of the demo's mined pairs; yields its address."""
    command = [
        *(sys.executable, "-m", "mining.cli", "review", DEMO / "run" / "adversarial.csv"),
        *("--faces", DEMO / "sample" / "faces", "--as", "Rei", "--port", "0", "--no-browser"),
        *("--scores", DEMO / "run" / "adversarial.scores.csv"),
        *("--store", folder / "review.sqlite"),
    ]
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            told = next(found for line in server.stdout if (found := re.search(r"http\S+", line)))
            yield told[0]
        finally:
            server.terminate()


def judge(page: Page) -> None:
    """Judge some pairs by keys."""
    for done, key in enumerate(VERDICTS, 1):
        page.wait_for_function(SHOWN, arg=done - 1)
        # No verdict is taken of a pair that nobody can have seen yet.
        page.wait_for_timeout(SETTLED)
        page.keyboard.press(key)
    page.wait_for_function(SHOWN, arg=len(VERDICTS))


def keep(name: str, content: bytes) -> None:
    """Keep a picture, with few enough colours to be small."""
    with Image.open(io.BytesIO(content)) as opened:
        plain = opened.convert("RGB").quantize(
            256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
        )
    plain.save(IMAGES / f"{name}.png", optimize=True)


def photograph(browser: Browser) -> None:
    """Write the pictures of the report's pairs and of the review."""
    report = address_of(DEMO / "run" / "report.html", "#pairs")
    with visit(browser, report, viewport={"width": 1300, "height": 900}) as seen:
        seen.page.wait_for_timeout(SETTLED)
        keep("report-pairs", seen.page.screenshot())
    page = browser.new_page(viewport=WINDOW)
    with TemporaryDirectory() as folder, reviewed(Path(folder)) as address:
        page.goto(address)
        judge(page)
        page.wait_for_timeout(SETTLED)
        keep("review", page.screenshot())
        page.goto(f"{address}#/history")
        page.locator("#history-list li").first.wait_for()
        page.wait_for_timeout(SETTLED)
        keep("review-history", page.screenshot())


def main() -> None:
    """Write all of them."""
    for name in DRAWN:
        keep(name, (DEMO / "run" / "figures" / f"{name}.png").read_bytes())
    with running_browser() as browser:
        photograph(browser)


if __name__ == "__main__":
    main()
