"""What the tests of the verifier have."""

from tests.ledger.verify.conftest import failed

__all__ = ["failed"]
