"""Scores of pair sets evaluated: rates, intervals, differences, agreement."""
