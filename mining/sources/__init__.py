"""Where faces and pairs come from, from files to files: as the command line offers it."""
