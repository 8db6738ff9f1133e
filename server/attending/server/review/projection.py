"""Rows of the review queue and of people's signing keys out of their entries.

What a reviewer wrote or was shown is payload and stands in no row; the row holds where the item stands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from attending.guardrails.finding import Severity
from attending.ledger.projection import RowReader, RowWrite
from attending.server import projections
from attending.server.inference.states import State
from attending.server.replay.fact import Fact
from attending.server.review.order import priority
from attending.server.review.reads import (
    BLINDED_READS,
    decisions,
    dump_reads,
    parse_reads,
    read_of,
    with_read,
)
from attending.server.review.skills import Terms

_ITEMS, _KEYS = projections.review_item, projections.signing_key
_GLASS: Final = projections.break_glass_release
_NO_LEASE: Final = {"claimed_by": None, "lease_id": None, "lease_expires_at": None}
_NOT_ASSIGNED: Final = {"assigned_to": None, "assigned_until": None}


def held(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """A text that waits for its sign-offs."""
    return _open(fact, State.HELD)


def blocked(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """A text that the safety officer is to look at, and nobody can sign for; a blocked prompt opens nothing."""
    return _open(fact, State.BLOCKED) if fact.body["stage"] == "output" else ()


def claimed(fact: Fact, read: RowReader) -> Sequence[RowWrite]:
    """A lease begins, or begins anew. Who reads blind finds what they disposed of themselves, and nothing else."""
    lease: dict[str, Any] = {
        "claimed_by": fact.actor.partition(":")[2],
        "lease_id": fact.body["lease"],
        "lease_expires_at": fact.body["lease_expires_at"],
    }
    row = _item(fact, read)
    if _read_blind(row):
        lease |= _disposed(row, read_of(parse_reads(row["reads"]), lease["claimed_by"]).disposed)
    # Whoever works on it, the reservation has done its part.
    return _write(fact, {**lease, **_NOT_ASSIGNED})


def reassigned(fact: Fact, read: RowReader) -> Sequence[RowWrite]:
    """Reserved for somebody, who may have escalated it before; or free again, where `to` is null."""
    to = fact.body["to"]
    if to is None:
        return _write(fact, _NO_LEASE)
    others = [name for name in _item(fact, read)["escalated_by"].split(",") if name and name != to]
    assigned = {
        "assigned_to": to,
        "assigned_until": fact.body["until"],
        "escalated_by": ",".join(others),
    }
    return _write(fact, {**_NO_LEASE, **assigned})


def escalated(fact: Fact, read: RowReader) -> Sequence[RowWrite]:
    """Passed on to other roles: by a person, whose lease ends with it, or by the server, which leaves the lease."""
    row = _item(fact, read)
    values = {
        "escalated_at": fact.time,
        "escalated_to": ",".join(fact.body["to_roles"]),
        "escalates_at": None,
        "priority": priority(row["due_at"], row["severity_rank"], row["urgency"], escalated=True),
    }
    kind, _, name = fact.actor.partition(":")
    if kind != "human":
        return _write(fact, values)
    by = [*filter(None, row["escalated_by"].split(",")), name]
    return _write(fact, {**values, **_NO_LEASE, **_NOT_ASSIGNED, "escalated_by": ",".join(dict.fromkeys(by))})


def disposed(fact: Fact, read: RowReader) -> Sequence[RowWrite]:
    """One finding is disposed of; a later disposition of the same one replaces it."""
    row = _item(fact, read)
    made = {int(number): disposition for number, disposition in json.loads(row["disposed"]).items()}
    made[fact.body["finding"]] = fact.body["disposition"]
    values = _disposed(row, made)
    if _read_blind(row):
        reads = parse_reads(row["reads"])
        mine = replace(read_of(reads, fact.actor.partition(":")[2]), disposed=made)
        values["reads"] = dump_reads(with_read(reads, mine))
    return _write(fact, values)


def decided(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """What was made of a finding that may be known again; the last word on it counts."""
    body = fact.body
    if "alike" not in body:
        return ()
    values = {
        "digest": body["alike"],
        "inference_id": fact.stream,
        "severity": body["severity"],
        "disposition": body["disposition"],
        "made_at": fact.time,
        "entry_index": fact.index,
    }
    key = {"ticket_id": body["ticket"], "finding": body["finding"]}
    return [RowWrite(projections.decided_finding, key, values)]


def facts_added(fact: Fact, read: RowReader) -> Sequence[RowWrite]:
    """The findings are those of a new run: what was decided on the same ones stays, and signatures over the old ones
    count no more.
    """
    row, body = _item(fact, read), fact.body
    after = {one["was"]: one["is"] for one in body["kept"]}
    made = {int(number): disposition for number, disposition in json.loads(row["disposed"]).items()}
    graded = _graded(body["findings"])
    terms = terms_of(row)
    if "sign_off" in body:
        terms = Terms.of(body["sign_off"])
    values = {
        **graded,
        **_signers(terms, []),
        # Over other facts nothing is known again.
        "suppressed": "[]",
        "alike": "{}",
        "facts_record": body["facts_record"],
        "result_record": body["result_record"],
        "to_dispose": ",".join(map(str, body["to_dispose"])),
        "signed_by": "[]",
        "priority": priority(
            row["due_at"],
            graded["severity_rank"],
            row["urgency"],
            escalated=row.get("escalated_at") is not None,
        ),
    }
    stays = {after[number]: disposition for number, disposition in made.items() if number in after}
    return _write(fact, {**values, **_disposed({**row, **values}, stays)})


def signed(fact: Fact, read: RowReader) -> Sequence[RowWrite]:
    """One more signature, over the record that its statement names; the lease ends with it. One that refuses the text
    counts for no release.
    """
    statement, row = fact.body["statement"], _item(fact, read)
    values: dict[str, Any] = dict(_NO_LEASE)
    if statement["meaning"] != "rejected":
        one, terms = {"signer": statement["signer"], "record": statement["record"]}, terms_of(row)
        if terms.wanted:
            one["role"] = statement["role"]
        signed_by = [*json.loads(row["signed_by"]), one]
        values["signed_by"] = json.dumps(signed_by)
        if terms.wanted:
            values |= _signers(terms, [each["role"] for each in signed_by if each["record"] == one["record"]])
    if _read_blind(row):
        reads = parse_reads(row["reads"])
        mine = replace(
            read_of(reads, statement["signer"]), meaning=statement["meaning"], record=statement["record"]
        )
        # The next one disposes of the findings by themselves, whoever it is.
        values |= {"reads": dump_reads(with_read(reads, mine)), **_disposed(row, {})}
    return _write(fact, values)


def adjudicated(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """A third person has judged between two readers; what they signed counts like any signature."""
    return _write(fact, {"adjudicated_by": fact.actor.partition(":")[2]})


def released(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """The item is done when signatures released it; what policy released never was one."""
    return _write(fact, {"state": State.RELEASED.value}) if "ticket" in fact.body else ()


def withdrawn(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """A text that was held once, signed, and taken back; what policy released never was an item."""
    return _write(fact, {"state": State.WITHDRAWN.value}) if "ticket" in fact.body else ()


def rejected(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    return _write(fact, {"state": State.REJECTED.value, **_NO_LEASE})


def expired(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """Who held the lease when time ran out stays to be seen."""
    return _write(fact, {"state": State.EXPIRED.value})


def debriefed(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """A practice item is over. From now on it is its reader's alone, nobody's where nobody decided."""
    kind, _, name = fact.actor.partition(":")
    reader = name if kind == "human" else ""
    return _write(fact, {"state": State.DEBRIEFED.value, "practice_for": reader, **_NO_LEASE})


def glass_broken(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """A text is released without its sign-offs. Emergency access, which has no ticket, is no row here."""
    body = fact.body
    if "ticket" not in body:
        return ()
    values = {
        "ticket_id": body["ticket"],
        "policy": body["policy"],
        "user": fact.actor.partition(":")[2],
        "role": body["role"],
        "reason": body["reason"],
        "used_at": fact.time,
        "used_index": fact.index,
        "review_due": body["review_due"],
    }
    return [RowWrite(_GLASS, {"inference_id": fact.stream}, values)]


def glass_reviewed(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """Its review is closed, once and for all."""
    if "ticket" not in fact.body:
        return ()
    values = {
        "reviewed_at": fact.time,
        "reviewed_by": fact.actor.partition(":")[2],
        "outcome": fact.body["outcome"],
    }
    return [RowWrite(_GLASS, {"inference_id": fact.stream}, values)]


def key_enrolled(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """Whose key it is; enrolled again with other roles, the last enrolment counts."""
    values = {
        "user": fact.body["user"],
        "algorithm": fact.body["algorithm"],
        "credential_id": fact.body.get("credential_id"),
        "roles": ",".join(fact.body["roles"]),
        "enrolled_at": fact.time,
    }
    return [RowWrite(_KEYS, {"key_id": fact.body["key_id"]}, values)]


def key_revoked(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    return [RowWrite(_KEYS, {"key_id": fact.body["key_id"]}, {"revoked_at": fact.time})]


def numbers(text: str) -> list[int]:
    """Ordinals of findings as the row holds them."""
    return [int(number) for number in text.split(",") if number]


def _open(fact: Fact, state: State) -> Sequence[RowWrite]:
    body = fact.body
    graded, urgency = _graded(body["findings"]), body.get("urgency", "routine")
    escalation, practice = body.get("escalation") or {}, body.get("practice") or {}
    values = {
        "inference_id": fact.stream,
        "subject": fact.subject,
        "policy": body["policy"],
        "state": state.value,
        **graded,
        "urgency": urgency,
        "priority": priority(body["due_at"], graded["severity_rank"], urgency),
        "open_findings": len(body["to_dispose"]),
        "to_dispose": ",".join(map(str, body["to_dispose"])),
        "disposed": "{}",
        **_signers(Terms.of(body["sign_off"]), []),
        "sign_off_count": body["sign_off"]["count"],
        "author_may_sign": body["sign_off"].get("author_may_sign") is True,
        "signed_by": "[]",
        "held_at": fact.time,
        "due_at": body["due_at"],
        "expires_at": body["expires_at"],
        "escalates_at": escalation.get("at"),
        "escalates_to": ",".join(escalation.get("to_roles", ())),
        "escalated_to": "",
        "escalated_by": "",
        "blinded": body["sign_off"].get("blinded", False),
        "reads": "[]",
        "practice_for": practice.get("for"),
        # Sorted, since an entry is read back in the order of its canonical form.
        "suppressed": json.dumps(body.get("suppressed", []), sort_keys=True),
        "alike": json.dumps({str(one["finding"]): one["digest"] for one in body.get("alike", [])}),
    }
    return _write(fact, values)


def _graded(findings: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry's summary of its findings says of the worst."""
    severities = [Severity(name) for name in findings["by_severity"]]
    worst = max(severities, key=lambda severity: severity.rank, default=None)
    return {
        "worst_severity": worst.value if worst else None,
        "severity_rank": worst.rank if worst else 0,
    }


def terms_of(row: Mapping[str, Any]) -> Terms:
    """Whose signatures a row's item wants."""
    return Terms.load(
        row["skills"], tuple(filter(None, row["sign_off_roles"].split(","))), row["sign_off_count"]
    )


def _signers(terms: Terms, signed: Sequence[str]) -> dict[str, Any]:
    """Who may sign, and who now, when there are signatures in these roles over the text that stands."""
    return {
        "sign_off_roles": ",".join(terms.all_roles),
        "skills": terms.dump(),
        "open_to": ",".join(terms.open_to(signed)),
    }


def _read_blind(row: Mapping[str, Any]) -> bool:
    return bool(row["blinded"]) and len(decisions(parse_reads(row["reads"]))) < BLINDED_READS


def _disposed(row: Mapping[str, Any], made: Mapping[int, str]) -> dict[str, Any]:
    return {
        "disposed": json.dumps({str(number): disposition for number, disposition in sorted(made.items())}),
        "open_findings": len(set(numbers(row["to_dispose"])) - set(made)),
    }


def _write(fact: Fact, values: Mapping[str, Any]) -> Sequence[RowWrite]:
    return [RowWrite(_ITEMS, {"ticket_id": fact.body["ticket"]}, values)]


def _item(fact: Fact, read: RowReader) -> Mapping[str, Any]:
    """The item as earlier entries left it; KeyError when none opened it."""
    row = read(_ITEMS, {"ticket_id": fact.body["ticket"]})
    if row is None:
        raise KeyError("ticket")
    return row
