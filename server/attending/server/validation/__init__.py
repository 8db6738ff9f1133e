"""Validation: what the software promises, the tests that prove it, and what a site found when it installed it."""


class ValidationFileError(Exception):
    """Why a file that was given is not what it has to be, in words that quote nothing of it."""
