"""What of an entry somebody outside is told: ids, names from configuration, enums and times, and nothing else.

Every value is taken out of the entry by its name here; a body that later grows a key tells no more than before. A value
that is not of the form of an id, an enum or a time is left out, whatever the entry holds.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from attending.guardrails.finding import Severity
from attending.ledger.entry import Entry
from attending.ledger.report_signature import ROLES
from attending.server.review.skills import Terms

TEST: Final = "test"
"""The event that `attending notices test` sends to one target; it needs no subscription."""
REVIEWERS: Final = ("safety_officer", "privacy_officer")
"""Who reviews a break-glass (policies/authorization)."""
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+-]{0,79}")
_ITEM_KEYS: Final = ("policy", "urgency", "due_at", "expires_at")
_DUE: Final = {
    "sla_near": "item.sla_near",
    "sla_over": "item.sla_over",
    "review_near": "break_glass.review_near",
    "review_over": "break_glass.review_over",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """`id` is the same however often it is sent, and no other entry's. `data` holds ids, names, enums and times."""

    id: str
    event: str
    tenant: str
    index: int
    time: str
    roles: tuple[str, ...] = ()
    """Who is to act on it; empty where that is nobody in particular."""
    data: Mapping[str, str] = field(default_factory=dict)

    @property
    def ticket(self) -> str | None:
        return self.data.get("ticket")


def notice_of(entry: Entry, tenant: str, item: Mapping[str, Any] | None = None) -> Notice | None:
    """What the entry is told as; None for one that nobody is told of. `item` is the row of the ticket that it names."""
    body = entry.body
    event, roles, keys = _told(entry)
    if event is None:
        return None
    words = {key: body.get(key) for key in keys}
    if item is not None:
        words = {**{key: item[key] for key in (*_ITEM_KEYS, "worst_severity")}, **words}
        words["severity"] = words.pop("worst_severity")
        roles = roles or tuple(filter(None, item["sign_off_roles"].split(",")))
    if entry.type == "inference.held":
        words["severity"] = _worst(body)
    if entry.type in ("inference.withdrawn", "break_glass.used") and entry.stream.startswith("inf_"):
        words["inference"] = entry.stream
    if entry.type == "notice.due":
        words[_named(str(body["ref"]))] = body["ref"]
    if "reason_code" in words:
        words["reason"] = words.pop("reason_code")
    data = {key: value for key, value in words.items() if isinstance(value, str) and _WORD.fullmatch(value)}
    return Notice(
        id=notice_id(entry.origin, entry.index),
        event=event,
        tenant=tenant,
        index=entry.index,
        time=entry.time,
        roles=tuple(role for role in roles if _WORD.fullmatch(role)),
        data=data,
    )


def ticket_of(entry: Entry) -> str | None:
    """The ticket that an entry is about, where its row is wanted."""
    if entry.type == "notice.due":
        ref = str(entry.body["ref"])
        return ref if ref.startswith("tkt_") else None
    if entry.type in ("inference.held", "review.escalated", "review.reassigned", "review.expired"):
        return str(entry.body["ticket"])
    return None


def notice_id(origin: str, index: int) -> str:
    """Of an entry: nothing in it is about a person, so that a plain digest gives nothing away."""
    return "ntc_" + hashlib.sha256(f"attending-notice/1\n{origin}\n{index}".encode()).hexdigest()[:32]


def link(console: str | None, notice: Notice) -> str | None:
    """Where the console shows it; None without a console."""
    if console is None:
        return None
    return f"{console}/items/{quote(notice.ticket, safe='')}" if notice.ticket is not None else f"{console}/"


def _told(entry: Entry) -> tuple[str | None, tuple[str, ...], tuple[str, ...]]:
    """(event, roles, keys of the body that are told) of an entry."""
    body = entry.body
    match entry.type:
        case "inference.held" if "practice" not in body:
            return "item.held", Terms.of(body["sign_off"]).all_roles, ("ticket", *_ITEM_KEYS)
        case "review.escalated":
            return "item.escalated", tuple(body["to_roles"]), ("ticket", "reason_code")
        case "review.reassigned" if body["to"] is not None:
            return "item.reassigned", (), ("ticket", "until")
        case "review.expired":
            return "item.expired", (), ("ticket",)
        case "inference.withdrawn":
            return "recall.opened", (), ("policy", "ticket", "reason_code")
        case "break_glass.used":
            return "break_glass.used", REVIEWERS, ("policy", "ticket", "access", "reason", "review_due")
        case "notice.due":
            event = _DUE.get(str(body["about"]))
            return event, REVIEWERS if str(event).startswith("break_glass") else (), ("due_at",)
        case "system.halted" | "system.resumed":
            return entry.type, (), ("policy", "reason")
        case "oversight.alarm":
            return entry.type, ("medical_director",), ("policy", "kind")
        case "report.requested" if "schedule" in body:
            return "report.due", ROLES, ("report", "schedule", "kind")
        case "notice.tested":
            return TEST, (), ()
    return None, (), ()


def _named(ref: str) -> str:
    return {"tkt": "ticket", "inf": "inference"}.get(ref.partition("_")[0], "access")


def _worst(body: Mapping[str, Any]) -> str | None:
    severities = [Severity(name) for name in body["findings"]["by_severity"]]
    worst = max(severities, key=lambda severity: severity.rank, default=None)
    return None if worst is None else worst.value
