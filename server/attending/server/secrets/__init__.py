"""Roots that lie elsewhere, under which the keys of logs are sealed: `vault_transit` and `aws_kms`; `configure`."""
