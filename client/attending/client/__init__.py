"""Thin typed client that verifies every receipt it is given."""
