"""By which a log's signing key handed over to the next one; before, a log had one signing key."""

from alembic import op
from attending.ledger.store.migrations.run import run_statements

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Applies the version."""
    run_statements(op.get_bind(), revision)
