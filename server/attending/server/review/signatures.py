"""What a signature says wherever its text is shown (21 CFR 11.50(b)): who, in which role, when, and what it means."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from attending.ledger.entry import Entry
from attending.server import clock
from attending.server.auth.principal import Principal
from attending.v1 import common_pb2


@dataclass(frozen=True, slots=True)
class Signature:
    """`signer` is the name in the log, `printed` how it is written; `time` is that of entry `index`. `role` and
    `meaning` are the statement's codes.
    """

    signer: str
    printed: str
    role: str
    time: str
    meaning: str
    index: int


def signatures_in(entries: Iterable[Entry], printed: Callable[[str], str]) -> list[Signature]:
    """Those among the entries of an inference, the oldest first. `printed` is the printed name of an identity."""
    found = []
    for entry in entries:
        if entry.type == "review.signed":
            said = entry.body["statement"]
            signer = str(said["signer"])
            found.append(
                Signature(
                    signer, printed(signer), str(said["role"]), entry.time, str(said["meaning"]), entry.index
                )
            )
    return found


def printed_names(people: Iterable[Principal], tenant: str) -> Callable[[str], str]:
    """The printed name of each of the tenant's `people`; of anybody else the name in the log."""
    names = {one.name: one.display_name for one in people if one.tenant == tenant}
    return lambda name: names.get(name, name)


def signature_message(one: Signature) -> common_pb2.SignatureBlock:
    message = common_pb2.SignatureBlock(
        signer=one.signer,
        printed_name=one.printed,
        role=one.role,
        meaning=one.meaning,
        entry_index=one.index,
    )
    message.signed_at.FromDatetime(clock.parse(one.time))
    return message
