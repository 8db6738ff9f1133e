"""The servers that are attacked: in the process of the test, and a configured one in a process of its own."""

from tests.e2e.conftest import early_lease, hospital, lying_provider, opened_hospital
from tests.server.conftest import start_server

__all__ = ["early_lease", "hospital", "lying_provider", "opened_hospital", "start_server"]
