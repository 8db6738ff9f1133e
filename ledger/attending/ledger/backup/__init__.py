"""Backup and restore of a whole ledger, from and to either engine, by way of one SQLite file and a manifest.

Keys are never in a backup. What a backup is worth is what `check` found: every entry, link, tile and head of it.
"""
