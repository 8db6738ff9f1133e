"""Fixtures of the gate's and the desk's own tests, for the services over them."""

from tests.server.inference.conftest import gate, policies
from tests.server.review.conftest import ward

__all__ = ["gate", "policies", "ward"]
