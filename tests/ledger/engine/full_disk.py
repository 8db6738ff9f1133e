"""A process whose files may not grow: appends until the store is full, is given room, and goes on.

    python full_disk.py FOLDER

The limit is RLIMIT_FSIZE, which needs no privilege and makes real writes fail inside SQLite. Prints one JSON
object with what was observed.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from pathlib import Path

from attending.ledger.entry import PendingEntry
from attending.ledger.errors import StoreUnavailable
from attending.ledger.ledger import Ledger, LedgerConfig
from attending.ledger.proof import verify_receipt

LOG = "clinic"


def pending(stream: str) -> PendingEntry:
    return PendingEntry("inference.requested", stream, "app:full", None, {"fill": "x" * 2000})


async def main(folder: Path) -> None:
    ledger = await Ledger.open(LedgerConfig(folder, publish_interval_seconds=3600))
    await ledger.create_log(LOG, "attending.test/clinic")
    acknowledged: dict[str, tuple[bytes, str]] = {}
    refused: list[str] = []

    async def one(stream: str) -> None:
        try:
            appended = await ledger.append(LOG, [pending(stream)])
        except StoreUnavailable:
            refused.append(stream)
        else:
            acknowledged[stream] = (appended.data[0], appended.receipt())

    await asyncio.gather(*(one(f"before-{n}") for n in range(50)))
    largest = max(path.stat().st_size for path in folder.glob("ledger.db*"))
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 300_000, hard))
    turn = 0
    while len(refused) < 60:
        turn += 1
        await asyncio.gather(*(one(f"full-{turn}-{n}") for n in range(20)))
    during = len(acknowledged)
    readable = (await ledger.get_entry(LOG, 0)).index == 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await asyncio.gather(*(one(f"after-{n}") for n in range(50)))
    refused_at_last = [stream for stream in refused if stream.startswith("after")]
    await ledger.close()

    ledger = await Ledger.open(folder)
    key = ledger.verifier_key(LOG)
    lost = []
    for stream, (data, receipt) in acknowledged.items():
        verify_receipt(receipt, data, [key])
        if [entry.data for entry in await ledger.stream_entries(LOG, stream)] != [data]:
            lost.append(stream)
    present = [stream for stream in refused if await ledger.stream_version(LOG, stream)]
    size = await ledger.verify(LOG)
    await ledger.close()
    print(
        json.dumps(
            {
                "acknowledged": len(acknowledged),
                "acknowledged_while_full": during - 50,
                "lost": lost,
                "readable_while_full": readable,
                "refused": len(refused),
                "refused_after_room": refused_at_last,
                "size": size,
                "stored_though_refused": len(present),
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
