"""Custody of what the vault holds: who is one person, what is on hold, what was erased, what is kept how long.

`state` and `retention` are pure rules; `tables` derives rows from them; `door` and `prune` decide and append.
"""
