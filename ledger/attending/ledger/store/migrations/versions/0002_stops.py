"""Why a log takes no entries, durably."""

from alembic import op
from attending.ledger.store.migrations.run import run_statements

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Applies the version."""
    run_statements(op.get_bind(), revision)
