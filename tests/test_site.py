"""The site of `make docs`: complete, each link leads somewhere, nothing comes from elsewhere."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import griffe
import pytest
from support.command_line import HANGS

import lookalikes

ROOT = Path(__file__).parent.parent
CONFIG = ROOT / "docs" / "site" / "mkdocs.yml"
# Attributes that a browser fetches as it opens a page, by element; others are followed on a click.
FETCHED = {
    ("link", "href"),
    ("script", "src"),
    ("img", "src"),
    ("iframe", "src"),
    ("source", "src"),
}


class Page(HTMLParser):
    """Links and anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[tuple[str, str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("id", "name") and value and tag != "meta":
                self.anchors.add(value)
            if name in ("href", "src") and value is not None:
                self.links.append((tag, name, value))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--config-file", CONFIG, "--site-dir", folder],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=HANGS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stderr, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    found = {file: Page(file.read_text("utf-8")) for file in site.rglob("*.html")}
    del found[site / "404.html"]  # its links begin with the address that the site will have
    assert len(found) > 20
    return found


def broken(site: Path, pages: dict[Path, Page]) -> list[str]:
    """Links within the site that lead to no file, or to no place in a page."""
    found = []
    for file, page in pages.items():
        for _, _, link in page.links:
            to = urlsplit(link)
            if to.scheme or to.netloc:
                continue
            target = (file.parent / unquote(to.path)).resolve() if to.path else file
            if to.path.startswith("/") or not target.is_relative_to(site.resolve()):
                found.append(f"{file.relative_to(site)}: {link} leaves the site")
                continue
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                found.append(f"{file.relative_to(site)}: {link} is not there")
                continue
            anchors = pages[target].anchors if target in pages else {unquote(to.fragment)}
            if to.fragment and unquote(to.fragment) not in anchors:
                found.append(f"{file.relative_to(site)}: {link} has no such anchor")
    return found


def test_each_link_within_the_site_leads_somewhere(site: Path, pages: dict[Path, Page]) -> None:
    assert broken(site, pages) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    text = '<a href="b.html">1</a><a href="#there">2</a><a href="#gone">3</a><p id="there">'
    text += '<a href="../out.html">4</a><a href="https://example.org/none">5</a><a href="/x">6</a>'
    file = tmp_path.resolve() / "a.html"
    file.write_text(text, "utf-8")
    assert broken(tmp_path, {file: Page(text)}) == [
        "a.html: b.html is not there",
        "a.html: #gone has no such anchor",
        "a.html: ../out.html leaves the site",
        "a.html: /x leaves the site",
    ]


def test_no_page_fetches_anything_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    fetched = {
        link
        for page in pages.values()
        for tag, name, link in page.links
        if (tag, name) in FETCHED and urlsplit(link).netloc
    }
    assert fetched == set()
    for style in site.rglob("*.css"):
        told = re.findall(
            r"(?:url\(|@import)\s*['\"]?(?:https?:)?//[^)]*", style.read_text("utf-8")
        )
        assert told == [], style


def test_each_public_name_is_in_the_reference_with_its_docstring(
    site: Path, pages: dict[Path, Page]
) -> None:
    homes = {
        name: getattr(lookalikes, name) for name in lookalikes.__all__ if name != "__version__"
    }
    assert "lookalikes.__version__" in pages[site / "reference" / "index.html"].anchors
    for package in ("pairsets", "mining", "indexes"):
        names = importlib.import_module(package).__all__
        page = pages[site / "reference" / package / "index.html"]
        assert {f"{package}.{name}" for name in names} <= page.anchors
        for name in names:
            assert homes.pop(name).__doc__, name
    assert homes == {}


def test_a_name_without_docstring_stops_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(CONFIG.parent))
    first_line = importlib.import_module("reference_pages").first_line
    with pytest.raises(ValueError, match="bare has no docstring"):
        first_line(griffe.Function("bare"))


def test_each_page_of_docs_is_listed() -> None:
    """A page that is not in `nav` of docs/site/mkdocs.yml is found by nobody."""
    nav = CONFIG.read_text("utf-8").partition("\nnav:\n")[2]
    listed = re.findall(r"([\w/-]+\.md)$", nav, re.M)
    assert len(listed) == len({*listed})
    there = {file.name for file in (ROOT / "docs").glob("*.md")}
    assert there == {name for name in listed if name != "index.md" and "/" not in name}


def test_types_and_sources_are_shown(site: Path) -> None:
    """A signature has its types, an error is listed, and the code can be opened."""
    text = (site / "reference" / "pairsets" / "index.html").read_text("utf-8")
    assert re.search(r"Raises:.*?PairSetError", text, re.S)
    assert re.search(r"Source code in .*?pairsets/pairset\.py", text, re.S)
    plain = re.sub(r"<[^>]+>", "", text)
    parameters = ast.parse((ROOT / "pairsets/random_set.py").read_text("utf-8"))
    (defined,) = (
        node
        for node in parameters.body
        if isinstance(node, ast.FunctionDef) and node.name == "random_pairs"
    )
    for argument in defined.args.args:
        assert f"{argument.arg}:" in plain, argument.arg
