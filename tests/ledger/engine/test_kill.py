"""kill -9 under load, many times over one folder, and a full disk: what was acknowledged is there."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from attending.ledger import checkpoint
from attending.ledger.ledger import Ledger, LedgerConfig
from attending.ledger.merkle import verify_consistency
from attending.ledger.note import VerifierKey
from attending.ledger.proof import verify_receipt
from attending.ledger.store.sqlite import SqliteStore
from attending.ledger.verify.segments import verify_chain

ROUNDS = 12
HERE = Path(__file__).parent


def kill_under_load(folder: Path, acks: Path, number: int, chance: random.Random) -> list[dict[str, Any]]:
    """Runs a writer, kills it once it has acknowledged some number of appends; what it acknowledged."""
    wanted = chance.choice([1, 5, 50, 300, 1000])
    with subprocess.Popen(
        [sys.executable, str(HERE / "kill_writer.py"), str(folder), str(acks), str(number)],
        stderr=subprocess.PIPE,
    ) as process:
        try:
            while not acks.exists() or acks.read_bytes().count(b"\n") < wanted:
                if process.poll() is not None:
                    pytest.fail(f"writer ended by itself: {process.stderr.read().decode()}")  # type: ignore[union-attr]
                time.sleep(0.002)
            time.sleep(chance.random() * 0.02)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    # The last line may be cut off in the middle: that acknowledgement was not given.
    complete = acks.read_bytes().rpartition(b"\n")[0]
    return [json.loads(line) for line in complete.split(b"\n")]


@pytest.mark.kill
async def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    chance = random.Random(9)
    before: dict[str, checkpoint.Checkpoint] = {}
    for number in range(ROUNDS):
        acknowledged = kill_under_load(folder, tmp_path / f"acks-{number}", number, chance)
        async with await Ledger.open(LedgerConfig(folder, publish_interval_seconds=3600)) as ledger:
            for line in acknowledged:
                found = await ledger.stream_entries(line["log"], line["stream"])
                assert [entry.index for entry in found] == [line["first"], line["first"] + 1]
            for line in chance.sample(acknowledged, min(20, len(acknowledged))):
                key = ledger.verifier_key(line["log"])
                found = await ledger.stream_entries(line["log"], line["stream"])
                for entry, receipt in zip(found, line["receipts"], strict=True):
                    head = verify_receipt(receipt, entry.data, [key])
                    size, root = await ledger.head(line["log"])
                    proof = await ledger.consistency_proof(line["log"], head.size, size)
                    verify_consistency(head.size, size, head.root, root, proof)
                text = await ledger.open_payload(line["log"], line["record"])
                assert text == f"text of {line['stream']}".encode()
            for log_id in ledger.logs():
                key_of = [VerifierKey.parse(ledger.verifier_key(log_id))]
                after = checkpoint.verify(await ledger.checkpoint(log_id), key_of)
                if log_id in before:  # the log only grew
                    old = before[log_id]
                    proof = await ledger.consistency_proof(log_id, old.size, after.size)
                    verify_consistency(old.size, after.size, old.root, after.root, proof)
                before[log_id] = after
    assert sum(head.size for head in before.values()) > 1000
    store = SqliteStore(folder / "ledger.db")
    for row, head_row in store.heads():
        stored = store.entries(row.log_id, 0, 10_000_000)
        frontier = verify_chain(stored, row.origin)
        assert (frontier.size, frontier.root()) == (head_row.size, head_row.root)
        assert frontier.size == before[row.log_id].size
        assert frontier.size % 2 == 0  # appends of two entries are never halved
    store.close()


@pytest.mark.kill
def test_a_full_disk_is_an_error_and_then_it_goes_on(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(HERE / "full_disk.py"), str(tmp_path / "ledger")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["lost"] == []
    assert seen["refused"] >= 60
    assert seen["readable_while_full"] is True
    assert seen["refused_after_room"] == []
    assert seen["size"] == seen["acknowledged"] + seen["stored_though_refused"]
