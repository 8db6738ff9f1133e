"""Durable stops, the mark of a rebuild, and where the entries of a claiming append lie.

What a claim of version 1 began is the first entry of its stream; where several entries answered it, the projection
`answer`, which goes with this version, said where they lie.
"""

from alembic import op
from attending.ledger.store.migrations.run import run_statements

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Applies the version."""
    connection = op.get_bind()
    run_statements(connection, revision)
    if connection.dialect.has_table(connection, "answer"):
        # The triggers refuse a change of a claim, so that it is taken out and put back.
        connection.exec_driver_sql(
            "CREATE TEMPORARY TABLE moved AS SELECT i.log_id, i.key, i.fingerprint, i.stream, i.created_at,"
            " a.first_index, a.entries FROM idempotency AS i JOIN answer AS a USING (log_id, key)"
        )
        connection.exec_driver_sql(
            "DELETE FROM idempotency WHERE (log_id, key) IN (SELECT log_id, key FROM moved)"
        )
        connection.exec_driver_sql("INSERT INTO idempotency SELECT * FROM moved")
        connection.exec_driver_sql("DROP TABLE moved")
        connection.exec_driver_sql("DROP TABLE answer")
