"""The gate and the desk of the other tests."""

from tests.server.inference.conftest import gate, policies
from tests.server.review.conftest import ward

__all__ = ["gate", "policies", "ward"]
