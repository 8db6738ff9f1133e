"""Requests checked field by field, and findings as messages: the only place that reads or writes both worlds."""
