"""Rankings of pairs: which there are, in which order, and which of them rules let be taken."""
