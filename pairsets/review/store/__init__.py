"""The database of a review."""
