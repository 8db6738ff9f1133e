"""Validation: what the software promises, the tests that prove it, and what a site found when it installed it."""
