"""What became of payloads that are gone, and the holds that keep them; before, there were neither holds nor links."""

from alembic import op
from attending.ledger.store.migrations.run import run_statements

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Applies the version."""
    run_statements(op.get_bind(), revision)
