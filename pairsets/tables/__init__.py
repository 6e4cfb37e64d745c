"""Tables of evaluations, as CSV and Markdown."""
