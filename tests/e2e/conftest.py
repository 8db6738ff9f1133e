"""One server for the tests that do not kill it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from attending.server.demo.server import REPLAY

from tests.e2e.server_process import ServerProcess


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("e2e")
    process = ServerProcess(folder / "data", Path(REPLAY))
    process.start()
    yield process
    assert process.stop() == 0
