"""A client believes a result only on receipts of that very inference, under the key it was given elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from attending.client import Client, Connection, ReceiptError
from attending.client.calls import Calls
from attending.server.inference.outcome import Outcome
from attending.server.services.receipts import receipt_message
from attending.v1 import common_pb2, inference_pb2

from tests.server.inference.conftest import CALLER, TENANT, Gate, infer_call, key


@pytest.fixture
def client(gate: Gate, tmp_path: Path) -> Iterator[Client]:
    authority = tmp_path / "ca.pem"
    authority.write_bytes(b"")
    # Nothing is sent: the messages below are made from the gate's own ledger.
    with Client(Connection("localhost:1", authority, gate.ledger.verifier_key(TENANT))) as made:
        yield made


async def released(gate: Gate, name: str) -> Outcome:
    return await gate.pipeline.infer(CALLER, infer_call(), key(name))


async def message(gate: Gate, outcome: Outcome, *indexes: int | None) -> inference_pb2.InferenceResult:
    """A result that says `released` on the strength of the entries at `indexes`."""
    return inference_pb2.InferenceResult(
        inference_id=outcome.inference_id,
        state=common_pb2.INFERENCE_STATE_RELEASED,
        output="text",
        receipts=[
            await receipt_message(gate.ledger, TENANT, index) for index in indexes if index is not None
        ],
    )


async def test_a_release_with_its_receipts_is_believed(gate: Gate, client: Client) -> None:
    outcome = await released(gate, "a")
    result = client.verified(await message(gate, outcome, outcome.requested_index, outcome.decided_index))
    assert result.verified
    assert result.output == "text"


async def test_receipts_of_another_inference_or_of_no_release_are_not(gate: Gate, client: Client) -> None:
    first, second = await released(gate, "a"), await released(gate, "b")
    for indexes in (
        (),
        (first.requested_index,),
        (first.requested_index, second.decided_index),
        (second.requested_index, second.decided_index),
    ):
        with pytest.raises(ReceiptError):
            client.verified(await message(gate, first, *indexes))


async def test_a_changed_entry_is_not_believed_without_a_key_either(gate: Gate, tmp_path: Path) -> None:
    outcome = await released(gate, "a")
    wire = await message(gate, outcome, outcome.requested_index, outcome.decided_index)
    (tmp_path / "ca.pem").write_bytes(b"")
    with Client(Connection("localhost:1", tmp_path / "ca.pem", None)) as unpinned:
        assert not unpinned.verified(wire).verified
        wire.receipts[1].entry = wire.receipts[1].entry.replace(b"inference.released", b"inference.released ")
        with pytest.raises(ReceiptError):
            unpinned.verified(wire)


async def test_a_change_is_believed_only_on_entries_of_its_kind(gate: Gate, tmp_path: Path) -> None:
    """For every client of an officer or operator, with a pinned key and without."""
    outcome = await released(gate, "a")
    first = await receipt_message(gate.ledger, TENANT, outcome.requested_index)
    assert outcome.decided_index is not None
    last = await receipt_message(gate.ledger, TENANT, outcome.decided_index)
    (tmp_path / "ca.pem").write_bytes(b"")
    for log_key in (gate.ledger.verifier_key(TENANT), None):
        with Calls(Connection("localhost:1", tmp_path / "ca.pem", log_key)) as calls:
            calls._check([first, last], "inference.requested", "inference.released")
            calls._check([first, first], "inference.requested")
            for receipts, kinds in (
                ([last, first], ("inference.requested", "inference.released")),
                ([first, last], ("inference.requested",)),
                ([first], ("system.halted",)),
                ([common_pb2.Receipt(entry=b"{}")], ("inference.requested",)),
            ):
                with pytest.raises(ReceiptError):
                    calls._check(receipts, *kinds)
    other = "attending.test/other+" + gate.ledger.verifier_key(TENANT).partition("+")[2]
    with Calls(Connection("localhost:1", tmp_path / "ca.pem", other)) as calls, pytest.raises(ReceiptError):
        calls._check([first], "inference.requested")
