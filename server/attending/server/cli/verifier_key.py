"""`--key` of a command that verifies: a verifier key, or a file with one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from attending.ledger.note import VerifierKey


def verifier_key(given: str) -> VerifierKey:
    """The key that is given, or that the file of this name holds; a usage error for anything else."""
    from attending.ledger.errors import VerificationError
    from attending.ledger.note import VerifierKey

    try:
        text = Path(given).read_text("utf-8") if Path(given).is_file() else given
        return VerifierKey.parse(text.strip())
    except (VerificationError, ValueError, OSError):
        raise click.UsageError("--key is neither a verifier key nor a file with one") from None
