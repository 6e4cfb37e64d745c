"""Where a model looks when it finds two faces alike: maps of both faces, and the step's picture."""

from mining.saliency.explanation import Explanation, Method, explain
from mining.saliency.masks import MASKS

__all__ = ["MASKS", "Explanation", "Method", "explain"]
