"""Commands, a file each: paths in, files out."""
