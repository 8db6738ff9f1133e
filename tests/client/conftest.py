"""A real gate whose receipts the client checks."""

from tests.server.inference.conftest import gate, policies

__all__ = ["gate", "policies"]
