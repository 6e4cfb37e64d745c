"""Sources of faces and pairs: one module per source."""
