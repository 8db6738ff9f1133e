"""Emergencies in a text: which signs it tells of, and whether it sends to help."""
