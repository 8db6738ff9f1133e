"""The debrief: what was planted, whether the reader found it, and the entry that says so and ends the item.

It stands in the same append as the decision, so that there is none without it, and whoever decided is told at once. The
entry is peer review (`tag`); what it teaches is sealed beside it, so that a later catalogue does not change it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal

from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.errors import LedgerError
from attending.ledger.ledger import Ledger
from attending.ledger.practice import DEBRIEFED
from attending.server.inference.states import State, require
from attending.server.practice.catalogue import PracticeItem
from attending.server.practice.mark import Mark

DEBRIEF_KIND: Final = "debrief"
Answer = Literal["approved", "approved_with_edits", "rejected", "break_glass", "not_read"]
"""What became of it; `not_read` of one that was taken back before anybody decided."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a debrief teaches: `planted` is the passage that was wrong, None in a sound text."""

    kind: str
    error: str | None
    planted: str | None
    good_reader: str
    debrief: str
    source: str

    @classmethod
    def of(cls, item: PracticeItem) -> Lesson:
        return cls(item.kind, item.error, item.planted, item.good_reader, item.debrief, item.source)

    def to_bytes(self) -> bytes:
        return json.dumps({"format": "attending-debrief/1", **asdict(self)}, sort_keys=True).encode("utf-8")

    @classmethod
    def from_bytes(cls, data: bytes) -> Lesson:
        value = json.loads(data)
        return cls(**{name: value[name] for name in cls.__dataclass_fields__})


def is_right(item: PracticeItem, answer: Answer, signed_text: str | None) -> bool | None:
    """Whether a good reader would have done that; None where nobody decided.

    An error is found by whoever refuses the text, or signs one without the passage that was planted. A sound text is
    signed, edited or not: refusing everything is no reading either.
    """
    if answer == "not_read":
        return None
    if item.kind == "sound":
        return answer != "rejected"
    if answer == "approved_with_edits":
        return _plain(item.planted or "") not in _plain(signed_text or "")
    return answer == "rejected"


def debriefed(
    mark: Mark,
    item: PracticeItem | None,
    *,
    stream: str,
    ticket: str,
    policy: str,
    actor: str,
    answer: Answer,
    signed_text: str | None,
    now: datetime,
    reason_code: str | None = None,
    note: tuple[Payload, ...] = (),
    nonce: str | None = None,
) -> PendingEntry:
    """The entry that ends a practice item. A refusal without a signature brings its reason and note.

    `item` is None where the catalogue of now does not have it any more: then nothing is said of right or wrong. `nonce`
    is that of the signature before it.
    """
    require(State.HELD, DEBRIEFED, practice=True)
    body: dict[str, Any] = {
        "ticket": ticket,
        "policy": policy,
        "mode": mark.mode,
        "item": mark.item,
        "catalogue": mark.catalogue,
        **({} if mark.key is None else {"key": mark.key}),
        "kind": None if item is None else item.kind,
        "error": None if item is None else item.error,
        "answer": answer,
        "right": None if item is None else is_right(item, answer, signed_text),
        **({} if reason_code is None else {"reason_code": reason_code}),
        **({} if nonce is None else {"nonce": nonce}),
        "tag": "peer_review",
    }
    taught = () if item is None else (Payload(DEBRIEF_KIND, Lesson.of(item).to_bytes()),)
    return PendingEntry(
        type=DEBRIEFED,
        stream=stream,
        actor=actor,
        subject=None,
        body=body,
        payloads=(*taught, *note),
        occurred_at=now,
    )


@dataclass(frozen=True, slots=True)
class Debrief:
    """A debrief as it stands on record. `lesson` is None where its payload is gone, or there never was one."""

    mode: str
    item: str
    answer: str
    right: bool | None
    reader: str | None
    index: int
    time: str
    lesson: Lesson | None


async def debrief_of(ledger: Ledger, tenant: str, inference_id: str) -> Debrief | None:
    """The debrief of an inference, None while there is none."""
    for entry in reversed(await ledger.whole_stream(tenant, inference_id)):
        if entry.type != DEBRIEFED:
            continue
        lesson = None
        for one in (one for one in entry.commitments if one.kind == DEBRIEF_KIND):
            try:
                lesson = Lesson.from_bytes(await ledger.open_payload(tenant, one.record))
            except LedgerError:
                # Pruned: the words are gone, what was decided stands.
                continue
        body: Mapping[str, Any] = entry.body
        kind, _, name = entry.actor.partition(":")
        return Debrief(
            mode=body["mode"],
            item=body["item"],
            answer=body["answer"],
            right=body["right"],
            reader=name if kind == "human" else None,
            index=entry.index,
            time=entry.time,
            lesson=lesson,
        )
    return None


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
