from __future__ import annotations

from tests.server.review.conftest import gate, policies, ward

__all__ = ["gate", "policies", "ward"]
