"""Telling people and programs outside that something waits: out of the log, at least once, without personal data."""
