"""LedgerService over real TLS: entries, receipts and proofs verify; an application sees only its own."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from attending.client.errors import AttendingApiError, translate
from attending.ledger.entry import PendingEntry, parse_entry
from attending.ledger.merkle import verify_consistency, verify_inclusion
from attending.ledger.proof import verify_receipt
from attending.server.services.ledger import build
from attending.v1 import common_pb2, ledger_pb2, ledger_pb2_grpc

COUNT = 700


def entry(stream: str, actor: str, number: int = 0) -> PendingEntry:
    return PendingEntry("inference.requested", stream, actor, None, {"number": number})


@pytest.fixture(scope="module")
def server(start_server: Any) -> Any:
    running = start_server(components=[build])
    ledger = running.app.ledger

    async def fill() -> None:
        await ledger.append(
            "demo", [entry("inf_mine", "app:demo-app"), entry("inf_other", "app:another-app")]
        )
        await ledger.append("demo", [entry(f"inf_{n}", "app:another-app", n) for n in range(COUNT)])
        await ledger.append("demo", [entry("inf_mine", "human:dr-rivera", n) for n in range(5)])
        await ledger.publish("demo")

    running.run(fill())
    return running


def stub(server: Any, identity: str) -> Any:
    return ledger_pb2_grpc.LedgerServiceStub(server.channel(identity))


@pytest.fixture(scope="module")
def auditor(server: Any) -> Any:
    return stub(server, "demo-auditor")


@pytest.fixture(scope="module")
def application(server: Any) -> Any:
    return stub(server, "demo-app")


def failure(method: Any, request: Any) -> AttendingApiError:
    with pytest.raises(grpc.RpcError) as caught:
        method(request, timeout=30)
    return translate(caught.value)


def size(server: Any) -> int:
    return int(server.run(server.app.ledger.head("demo"))[0])


def test_an_entry_as_stored(auditor: Any) -> None:
    found = auditor.GetEntry(ledger_pb2.GetEntryRequest(index=1), timeout=30).entry
    parsed = parse_entry(found.data)
    assert (found.index, parsed.stream, found.leaf_hash) == (1, "inf_other", parsed.leaf_hash)


@pytest.mark.parametrize("level", [common_pb2.DURABILITY_INTEGRATED, common_pb2.DURABILITY_PUBLISHED])
def test_a_receipt_verifies_under_the_pinned_key(server: Any, auditor: Any, level: Any) -> None:
    request = ledger_pb2.GetReceiptRequest(index=3, level=level)
    receipt = auditor.GetReceipt(request, timeout=30).receipt
    pinned = server.ready.endpoint["log_keys"]["demo"]
    checkpoint = verify_receipt(receipt.tlog_proof, receipt.entry, [pinned])
    assert checkpoint.origin == receipt.origin
    expected = "published" if level == common_pb2.DURABILITY_PUBLISHED else "integrated"
    assert (receipt.index, receipt.level) == (3, expected)


def test_proofs_verify(auditor: Any, server: Any) -> None:
    total = size(server)
    root = server.run(server.app.ledger.head("demo"))[1]
    leaf = auditor.GetEntry(ledger_pb2.GetEntryRequest(index=300), timeout=30).entry.leaf_hash
    request = ledger_pb2.GetInclusionProofRequest(index=300, tree_size=total)
    verify_inclusion(leaf, 300, total, list(auditor.GetInclusionProof(request, timeout=30).hashes), root)
    both = ledger_pb2.GetConsistencyProofRequest(size1=total, size2=total)
    verify_consistency(total, total, root, root, list(auditor.GetConsistencyProof(both, timeout=30).hashes))


@pytest.mark.parametrize(
    ("method", "request_message", "reason"),
    [
        ("GetEntry", ledger_pb2.GetEntryRequest(index=10**9), "OUT_OF_RANGE"),
        ("GetEntry", ledger_pb2.GetEntryRequest(index=2**63), "INVALID_REQUEST"),
        ("GetReceipt", ledger_pb2.GetReceiptRequest(index=10**9), "OUT_OF_RANGE"),
        ("GetInclusionProof", ledger_pb2.GetInclusionProofRequest(index=5, tree_size=5), "OUT_OF_RANGE"),
        ("GetInclusionProof", ledger_pb2.GetInclusionProofRequest(index=0, tree_size=10**9), "OUT_OF_RANGE"),
        ("GetConsistencyProof", ledger_pb2.GetConsistencyProofRequest(size1=5, size2=4), "OUT_OF_RANGE"),
        (
            "GetConsistencyProof",
            ledger_pb2.GetConsistencyProofRequest(size1=2**60, size2=4),
            "INVALID_REQUEST",
        ),
        ("ListEntries", ledger_pb2.ListEntriesRequest(page_size=1001), "INVALID_REQUEST"),
        ("ListEntries", ledger_pb2.ListEntriesRequest(page_token="next please"), "INVALID_REQUEST"),
        ("ListEntries", ledger_pb2.ListEntriesRequest(page_token="9" * 40), "INVALID_REQUEST"),
        ("ListEntries", ledger_pb2.ListEntriesRequest(inference_id="inf_none"), "UNKNOWN_INFERENCE"),
        (
            "ListEntries",
            ledger_pb2.ListEntriesRequest(inference_id="inf_mine", start_index=1),
            "INVALID_REQUEST",
        ),
    ],
)
def test_requests_that_cannot_be_answered(
    auditor: Any, method: str, request_message: Any, reason: str
) -> None:
    assert failure(getattr(auditor, method), request_message).reason == reason


def test_every_entry_is_listed_once_whatever_the_page_size(server: Any, auditor: Any) -> None:
    for page_size in (0, 1000, 333):
        found, token = [], ""
        while True:
            request = ledger_pb2.ListEntriesRequest(page_size=page_size, page_token=token)
            page = auditor.ListEntries(request, timeout=30)
            found += [one.index for one in page.entries]
            token = page.next_page_token
            if not token:
                break
        assert found == list(range(page.tree_size))
        assert len(found) >= COUNT + 7


def test_the_entries_of_one_inference(auditor: Any) -> None:
    request = ledger_pb2.ListEntriesRequest(inference_id="inf_mine", page_size=4)
    first = auditor.ListEntries(request, timeout=30)
    request.page_token = first.next_page_token
    second = auditor.ListEntries(request, timeout=30)
    streams = {parse_entry(one.data).stream for one in [*first.entries, *second.entries]}
    assert streams == {"inf_mine"}
    assert (len(first.entries), len(second.entries), second.next_page_token) == (4, 2, "")


def test_large_entries_make_short_pages(server: Any, auditor: Any) -> None:
    before = size(server)
    large = [
        PendingEntry("inference.requested", f"inf_large_{n}", "app:demo-app", None, {"pad": "x" * 60_000})
        for n in range(80)
    ]
    server.run(server.app.ledger.append("demo", large))
    found, token = [], str(before)
    while token:
        request = ledger_pb2.ListEntriesRequest(page_size=1000, page_token=token)
        page = auditor.ListEntries(request, timeout=30)
        assert page.ByteSize() < 4 * 1024 * 1024
        found += [one.index for one in page.entries]
        token = page.next_page_token
    assert found == list(range(before, before + 80))


def test_an_application_reads_receipts_of_its_own_inferences_only(application: Any) -> None:
    assert application.GetReceipt(ledger_pb2.GetReceiptRequest(index=0), timeout=30).receipt.index == 0
    # An entry that a clinician added to the application's inference is part of it.
    mine = application.GetReceipt(ledger_pb2.GetReceiptRequest(index=COUNT + 3), timeout=30).receipt
    assert parse_entry(mine.entry).stream == "inf_mine"
    other = failure(application.GetReceipt, ledger_pb2.GetReceiptRequest(index=1))
    assert (other.code, other.reason) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_ENTRY")


def test_checkpoints_of_both_levels(server: Any, auditor: Any) -> None:
    pinned = server.ready.endpoint["log_keys"]["demo"]
    for level in (common_pb2.DURABILITY_UNSPECIFIED, common_pb2.DURABILITY_PUBLISHED):
        answer = auditor.GetCheckpoint(ledger_pb2.GetCheckpointRequest(level=level), timeout=30)
        assert answer.verifier_key == pinned
        assert answer.checkpoint.startswith("attending.local/demo-")
