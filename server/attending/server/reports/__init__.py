"""Signed evidence to take away: bundles that the offline verifier checks."""
