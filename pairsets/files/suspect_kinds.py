"""Kinds of doubt about a pair. Nothing heavy is imported, as the help lists them."""

from collections.abc import Mapping

# Every kind of doubt, in the order of columns, and what it is in words.
KINDS: Mapping[str, str] = {
    "duplicate": "duplicate picture",
    "variant": "same drawing, another expression",
    "source": "faces of one picture",
    "alias": "same identity, two names",
    "mislabel": "mislabelled face",
    "crop": "bad crop",
    "veto": "positive for another model",
}
