"""Audit of a folder of faces: what may be wrong with it before any pair exists."""
