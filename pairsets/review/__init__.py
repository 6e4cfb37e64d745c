"""Judging pairs in a browser: one person or several, every verdict kept as it is given."""
