"""Named doubts about pairs: duplicate pictures, aliases, wrong labels, bad crops, vetoes."""
