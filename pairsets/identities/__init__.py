"""Identities: rules for whom a picture shows."""
