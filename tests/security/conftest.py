"""The servers that are attacked: one in the process of the test, started as those of tests/server are."""

from tests.server.conftest import start_server

__all__ = ["start_server"]
