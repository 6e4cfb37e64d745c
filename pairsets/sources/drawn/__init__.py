"""Faces drawn by a program, of identities known."""
