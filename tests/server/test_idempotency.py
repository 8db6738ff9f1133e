"""A repeated call finds its first answer, also when the key under which it was claimed was rotated in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attending.ledger.claim_keys import ClaimKeys
from attending.ledger.custody.reads import Order
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import ClaimStale, DuplicateClaim
from attending.ledger.ledger import Ledger
from attending.ledger.opening import LedgerConfig
from attending.server.errors import AlreadyExists, InvalidRequest
from attending.server.idempotency import answered, claimed, once, once_under
from attending.v1 import examination_pb2, keys_pb2

LOG = "clinic"
ENTRY = PendingEntry("feedback.recorded", "f", "app:a", None, {})


def request(subject: str = "") -> keys_pb2.RotateKeyRequest:
    return keys_pb2.RotateKeyRequest(idempotency_key="k", subject=subject)


async def test_a_call_claimed_under_a_key_that_was_rotated_is_found(tmp_path: Path) -> None:
    now = [datetime(2026, 11, 27, tzinfo=UTC)]
    config = LedgerConfig(tmp_path, publish_interval_seconds=3600)
    async with await Ledger.open(config, clock=lambda: now[0]) as ledger:
        await ledger.create_log(LOG, "clinic.example/log")
        first = await once(ledger, LOG, "app", "k", request())
        await ledger.append(LOG, [ENTRY], claim=first.claim("s"))
        await ledger.rotation.rotate(LOG, "fingerprint", Order("o"), delay=timedelta(minutes=5))
        late = await once(ledger, LOG, "app", "late", request())
        now[0] += timedelta(minutes=6)

        again = await once(ledger, LOG, "app", "k", request())
        assert again.key != first.key
        assert await answered(ledger, LOG, again) == (0,)
        assert await claimed(ledger, LOG, again) == "s"
        with pytest.raises(AlreadyExists) as reused:
            await answered(ledger, LOG, await once(ledger, LOG, "app", "k", request("another body")))
        assert reused.value.reason == "IDEMPOTENCY_KEY_REUSED"
        assert await answered(ledger, LOG, await once(ledger, LOG, "other", "k", request())) is None
        with pytest.raises(DuplicateClaim):  # whoever did not look first
            await ledger.append(LOG, [ENTRY], claim=again.claim("s"))
        with pytest.raises(ClaimStale):  # begun before the switch, appended after it
            await ledger.append(LOG, [ENTRY], claim=late.claim("s"))
        await ledger.append(
            LOG, [ENTRY], claim=(await once(ledger, LOG, "app", "late", request())).claim("s")
        )
        assert (await ledger.head(LOG))[0] == 3


def test_a_request_that_cannot_be_written_down_is_malformed() -> None:
    line = examination_pb2.ExceptionLine(kind="erasure", entry_index=1)
    line.time.seconds = 2**62
    request = examination_pb2.DisposeExceptionsRequest(idempotency_key="k", lines=[line])
    keys = ClaimKeys(1, b"k" * 32, ())
    with pytest.raises(InvalidRequest) as caught:
        once_under(keys, "ada", "k", request)
    assert caught.value.field_violations[0][0] == "request"
