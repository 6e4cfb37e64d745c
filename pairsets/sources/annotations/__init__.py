"""Boxes of faces in pictures, as detectors and other projects give them: one table of any layout.

One layout is one file beside this one and one line in `reading`.
"""

from pairsets.sources.annotations.annotations import Annotations, fit_boxes
from pairsets.sources.annotations.reading import read_annotations

__all__ = ["Annotations", "fit_boxes", "read_annotations"]
