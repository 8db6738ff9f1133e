"""The gate of the other tests."""

from tests.server.inference.conftest import gate, policies

__all__ = ["gate", "policies"]
