"""A process that writes one short ledger for each case, under the shim, with one fault in its system calls.

    LD_PRELOAD=shim.so FAULT_FOLDER=BASE python syscall_writer.py CASES

CASES is a file with a JSON list of {folder, acks, result, log, fault, unsafe}; each case runs in a child of its own,
so that a fault may kill it. The child appends until everything is acknowledged, asking again while the ledger says
that it is unavailable, and writes one line to `acks` for everything that it was told. Any other error than those that
the ledger documents ends it with status 70.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.errors import CorruptLog, ExpectationFailed, LedgerError, StoreUnavailable
from attending.ledger.ledger import Claim, Expectation, Ledger, LedgerConfig
from attending.ledger.store import sqlite

T = TypeVar("T")
LOG, ORIGIN = "clinic", "attending.test/clinic"
APPENDS = 6
TRIES = 20
SHIM = ctypes.CDLL(None)


class Writer:
    """One case."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.folder = Path(case["folder"])
        self.acks = os.open(case["acks"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.refused = 0

    def acknowledge(self, **line: Any) -> None:
        text = json.dumps(line)
        SHIM.fault_mark(text.encode())
        os.write(self.acks, text.encode() + b"\n")

    async def settle(self, call: Callable[..., Awaitable[T]], *arguments: Any, **more: Any) -> T:
        """The result of a call that is made again while the store is unavailable."""
        for _ in range(TRIES):
            try:
                return await call(*arguments, **more)
            except StoreUnavailable:
                self.refused += 1
        return await call(*arguments, **more)

    async def open(self) -> Ledger:
        for _ in range(TRIES):
            try:
                return await Ledger.open(LedgerConfig(self.folder, publish_interval_seconds=3600.0))
            except (StoreUnavailable, OSError):
                self.refused += 1
        return await Ledger.open(LedgerConfig(self.folder, publish_interval_seconds=3600.0))

    async def append(self, ledger: Ledger, number: int, subject: str | None) -> None:
        stream, text = f"stream-{number}", f"text {number} " * (2_000 if number == 3 else 1)
        entries = [
            PendingEntry(
                "feedback.recorded", stream, "app:t", subject, {"n": n}, (Payload("note", text.encode()),)
            )
            for n in range(1 + number % 3)
        ]
        try:
            appended = await self.settle(
                ledger.append,
                LOG,
                entries,
                expect=[Expectation(stream, 0)],
                claim=Claim(stream, b"f" * 32, stream),
            )
        except ExpectationFailed as err:
            if err.actual != len(entries):
                raise AssertionError("half of an append was stored") from err
            self.acknowledge(kind="found", stream=stream, count=err.actual)
            return
        self.acknowledge(
            kind="append",
            stream=stream,
            first=appended.first_index,
            data=[item.decode() for item in appended.data],
            receipts=[appended.receipt(n) for n in range(len(entries))],
            records=[item.record for items in appended.commitments for item in items],
            text=text,
            subject=subject,
        )

    async def publish(self, ledger: Ledger) -> None:
        for _ in range(TRIES):
            note = await ledger.publish(LOG)
            if note is not None:
                self.acknowledge(kind="published", note=note)
                return
            self.refused += 1
        raise AssertionError("publication never came to an end")

    async def run(self) -> None:
        ledger = await self.open()
        await self.settle(ledger.create_log, LOG, ORIGIN)
        self.acknowledge(kind="log", vkey=ledger.verifier_key(LOG))
        for number in range(APPENDS):
            subject = None
            if number in {2, 3}:
                subject = await self.settle(ledger.pseudonym, LOG, f"MRN {number}")
                self.acknowledge(kind="named", pseudonym=subject, identifier=f"MRN {number}")
            await self.append(ledger, number, subject)
            if number in {1, 4}:
                await self.publish(ledger)
            if number == 3 and subject is not None:
                await self.settle(ledger.erase_subject, LOG, subject)
                self.acknowledge(kind="erased", subject=subject)
        await ledger.close()
        ledger = await self.open()
        await self.append(ledger, APPENDS, None)
        await ledger.close()


def child(case: dict[str, Any]) -> int:
    # A small write-ahead log, so that its checkpoints (which sync the database file) fall into the run.
    sqlite._CHECKPOINT_PAGES = 12  # type: ignore[misc]
    if case.get("unsafe"):  # to see that the tests see it: commits that are not synced
        sqlite._SAFE_SYNCHRONOUS = {1: "NORMAL"}  # type: ignore[misc]
        sqlite.SqliteStore.__init__.__kwdefaults__["synchronous"] = "NORMAL"  # type: ignore[index]
    writer = Writer(case)
    if case.get("log") and SHIM.fault_log(case["log"].encode()):
        raise OSError("log of the calls cannot be written")
    fault = case["fault"]
    SHIM.fault_arm(
        *(ctypes.c_int(fault["class"]), ctypes.c_long(fault["first"]), ctypes.c_long(fault["times"])),
        *(ctypes.c_int(fault["action"]), ctypes.c_int(fault["errno"]), ctypes.c_long(fault["bytes"])),
    )
    status, error = 0, ""
    try:
        asyncio.run(writer.run())
    except (LedgerError, CorruptLog):
        status, error = 69, traceback.format_exc()
    except BaseException:
        status, error = 70, traceback.format_exc()
    SHIM.fault_disarm()
    result = {"fired": SHIM.fault_fired(), "counted": SHIM.fault_counted(), "refused": writer.refused}
    Path(case["result"]).write_text(
        json.dumps({**result, "status": status, "error": error}), encoding="utf-8"
    )
    return status


def main(cases: Path) -> None:
    for case in json.loads(cases.read_text(encoding="utf-8")):
        pid = os.fork()
        if pid == 0:
            status = 71
            try:
                status = child(case)
            finally:
                os._exit(status)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
