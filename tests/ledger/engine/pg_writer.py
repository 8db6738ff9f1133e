"""One of several processes that append to the same logs of one PostgreSQL database until told to stop.

    python pg_writer.py CONNINFO FOLDER ACKS NAME SECONDS

Each line of ACKS is written, unbuffered, after `append` returned. At the end one JSON object says what went wrong.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.errors import ExpectationFailed, LedgerError
from attending.ledger.ledger import Expectation, Ledger, LedgerConfig

WRITERS = 64
LOGS = ("clinic", "system")


async def main(conninfo: str, folder: Path, acks: Path, name: str, seconds: float) -> None:
    config = LedgerConfig(folder, database=conninfo, publish_interval_seconds=0.05)
    ledger = await Ledger.open(config)
    for log_id in LOGS:
        await ledger.create_log(log_id, f"attending.test/{log_id}")
    subjects = await asyncio.gather(*(ledger.pseudonym("clinic", f"MRN {n}") for n in range(8)))
    out = os.open(acks, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    errors: list[str] = []
    lost_races = 0
    until = time.monotonic() + seconds

    async def contend(turn: int) -> None:
        """Both processes move one stream: exactly one of two appends at a version wins."""
        nonlocal lost_races
        stream = f"shared-{turn % 3}"
        version = await ledger.stream_version("clinic", stream)
        entry = PendingEntry("inference.requested", stream, "app:k", None, {"by": name})
        try:
            await ledger.append("clinic", [entry], expect=[Expectation(stream, version)])
        except ExpectationFailed:
            lost_races += 1

    async def worker(task: int) -> None:
        turn = 0
        while time.monotonic() < until:
            turn += 1
            log_id = LOGS[(task + turn) % 2]
            stream = f"{name}-{task}-{turn}"
            subject = subjects[task % 8] if log_id == "clinic" else None
            entries = [
                PendingEntry("inference.generated", stream, "app:k", subject, {"n": turn}, (
                    Payload("output", f"text of {stream}".encode()),)),
                PendingEntry("inference.released", stream, "app:k", subject, {"n": turn}),
            ]  # fmt: skip
            try:
                appended = await ledger.append(log_id, entries, expect=[Expectation(stream, 0)])
                if task == 0:
                    await contend(turn)
                if task == 1:  # a receipt of whatever is newest, also of the other process
                    size, _root = await ledger.head(log_id)
                    await ledger.receipt(log_id, size - 1)
            except LedgerError as err:
                errors.append(err.reason)
                continue
            line = {
                "log": log_id,
                "stream": stream,
                "first": appended.first_index,
                "record": appended.commitments[0][0].record,
                "receipt": appended.receipt(1),
            }
            os.write(out, json.dumps(line).encode() + b"\n")

    await asyncio.gather(*(worker(task) for task in range(WRITERS)))
    halted = [log_id for log_id in LOGS if ledger.halted(log_id)]
    await ledger.close()
    print(
        json.dumps({"errors": errors, "halted": halted, "subjects": subjects, "lost_races": lost_races}),
        flush=True,
    )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4], float(sys.argv[5])))
