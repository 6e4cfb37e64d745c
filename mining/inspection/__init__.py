"""Inspection of a folder of faces, kind by kind: what an audit is made of."""
