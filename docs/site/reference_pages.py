"""Hook of the site: a page of the reference for each package, and one with all its names.

The names are those of `lookalikes.py`, so that none has to be written down again.
"""

from __future__ import annotations

import ast
from pathlib import Path

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
KINDS = ("Functions", "Classes", "Errors")


def public_names() -> dict[str, list[str]]:
    """Public names of each package."""
    tree = ast.parse((ROOT / "lookalikes.py").read_text("utf-8"))
    (homes,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOMES"
    )
    return {
        package: sorted((name for name, home in homes.items() if home == package), key=str.lower)
        for package in ("pairsets", "mining", "indexes")
    }


def kind_of(thing: griffe.Object | griffe.Alias) -> str:
    """Heading that a name stands under."""
    if thing.is_function:
        return "Functions"
    return "Errors" if thing.name.endswith("Error") else "Classes"


def first_line(thing: griffe.Object | griffe.Alias) -> str:
    """First sentence of a docstring, on one line of a table."""
    if thing.docstring is None:
        raise ValueError(f"{thing.path} has no docstring; the reference shows one for each name")
    return " ".join(thing.docstring.value.split("\n\n")[0].split()).replace("|", r"\|")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    loader = griffe.GriffeLoader(search_paths=[ROOT])
    packages = {name: loader.load(name) for name in public_names()}
    loader.resolve_aliases(implicit=True)
    front = ["# Reference", "All public names. `import lookalikes` has them under one roof."]
    for package, names in public_names().items():
        module = packages[package]
        page = [f"# {package}", first_line(module)]
        front += [f"## [{package}]({package}.md)", first_line(module)]
        rows = ["| name | what it is |", "|---|---|"]
        for kind in KINDS:
            held = [name for name in names if kind_of(module[name]) == kind]
            page += [f"## {kind}", *(f"::: {package}.{name}" for name in held)]
            rows += [
                f"| [`{name}`][{package}.{name}] | {first_line(module[name])} |" for name in held
            ]
        front.append("\n".join(rows))
        text = "\n\n".join(page) + "\n"
        files.append(File.generated(config, f"reference/{package}.md", content=text))
    front += ["## lookalikes", "::: lookalikes.__version__"]
    text = "\n\n".join(front) + "\n"
    files.append(File.generated(config, "reference/index.md", content=text))
    return files
