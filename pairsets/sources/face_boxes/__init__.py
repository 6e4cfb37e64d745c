"""Boxes of faces in pictures, as detectors and other projects give them: one table of any layout.

One layout is one file beside this one and one line in `reader`.
"""

from pairsets.sources.face_boxes.face_boxes import FaceBoxes, fit_boxes, numbers_of
from pairsets.sources.face_boxes.reader import read_annotations

__all__ = ["FaceBoxes", "fit_boxes", "numbers_of", "read_annotations"]
