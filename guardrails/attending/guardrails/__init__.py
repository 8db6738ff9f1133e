"""Checks between a model's text and a person: rails, PHI, clinical text, knowledge, policy."""
