"""A clean process that opens ledger folders after a fault and compares them with what was acknowledged.

    python check_folders.py CASES

CASES is a file with a JSON list of {folder, acks}: `acks` is a file of lines as `syscall_writer` writes them. For each
folder: everything acknowledged is there, receipts verify, payloads open, what was erased stays erased, every head
shown is a prefix, the whole log verifies, and it goes on. Prints a JSON list with the problem of each, or null.
"""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
from pathlib import Path
from typing import Any

from attending.ledger import checkpoint
from attending.ledger.custody.state import stream_of
from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.errors import SubjectErased
from attending.ledger.ledger import Claim, Ledger, LedgerConfig
from attending.ledger.merkle import verify_consistency
from attending.ledger.note import VerifierKey
from attending.ledger.proof import verify_receipt

LOG, ORIGIN = "clinic", "attending.test/clinic"


def read_acks(path: Path) -> list[dict[str, Any]]:
    """The lines; a last one that is cut off was not said."""
    complete = path.read_bytes().rpartition(b"\n")[0] if path.exists() else b""
    return [json.loads(line) for line in complete.split(b"\n") if line]


async def check(folder: Path, acks: list[dict[str, Any]]) -> None:
    """Raises whatever is wrong."""
    async with await Ledger.open(LedgerConfig(folder, publish_interval_seconds=3600.0)) as ledger:
        if not acks and LOG not in ledger.logs():
            await ledger.create_log(LOG, ORIGIN)  # nothing was promised; it begins anew
        erased = {line["subject"] for line in acks if line["kind"] == "erased"}
        vkey = ledger.verifier_key(LOG)
        size, root = await ledger.head(LOG)
        for line in acks:
            if line["kind"] == "log":
                assert line["vkey"] == vkey, "the log has another key"
            elif line["kind"] == "found":
                assert await ledger.stream_version(LOG, line["stream"]) == line["count"]
            elif line["kind"] == "append":
                await check_append(ledger, line, vkey, size, root, erased)
            elif line["kind"] == "published":
                head = checkpoint.verify(line["note"], [VerifierKey.parse(vkey)])
                proof = await ledger.consistency_proof(LOG, head.size, size)
                verify_consistency(head.size, size, head.root, root, proof)
                outside = (folder / "published" / f"{LOG}.checkpoint").read_text(encoding="utf-8")
                assert checkpoint.verify(outside, [VerifierKey.parse(vkey)]).size >= head.size
            elif line["kind"] == "named":
                same = await ledger.pseudonym(LOG, line["identifier"]) == line["pseudonym"]
                # An erasure that was not acknowledged may stand all the same.
                assert same or await erasures(ledger, line["pseudonym"]) == 1
                assert not same or line["pseudonym"] not in erased
        assert await ledger.verify(LOG) == size
        subject = await ledger.pseudonym(LOG, "MRN after")
        note = Payload("note", b"after")
        entry = PendingEntry("feedback.recorded", "after", "app:t", subject, {}, (note,))
        appended = await ledger.append(LOG, [entry], claim=Claim("after", b"f", "after"))
        assert appended.first_index == size
        assert await ledger.open_payload(LOG, appended.commitments[0][0].record) == b"after"
        assert await ledger.publish(LOG) == appended.checkpoint
        assert await ledger.verify(LOG) == size + 1


async def check_append(
    ledger: Ledger, line: dict[str, Any], vkey: str, size: int, root: bytes, erased: set[str]
) -> None:
    data = [item.encode() for item in line["data"]]
    found = await ledger.stream_entries(LOG, line["stream"])
    assert [entry.data for entry in found] == data, "an acknowledged append is not there"
    for item, receipt in zip(data, line["receipts"], strict=True):
        head = verify_receipt(receipt, item, [vkey])
        proof = await ledger.consistency_proof(LOG, head.size, size)
        verify_consistency(head.size, size, head.root, root, proof)
    for record in line["records"]:
        try:
            assert await ledger.open_payload(LOG, record) == line["text"].encode()
            assert line["subject"] not in erased, "an erased payload opens"
        except SubjectErased:
            found_erasure = await erasures(ledger, line["subject"])
            assert found_erasure == 1, "a payload is gone and no erasure is on record"


async def erasures(ledger: Ledger, pseudonym: str) -> int:
    """Number of erasures on record of a subject."""
    entries = await ledger.stream_entries(LOG, stream_of(pseudonym))
    return sum(entry.type == "subject.erased" for entry in entries)


def main(cases: Path) -> None:
    problems: list[str | None] = []
    for case in json.loads(cases.read_text(encoding="utf-8")):
        try:
            asyncio.run(check(Path(case["folder"]), read_acks(Path(case["acks"]))))
        except BaseException:
            problems.append(traceback.format_exc())
        else:
            problems.append(None)
    print(json.dumps(problems))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
