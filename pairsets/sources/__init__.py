"""Where faces and pairs come from: one module per source."""
