"""Schema migrations (alembic), forward only: a log table is never rebuilt, a correction is a new version.

Each version is history: literal statements, one file an engine under `sql/`, never made from the tables as they
are now. A test applies them all and compares with `store.schema` and `store.postgres_schema`.
"""

from attending.ledger.store.migrations.run import VERSIONS, migrate, version_of

__all__ = ["VERSIONS", "migrate", "version_of"]
