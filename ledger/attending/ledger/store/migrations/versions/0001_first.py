"""The ledger's tables as they were first."""

from alembic import op
from attending.ledger.store.migrations.run import run_statements

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Applies the version."""
    run_statements(op.get_bind(), revision)
