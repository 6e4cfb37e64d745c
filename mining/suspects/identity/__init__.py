"""Identities compared by their names and vectors."""
