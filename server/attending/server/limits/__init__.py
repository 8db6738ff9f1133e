"""Bounds on what callers can use: how many calls at once and a second, for how long, and how slowly."""
