"""Which pairs there are, in which order, and which of them rules let be taken."""
