"""A process that erases a person of three pseudonyms and is killed by itself at a chosen moment.

    python kill_eraser.py FOLDER MOMENT

Prints the pseudonyms and a record before it begins.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from pathlib import Path

from attending.ledger.custody import door
from attending.ledger.custody.reads import Order
from attending.ledger.custody.state import ErasureReason
from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.keys import KeyFolder
from attending.ledger.ledger import Ledger, LedgerConfig
from attending.ledger.store.sqlite import SqliteStore

LOG = "clinic"
KILL_AT_KEY = {"before-first-key": 1, "between-keys": 2}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(folder: Path, moment: str) -> None:
    ledger = await Ledger.open(LedgerConfig(folder, publish_interval_seconds=3600))
    await ledger.create_log(LOG, "attending.test/clinic")
    names = [await ledger.pseudonym(LOG, f"MRN {number}") for number in range(3)]
    for one, two in itertools.pairwise(names):
        await ledger.custody.link(LOG, one, two, Order())
    for name in names:
        payloads = (Payload("prompt", b"x"), Payload("output", b"y"))
        pending = PendingEntry("inference.requested", f"inf-{name}", "app:k", name, {}, payloads)
        appended = await ledger.append(LOG, [pending])
    print(*names, appended.commitments[0][0].record, flush=True)
    destroyed, commits = [0], [0]
    destroy, commit = KeyFolder.destroy, SqliteStore.commit

    def counted_destroy(self: KeyFolder, log_id: str, subject: str) -> bool:
        destroyed[0] += 1
        if destroyed[0] == KILL_AT_KEY.get(moment):
            die()
        return destroy(self, log_id, subject)

    def counted_commit(self: SqliteStore) -> None:
        commits[0] += 1
        # The first is the certificates', the others remove rows.
        if commits[0] == {"after-keys": 2, "between-rows": 3}.get(moment):
            die()
        commit(self)

    KeyFolder.destroy = counted_destroy  # type: ignore[method-assign]
    SqliteStore.commit = counted_commit  # type: ignore[method-assign]
    door.SWEEP = 2  # type: ignore[misc]
    await ledger.custody.erase(LOG, names[1], ErasureReason.TEST_DATA, Order())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
