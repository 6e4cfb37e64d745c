"""Scores of pair sets, wherever they come from."""
