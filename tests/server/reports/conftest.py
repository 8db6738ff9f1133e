"""Exports over the same gate and desk as the other tests."""

from tests.server.inference.conftest import gate, policies
from tests.server.review.conftest import ward

__all__ = ["gate", "policies", "ward"]
