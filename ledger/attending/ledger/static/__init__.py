"""A log as static files (c2sp.org/tlog-tiles): paths, entry bundles, a reading client, an export.

Paths, bundles, client and export need the standard library and `cryptography` only. Importing this imports
nothing.
"""
