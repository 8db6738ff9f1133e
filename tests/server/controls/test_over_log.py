"""The matrix over a log that is served: what it may remember is bounded, and that is said."""

from __future__ import annotations

import pytest
from attending.server.controls import over_log
from attending.server.controls.over_log import LogControls
from attending.server.errors import FailedPrecondition

from tests.server.inference.conftest import CALLER, TENANT, infer_call, key
from tests.server.review.conftest import Ward, gate, policies, ward

__all__ = ["gate", "policies", "ward"]


async def test_a_log_of_which_too_much_would_be_remembered_is_refused_and_the_next_one_has_its_turn(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        await ward.gate.pipeline.infer(CALLER, infer_call(), key(f"k-{number}"))
    controls = LogControls(ward.gate.ledger)
    size, _root = await ward.gate.ledger.head(TENANT)
    with monkeypatch.context() as patch:
        patch.setattr(over_log, "MOST_KEPT", 2)
        with pytest.raises(FailedPrecondition) as caught:
            [one async for one in controls.evaluate(TENANT, 0, size)]
        assert (caught.value.reason, caught.value.metadata) == ("TOO_MUCH_TO_EVALUATE", {"most_kept": "2"})
    *_told, results = [one async for one in controls.evaluate(TENANT, 0, size)]
    assert len(results) == len(list(over_log.shipped_matrix()))
