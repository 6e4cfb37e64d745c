"""Templates of pages, and the texts of `assets` that stand in them."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import escape

from pairsets.report import phrases


def asset(name: str) -> str:
    """Text of a file of `assets`."""
    return (files(__package__) / "assets").joinpath(name).read_text("utf-8")


def page_environment() -> Environment:
    """Environment of the templates in `assets`: what is filled in is escaped, and all must be."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(asset),
    )
    environment.filters |= {"breakable": phrases.breakable, "unbroken": phrases.unbroken}
    # A page that explains words says how; another has them as they are.
    environment.filters["explained"] = escape
    return environment
