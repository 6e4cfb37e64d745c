"""Files that are whole or not there: JSON, CSV, digests, locks, publication."""
