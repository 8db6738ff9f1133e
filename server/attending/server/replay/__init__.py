"""Projection rows out of entries: one table of reducers for those who append and for those who rebuild."""
