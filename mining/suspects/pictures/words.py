"""Words that say how two pictures of one content differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mining.suspects.pictures.alignment import Way
from mining.suspects.pictures.features import Picture

if TYPE_CHECKING:
    from mining.suspects.pictures.overlay import Overlay

# What is said of a copy: from which change of scale and of squeeze, share shown and mean difference
# of colours (levels) on.
_SCALED, _SQUEEZED, _CUT, _COLOURED = 0.04, 0.06, 0.9, 8.0
# Degrees from which a copy is said to be turned, and of its change of colours what must be to one
# side so that it is brighter or darker.
_TURNED, _BRIGHTER = 1.0, 0.9


def told(a: Picture, b: Picture, way: Way, overlay: Overlay) -> str:
    """Differences of two pictures of the same content, in words."""
    how = []
    if way.mirrored:
        how.append("mirrored")
    size = min(overlay.scale, 1 / overlay.scale)
    if size < 1 - _SCALED:
        how.append(f"at {size:.2f} of the size")
    if max(overlay.squeeze, 1 / overlay.squeeze) > 1 + _SQUEEZED:
        how.append("squeezed")
    if abs(overlay.turn) >= _TURNED:
        how.append(f"turned by {_degrees(overlay.turn)}")
    if min(overlay.shares) < _CUT:
        how.append(f"cropped ({min(overlay.shares):.0%} of one in the other)")
    if a.is_padded != b.is_padded:
        how.append("padded")
    if overlay.greys[0] != overlay.greys[1]:
        how.append("without colours")
    elif overlay.colours > _COLOURED:
        how.append(_recoloured(overlay))
    return ", ".join(how or ["re-compressed"])


def _degrees(turn: float) -> str:
    whole = round(abs(turn))
    return "1 degree" if whole == 1 else f"{whole} degrees"


def _recoloured(overlay: Overlay) -> str:
    """In which way colours differ: all to one side, or any."""
    if abs(overlay.brighter) < _BRIGHTER * overlay.colours:
        return "re-coloured"
    return "brighter" if overlay.brighter > 0 else "darker"
