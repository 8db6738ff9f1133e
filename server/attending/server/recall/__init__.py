"""Recalls: a released text is taken back, and whoever had it says that they took notice."""
