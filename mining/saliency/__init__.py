"""Maps of where a model looks when it finds two faces alike, and the picture of the maps."""

from mining.saliency.explanation import Explanation, Method, explain
from mining.saliency.masks import MASKS

__all__ = ["MASKS", "Explanation", "Method", "explain"]
