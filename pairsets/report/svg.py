"""Figures as files, and as SVG that lives inside a page and takes its colours and font."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from pairsets.errors import PairsetsError
from pairsets.storage.artefacts import atomic_write

if TYPE_CHECKING:
    from pairsets.figures import Figure

_LONG_DECIMAL = re.compile(r"-?\d+\.\d{3,}")
_COLOR = re.compile(r"#[0-9a-f]{6}\b")
# Presentation attributes say the same as inline styles, which a strict page does not allow.
_DROPPED_STYLES = {"font", "font-family", "line-height"}


def to_svg(figure: Figure, *, name: str, description: str, width: float | None = None) -> str:
    """The figure as an `<svg>` element to put into HTML: no ids but its own, no style, no font.

    Colours of `pairsets.figures` become CSS variables (`--ink`, `--muted`, `--grid`, `--paper`,
    `--series-1`...) with the plain colour as fallback, so that a page can theme the chart.

    Args:
        figure: what to draw.
        name: starts every id in it; unique in the page.
        description: what a screen reader says.
        width: in CSS pixels, where it scrolls rather than shrinks; None is that of what it is in.
    """
    from pairsets import figures

    greys = {"ink": figures.INK, "muted": figures.MUTED, "grid": figures.GRID}
    colors = {color: label for label, color in {**greys, "paper": figures.PAPER}.items()}
    colors |= {color: f"series-{at}" for at, color in enumerate(figures.PALETTE, 1)}

    def themed(text: str) -> str:
        return _COLOR.sub(
            lambda hit: f"var(--{colors[hit[0]]}, {hit[0]})" if hit[0] in colors else hit[0], text
        )

    root = ElementTree.fromstring(figures.encode(figure, "svg"))
    references = set(
        re.findall(r'(?:url\(#|href="#)([\w-]+)', ElementTree.tostring(root, "unicode"))
    )
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for group in [child for child in element if _is_dead(child)]:
            element.remove(group)
        attributes = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
        for declaration in filter(None, attributes.pop("style", "").split(";")):
            key, _, value = declaration.partition(":")
            attributes |= _attribute(key.strip(), value.strip())
        if attributes.get("id") not in references:
            attributes.pop("id", None)
        else:
            attributes["id"] = f"{name}-{attributes['id']}"
        for key, value in attributes.items():
            if key == "href":
                value = value.replace("#", f"#{name}-")
            elif key != "id":
                value = themed(value.replace("url(#", f"url(#{name}-"))
                value = _LONG_DECIMAL.sub(lambda hit: f"{float(hit[0]):.2f}", value)
            attributes[key] = value
        element.attrib.clear()
        element.attrib.update(attributes)
    root.attrib.clear()
    wide, high = (72 * inches for inches in figure.get_size_inches())
    root.attrib |= {"class": "chart", "viewBox": f"0 0 {wide:g} {high:g}", "role": "img"}
    root.attrib["aria-label"] = description
    if width is not None:
        root.attrib["width"] = f"{width:.0f}"
    return ElementTree.tostring(root, encoding="unicode", method="html")


def refuse_suffix(path: Path) -> str:
    """Format of a figure by the suffix of its path, `png` or `svg`; any other is refused.

    Raises:
        PairsetsError: another suffix.
    """
    suffix = path.suffix.lower()
    if suffix not in (".png", ".svg"):
        raise PairsetsError(f"{path}: a figure is written as .png or .svg, not {suffix!r}")
    return suffix[1:]


def save_figure(figure: Figure, path: Path) -> Path:
    """Write the figure as PNG or SVG, by the path's suffix, whole or not at all.

    Raises:
        PairsetsError: another suffix.
    """
    from pairsets import figures

    kind = refuse_suffix(path)
    with atomic_write(path) as stream:
        stream.write(figures.encode(figure, kind))
    return path


def _is_dead(element: ElementTree.Element) -> bool:
    """Whether an element is metadata or a style sheet, which would reach beyond the chart."""
    return element.tag.rpartition("}")[2] in ("metadata", "style")


def _attribute(key: str, value: str) -> dict[str, str]:
    if key == "font":
        size = re.search(r"([\d.]+)px", value)
        return {"font-size": size[1]} if size else {}
    return {} if key in _DROPPED_STYLES else {key: value}
