"""What became of payloads that are gone."""

from alembic import op
from attending.ledger.store.migrations.run import run_statements

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Applies the version."""
    run_statements(op.get_bind(), revision)
