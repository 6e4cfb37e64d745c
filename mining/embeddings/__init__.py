"""Vectors of faces, made once and kept on disk."""
