"""A library that is made otherwise than the server expects is refused at the start, by name."""

from __future__ import annotations

import pytest
from attending.server import transport
from attending.server.errors import ConfigurationError
from grpc._cython import cygrpc


@pytest.mark.parametrize("part", [name for owner, name in transport._PARTS if owner is cygrpc])
async def test_another_library_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    transport.new_server([], [])
    monkeypatch.delattr(cygrpc, part)
    with pytest.raises(ConfigurationError) as caught:
        transport.new_server([], [])
    assert caught.value.reason == "GRPC_NOT_SUPPORTED"
    assert part in caught.value.problem
    assert "pip install" in caught.value.next_step
