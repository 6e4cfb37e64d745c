"""Diagnosis of an installation: nothing here fails because something else is broken."""
