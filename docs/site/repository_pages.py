"""Hook of the site: README as its first page, and each file of the repository that is linked.

Pages link as GitHub reads them, `../benchmarks/mining.py`, `docs/join.md`. A file that is linked
and lies outside docs/ becomes part of the site under repository/: text as a page, others as they
are; and the links are turned to where the file stands there. One that leads nowhere stays, and is
told of.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from urllib.parse import unquote

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"(\]\()([^)\s#:]+)([^)\s]*\))")
SHOWN = {".py": "python", ".c": "c", ".toml": "toml", ".bib": "bibtex", "": "text"}
HIDDEN = "---\nsearch:\n  exclude: true\n---\n\n"
# The file of the repository that each page was made of.
_sources: dict[str, str] = {}


def repository_path(page: str) -> str:
    """Place in the repository of a page's text."""
    return _sources.get(page, f"docs/{page}")


def place(path: str) -> str:
    """Place on the site of a file or folder of the repository."""
    if path == "README.md":
        return "index.md"
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if (ROOT / path).is_dir():
        return f"repository/{path}/index.md"
    shown = Path(path).suffix in SHOWN
    return f"repository/{path}.md" if shown else f"repository/{path}"


def linked(text: str, source: str) -> list[str]:
    """Files and folders of the repository that a text links to."""
    targets = (
        posixpath.normpath(posixpath.join(posixpath.dirname(source), unquote(found[2])))
        for found in LINK.finditer(text)
    )
    return [path for path in targets if not path.startswith("..") and (ROOT / path).exists()]


def page_text(path: str) -> str | None:
    """Markdown that shows a file or folder; none of one that is published as it is."""
    file = ROOT / path
    if file.is_dir():
        names = sorted(
            one.name
            for one in file.iterdir()
            if one.is_file() and one.suffix in {*SHOWN, ".md", ".json", ".ipynb"}
        )
        listed = "\n".join(f"- [{name}]({file.name}/{name})" for name in names)
        return f"{HIDDEN}# {path}\n\n{listed}\n"
    if file.suffix == ".md":
        return file.read_text("utf-8")
    if (language := SHOWN.get(file.suffix)) is not None:
        text = file.read_text("utf-8").rstrip()
        return f"{HIDDEN}# {path}\n\n````````{language}\n{text}\n````````\n"
    return None


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add README, and all that can be reached from it and from the pages."""
    _sources.clear()
    style = Path(__file__).with_name("site.css")
    files.append(File.generated(config, "site.css", abs_src_path=str(style)))
    waiting = ["README.md"]
    for file in files.documentation_pages():
        waiting += linked(file.content_string, repository_path(file.src_uri))
    while waiting:
        path = waiting.pop()
        uri = place(path)
        if uri in _sources or path.startswith("docs/"):
            continue
        _sources[uri] = path
        text = page_text(path)
        if text is None:
            files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
            continue
        files.append(File.generated(config, uri, content=text))
        waiting += linked(text, path)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links to where their files stand on the site."""
    source = repository_path(page.file.src_uri)
    here = posixpath.dirname(page.file.src_uri)

    def turned(found: re.Match[str]) -> str:
        paths = linked(found[0], source)
        if not paths:
            return found[0]
        return found[1] + posixpath.relpath(place(paths[0]), here or ".") + found[3]

    return LINK.sub(turned, markdown)
