"""Pages of Markdown: their code blocks run as by a reader, and their links followed."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import textwrap
import traceback
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

SHELL, PYTHON = ("sh", "bash"), ("python",)
SHOWN = (
    "text",
    "csv",
    "json",
    "toml",
    "yaml",
    "html",
    "markdown",
    "bibtex",
    "sql",
)  # not code to run
# What cannot run inside the tests; only a block with one of these may be marked as not run.
CANNOT_RUN = re.compile(
    r"\bpip install\b|\bgit clone\b|\bmake \w|\bcuda\b|\bmps\b|\b(?:curl|wget|apt-get|conda)\b"
    # Serves until it is stopped.
    r"|\blookalikes review (?!export\b|import\b)"
    # As many processes as a machine has GPUs.
    r"|\baccelerate launch\b"
    # Needs a cluster, a bucket, or both.
    r"|--cluster\b|\b(?:s3|gs|hf)://"
    # From the network.
    r"|\bhf download\b"
    # Given to those who ask its makers for it.
    r"|\bManga109/"
)
_FENCE = re.compile(r"^(?P<indent>\s*)(?P<fence>`{3,}|~{3,})\s*(?P<language>[\w+-]*)[^`]*$")
_MARK = re.compile(r"^\s*<!--\s*not run:\s*(?P<reason>.*?)\s*-->\s*$")
_LINK = re.compile(
    r"\]\(\s*<?(?P<inline>[^)\s>]+)>?[^)]*\)"
    r"|^\s*\[[^\]]+\]:\s*<?(?P<reference>[^\s>]+)"
    r"|\b(?:href|src|srcset)\s*=\s*[\"'](?P<html>[^\"']+)[\"']",
    re.MULTILINE,
)


class PageError(AssertionError):
    """Error of a block that fails, or a page that breaks the rules; says where."""


@dataclass(frozen=True)
class Block:
    """Fenced block: `line` is that of its first line of code, `reason` why it is not run."""

    page: str
    line: int
    language: str
    code: str
    reason: str | None = None

    @property
    def where(self) -> str:
        """Place of the block, page and line, as editors understand it."""
        return f"{self.page}:{self.line}"


def blocks_of(page: str, text: str) -> list[Block]:
    """Fenced blocks of a page, in order."""
    blocks, lines = [], text.splitlines()
    at = 0
    while at < len(lines):
        opening = _FENCE.match(lines[at])
        if opening is None:
            at += 1
            continue
        fence, mark = opening["fence"], _MARK.match(lines[at - 1]) if at else None
        closing = re.compile(rf"^\s*{re.escape(fence[0])}{{{len(fence)},}}\s*$")
        end = next((n for n in range(at + 1, len(lines)) if closing.match(lines[n])), None)
        if end is None:
            raise PageError(f"{page}:{at + 1}: a fence that is never closed")
        code = textwrap.dedent("\n".join(lines[at + 1 : end])) + "\n"
        reason = mark["reason"] if mark else None
        blocks.append(Block(page, at + 2, opening["language"], code, reason))
        at = end + 1
    return blocks


def check_block(block: Block) -> None:
    """Refuse a block that would slip past the tests, or that they must not run."""
    if block.language not in (*SHELL, *PYTHON, *SHOWN):
        known = ", ".join((*SHELL, *PYTHON, *SHOWN))
        raise PageError(f"{block.where}: a block in {block.language!r}; expected one of {known}")
    if block.language in SHOWN:
        if block.reason is not None:
            raise PageError(f"{block.where}: marked as not run, but {block.language} never is")
        return
    cannot = CANNOT_RUN.search(block.code)
    if cannot and block.reason is None:
        raise PageError(f"{block.where}: {cannot[0]!r} cannot run in the tests; mark the block")
    if block.reason is not None and not (cannot and block.reason):
        raise PageError(f"{block.where}: marked as not run, but nothing in it cannot run")


@dataclass
class Reader:
    """Reader who types a page's blocks, one after the other, in one folder.

    Shell blocks run with `bash -euo pipefail`, `programs` and those of this environment first on
    PATH;
    Python blocks share one namespace, in this process. `ran` counts what was run.
    """

    folder: Path
    timeout: float = 1800
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    ran: list[Block] = field(default_factory=list)
    programs: Path | None = None

    def run(self, blocks: Iterable[Block]) -> None:
        """Run the blocks that are code and not marked.

        Raises:
            PageError: the first that fails, with its page, line and output.
        """
        for block in blocks:
            check_block(block)
            if block.language in SHOWN or block.reason is not None:
                continue
            output = self._shell(block) if block.language in SHELL else self._python(block)
            self.ran.append(block)
            if output is not None:
                raise PageError(
                    f"{block.where}: this {block.language} block fails\n\n"
                    + textwrap.indent(block.code, "    ")
                    + f"\n{output[-4000:]}"
                )

    def _shell(self, block: Block) -> str | None:
        """Output of a block of shell that fails, or None."""
        own = [str(self.programs)] if self.programs else []
        path = [*own, str(Path(sys.executable).parent), os.environ.get("PATH", "")]
        environment = os.environ | {
            "PATH": os.pathsep.join(path),
            "HF_HUB_OFFLINE": "1",
        }
        try:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block.code],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=self.timeout,
            )
        except subprocess.TimeoutExpired as error:
            return f"{error.output or ''}\nno end after {self.timeout} s"
        return f"{done.stdout}\nexit status {done.returncode}" if done.returncode else None

    def _python(self, block: Block) -> str | None:
        """Output of a block of Python that fails; tracebacks have the page's line numbers."""
        output = io.StringIO()
        try:
            code = compile("\n" * (block.line - 1) + block.code, block.page, "exec")
            with contextlib.redirect_stdout(output), at_home_in(self.folder):
                exec(code, self.names)
        except (Exception, SystemExit):
            return f"{output.getvalue()}\n{traceback.format_exc()}"
        return None


@contextlib.contextmanager
def at_home_in(folder: Path) -> Iterator[None]:
    """Work in `folder`, its modules importable; both are undone."""
    modules, path = set(sys.modules), list(sys.path)
    sys.path.insert(0, str(folder))
    try:
        with contextlib.chdir(folder):
            yield
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            file = getattr(sys.modules[name], "__file__", None)
            if file and Path(file).is_relative_to(folder):
                del sys.modules[name]


def dead_links(page: Path, root: Path) -> list[str]:
    """Relative links and images of a page whose file or heading does not exist in `root`."""
    text = page.read_text("utf-8")
    dead = []
    for found in _LINK.finditer(_without_code(text)):
        target = (found["inline"] or found["reference"] or found["html"]).split()[0]
        if not re.match(r"[a-z][a-z0-9+.-]*:|//", target, re.IGNORECASE):
            path, _, heading = unquote(target).partition("#")
            file = (page.parent / path).resolve() if path else page.resolve()
            if not (file.is_relative_to(root.resolve()) and _leads_to(file, heading)):
                dead.append(target)
    return dead


def _leads_to(file: Path, heading: str) -> bool:
    if heading and file.suffix == ".md" and file.is_file():
        return heading in headings(file.read_text("utf-8"))
    return file.exists()


def headings(text: str) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them.

    >>> sorted(headings("# A page\\n## What's *new*?\\n## A page\\n"))
    ['a-page', 'a-page-1', 'whats-new']
    """
    found: dict[str, int] = {}
    anchors = set(re.findall(r"<a\s+(?:id|name)=[\"']([^\"']+)", text))
    for title in re.findall(r"^#{1,6}\s+(.*?)\s*#*\s*$", _without_fences(text), re.MULTILINE):
        plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
        kept = [c for c in plain if c in "-_ " or unicodedata.category(c)[0] in "LNM"]
        anchor = "".join(kept).replace(" ", "-")
        count = found.get(anchor, 0)
        found[anchor] = count + 1
        anchors.add(f"{anchor}-{count}" if count else anchor)
    return anchors


def _without_fences(text: str) -> str:
    return re.sub(r"^\s*(`{3,}|~{3,}).*?^\s*\1[`~]*\s*$", "", text, flags=re.MULTILINE | re.DOTALL)


def _without_code(text: str) -> str:
    """Text of a page without its code and comments, where a bracket is no link."""
    text = re.sub(r"<!--.*?-->", "", _without_fences(text), flags=re.DOTALL)
    return re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", text, flags=re.DOTALL)
