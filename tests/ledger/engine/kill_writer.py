"""A process that appends as hard as it can until it is killed, and notes down what was acknowledged.

    python kill_writer.py FOLDER ACKS ROUND

Each line of ACKS is written, unbuffered, after `append` returned: what it says, the caller was told. A kill
does not take bytes that the operating system has; only a power cut could, and it is not tested here.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.errors import DuplicateClaim
from attending.ledger.ledger import Claim, Expectation, Ledger, LedgerConfig

TASKS = 64
LOGS = ("clinic", "system")


async def main(folder: Path, acks: Path, number: int) -> None:
    ledger = await Ledger.open(LedgerConfig(folder, publish_interval_seconds=0.02))
    for log_id in LOGS:
        await ledger.create_log(log_id, f"attending.test/{log_id}")
    subjects = [await ledger.pseudonym("clinic", f"MRN {n}") for n in range(4)]
    out = os.open(acks, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    async def worker(task: int) -> None:
        turn = 0
        while True:
            turn += 1
            log_id = LOGS[(task + turn) % 2]
            stream = f"{number}-{task}-{turn}"
            subject = subjects[task % 4] if log_id == "clinic" else None
            text = f"text of {stream}".encode()
            entries = [
                PendingEntry(
                    "inference.generated", stream, "app:k", subject, {"n": turn}, (Payload("output", text),)
                ),
                PendingEntry("inference.released", stream, "app:k", subject, {"n": turn, "fill": "x" * 300}),
            ]
            try:
                appended = await ledger.append(
                    log_id,
                    entries,
                    expect=[Expectation(stream, 0)],
                    claim=Claim(f"{task}-{turn}", b"f" * 32, stream),
                )
            except DuplicateClaim:  # an earlier process of this test claimed it: durable then, too
                continue
            line = {
                "log": log_id,
                "stream": stream,
                "first": appended.first_index,
                "record": appended.commitments[0][0].record,
                "receipts": [appended.receipt(0), appended.receipt(1)],
            }
            os.write(out, json.dumps(line).encode() + b"\n")

    await asyncio.gather(*(worker(task) for task in range(TASKS)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
