"""Append-only, hash-chained, Merkle-committed audit ledger. Importing this imports nothing heavy."""
