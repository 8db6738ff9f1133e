"""The desk of the review tests, with oversight over it."""

from tests.server.review.conftest import gate, policies, ward

__all__ = ["gate", "policies", "ward"]
