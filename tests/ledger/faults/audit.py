"""The end of every fault test: all that was shown, verified by a process that shares nothing with the writer.

A full bundle is exported from the stored bytes, and the offline verifier runs over it with the log's key and with
every head that was ever shown pinned: it fails when one of them is not a prefix of the log as it is.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from attending.ledger.errors import SubjectErased
from attending.ledger.ledger import Appended, Ledger
from attending.ledger.proof import verify_receipt
from attending.ledger.store.port import Store
from attending.ledger.verify import Disclosed, Erased, Scope, write_bundle

CREATED = datetime(2026, 11, 26, tzinfo=UTC)


@dataclass
class Shown:
    """What callers were shown of one log: it must hold for ever."""

    heads: set[str] = field(default_factory=set)
    receipts: list[tuple[str, bytes]] = field(default_factory=list)
    entries: dict[int, bytes] = field(default_factory=dict)
    records: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Vault record to (kind, content)."""

    def append(self, appended: Appended, contents: Sequence[Sequence[bytes]] = ()) -> None:
        """Notes down an acknowledged append and the contents of its payloads."""
        for number, data in enumerate(appended.data):
            index = appended.first_index + number
            assert self.entries.setdefault(index, data) == data, "one index was acknowledged twice"
            self.receipts.append((appended.receipt(number), data))
        for commitments, texts in zip(appended.commitments, contents, strict=False):
            for item, text in zip(commitments, texts, strict=True):
                self.records[item.record] = (item.kind, text)
        self.heads.add(appended.checkpoint)


async def audit(ledger: Ledger, store: Store, log_id: str, shown: Shown, folder: Path) -> None:
    """Asserts that all of `shown` is there and that the whole log verifies in a clean process."""
    size, _ = await ledger.head(log_id)
    stored = store.entries(log_id, 0, size + 1)
    assert len(stored) == size
    for index, data in shown.entries.items():
        assert stored[index] == data, f"acknowledged entry {index} is not there"
    vkey = ledger.verifier_key(log_id)
    for receipt, data in shown.receipts:
        verify_receipt(receipt, data, [vkey])
    payloads: list[Disclosed | Erased] = []
    for record, (kind, text) in shown.records.items():
        try:
            salt, content = await ledger.disclose_payload(log_id, record)
        except SubjectErased:
            payloads.append(Erased(record, kind))
        else:
            assert content == text
            payloads.append(Disclosed(record, kind, salt, content))
    note = await ledger.checkpoint(log_id)

    bundle = folder / f"{log_id}.attending"
    write_bundle(
        bundle,
        origin=ledger.origin(log_id),
        scope=Scope.FULL,
        begin=0,
        end=size,
        entries=stored,
        checkpoint_note=note,
        sign=lambda text: ledger.sign_note(log_id, text, size),
        created=CREATED,
        payloads=payloads,
    )
    report = verify_in_clean_process(bundle, vkey, shown.heads, folder)
    assert report["verdict"] == "passed", [item for item in report["results"] if item["status"] == "failed"]


def verify_in_clean_process(bundle: Path, vkey: str, heads: Collection[str], folder: Path) -> dict[str, Any]:
    """The offline verifier's report over a bundle, with `heads` pinned."""
    arguments = [str(bundle), "--key", vkey, "--json"]
    for number, head in enumerate(sorted(heads)):
        path = folder / f"pinned-{number}"
        path.write_text(head, encoding="utf-8")
        arguments += ["--pinned", str(path)]
    verifier = _verifier()
    assert verifier.stdin is not None
    assert verifier.stdout is not None
    verifier.stdin.write(json.dumps(arguments) + "\n")
    verifier.stdin.flush()
    done = json.loads(verifier.stdout.readline())
    assert done["code"] in (0, 1, 3), done
    report: dict[str, Any] = json.loads(done["out"])
    return report


@cache
def _verifier() -> subprocess.Popen[str]:
    """One for all audits of this test process: it ends when its standard input does. A start for each would take
    longer than all else that an audit does.
    """
    script = Path(__file__).with_name("verify_bundles.py")
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, str(script)], stdin=pipe, stdout=pipe, text=True)
