"""The life of a held text as rules: pure, no I/O. Every step of the desk is asked for here before it is appended.

What a step then changes is in `projection`, which is as pure: `attending ledger rebuild` goes through it too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from attending.server.auth.principal import Principal
from attending.server.clock import parse, stamp
from attending.server.errors import Aborted, FailedPrecondition, NotFound, PermissionDenied
from attending.server.review.item import AS_HELD, Item, Signed
from attending.server.review.reads import BLINDED_READS, Read, agree, decisions, read_of

MAJOR_RANK = 3


def require_held(item: Item, now: datetime) -> None:
    """Raises FailedPrecondition unless the text still waits and has not expired."""
    if item.state != "held":
        raise FailedPrecondition("ILLEGAL_TRANSITION", metadata={"actual": item.state, "allowed": "held"})
    if item.expires_at <= stamp(now):
        raise FailedPrecondition("REVIEW_EXPIRED")


def require_own_practice(item: Item, who: Principal) -> None:
    """Raises NotFound for somebody else's practice item: it is nobody's work."""
    if item.practice_for not in (None, who.name):
        raise NotFound("UNKNOWN_TICKET")


def _require_no_practice(item: Item) -> None:
    """Raises FailedPrecondition for an openly marked practice item, which is handed to nobody and never goes out."""
    if item.practice_for is not None:
        raise FailedPrecondition("PRACTICE_ITEM")


def require_lease(item: Item, who: Principal, lease_id: str, now: datetime) -> None:
    """Raises FailedPrecondition unless `who` holds this very lease and it runs."""
    require_held(item, now)
    if item.claimed_by != who.name or not lease_id or item.lease_id != lease_id:
        raise FailedPrecondition("LEASE_NOT_HELD")
    if not item.leased(stamp(now)):
        raise FailedPrecondition("LEASE_EXPIRED")


def require_seen(item: Item, who: Principal, seen: str, *, work: bool) -> None:
    """`seen` is what `who` was shown last (`Item.seen`, or its part before the point). Raises Aborted (ITEM_CHANGED)
    where the findings are others since, and for `work` where anything was made of them since that they have not seen;
    FailedPrecondition (FINDINGS_UNSEEN) where they do not say it and the text was judged again after it was held.
    """
    findings, _point, made = seen.partition(".")
    if not findings and item.judged != AS_HELD:
        raise FailedPrecondition("FINDINGS_UNSEEN")
    now, _point, standing = item.seen_by(who.name).seen.partition(".")
    if findings not in ("", now) or (work and made not in ("", standing)):
        raise Aborted("ITEM_CHANGED")


def require_reviewer(item: Item, who: Principal, now: datetime) -> str:
    """The role in which `who` may decide on this item; an application never may."""
    roles = [role for role in item.sign_off_roles if role in who.roles]
    if who.kind != "human" or not roles:
        raise PermissionDenied("ROLE_NOT_PERMITTED")
    if not who.licence_valid(now):
        raise PermissionDenied("LICENCE_EXPIRED")
    if not who.competency_valid(now):
        raise PermissionDenied("COMPETENCY_EXPIRED")
    return roles[0]


def require_wanted(item: Item, who: Principal) -> str:
    """The role in which a signature of `who`, a reviewer of the item, would bring it closer to its release; raises
    FailedPrecondition (SKILL_WANTED) when it is others whose signature its findings want.
    """
    roles = [role for role in item.open_to if role in who.roles]
    if not roles:
        raise FailedPrecondition("SKILL_WANTED", metadata={"roles": ",".join(item.open_to)})
    return roles[0]


def break_glass(item: Item, who: Principal, roles: Sequence[str], now: datetime) -> str:
    """The role in which `who` may release the text without its sign-offs. `roles` are those that the policy which held
    it permits, empty where it permits nobody. Whoever holds the lease does not stand in the way.
    """
    require_held(item, now)
    _require_no_practice(item)
    if not roles:
        raise FailedPrecondition("BREAK_GLASS_NOT_PERMITTED")
    own = [role for role in roles if role in who.roles]
    if who.kind != "human" or not own:
        raise PermissionDenied("ROLE_NOT_PERMITTED")
    if not who.licence_valid(now):
        raise PermissionDenied("LICENCE_EXPIRED")
    return own[0]


def claim(item: Item, who: Principal, now: datetime) -> None:
    """Raises while somebody else's lease runs, while it is reserved for somebody else, and for those who escalated it.
    One's own lease may begin anew.
    """
    require_own_practice(item, who)
    require_held(item, now)
    require_reviewer(item, who, now)
    require_wanted(item, who)
    if item.leased(stamp(now)) and item.claimed_by != who.name:
        raise FailedPrecondition("ALREADY_CLAIMED", retry_after_seconds=_seconds(item.lease_expires_at, now))
    _require_not_reserved(item, who, now)
    if who.name in item.escalated_by:
        raise FailedPrecondition("ESCALATED_BY_YOU")
    _require_new_reader(item, who)


def release_lease(item: Item, who: Principal, lease_id: str, now: datetime) -> None:
    require_lease(item, who, lease_id, now)


def reassign(item: Item, who: Principal, lease_id: str, to: Principal | None, now: datetime) -> None:
    """Of a claimed item only by who holds it, of a reserved one only by whom it is reserved for. `to` is the colleague,
    None when there is nobody of that name; they must be able to sign it.
    """
    require_own_practice(item, who)
    require_held(item, now)
    _require_no_practice(item)
    require_reviewer(item, who, now)
    if item.reading:
        # Whom it may not be handed to would tell who has read it.
        raise FailedPrecondition("READ_BLIND")
    if item.leased(stamp(now)):
        require_lease(item, who, lease_id, now)
    _require_not_reserved(item, who, now)
    if to is None:
        raise NotFound("UNKNOWN_REVIEWER")
    try:
        require_reviewer(item, to, now)
        require_wanted(item, to)
    except (PermissionDenied, FailedPrecondition) as err:
        raise FailedPrecondition("REVIEWER_CANNOT_SIGN", metadata={"because": err.reason}) from None
    if item.disputed and _has_read(item, to):
        raise FailedPrecondition("REVIEWER_CANNOT_SIGN", metadata={"because": "READ_BEFORE"})
    standing = item.signed_by[-1].record if item.signed_by else None
    if any((signed.signer, signed.record) == (to.name, standing) for signed in item.signed_by):
        raise FailedPrecondition("REVIEWER_CANNOT_SIGN", metadata={"because": "SIGNER_SIGNED_BEFORE"})


def escalate(item: Item, who: Principal, lease_id: str, now: datetime) -> None:
    require_lease(item, who, lease_id, now)
    _require_no_practice(item)
    require_reviewer(item, who, now)


def _require_not_reserved(item: Item, who: Principal, now: datetime) -> None:
    if item.reserved(stamp(now)) and item.assigned_to != who.name:
        raise FailedPrecondition("RESERVED", retry_after_seconds=_seconds(item.assigned_until, now))


def dispose(item: Item, who: Principal, lease_id: str, finding: int, now: datetime) -> None:
    require_lease(item, who, lease_id, now)
    # What was decided before may be decided anew.
    if finding not in item.to_dispose and finding not in item.suppressed:
        raise NotFound("UNKNOWN_FINDING")


def add_facts(item: Item, who: Principal, lease_id: str, now: datetime) -> None:
    require_lease(item, who, lease_id, now)
    require_reviewer(item, who, now)
    if item.blinded:
        # What one reader's question was would tell the other, and both would decide over other findings.
        raise FailedPrecondition("READ_BLIND")


def prepare(
    item: Item, who: Principal, lease_id: str, now: datetime, *, author: str | None, author_may_sign: bool
) -> str:
    """The role in which `who` is about to sign. `author` is the person on whose behalf the text was asked for, as the
    application wrote it.
    """
    require_lease(item, who, lease_id, now)
    require_reviewer(item, who, now)
    role = require_wanted(item, who)
    require_not_author(item, who, author, author_may_sign=author_may_sign)
    _require_new_reader(item, who)
    return role


def require_not_author(item: Item, who: Principal, author: str | None, *, author_may_sign: bool) -> None:
    """Raises PermissionDenied where the text was asked for on behalf of `who`, who may not sign it for that."""
    # The application writes the author's name; a capital letter must not make another person of them.
    wrote = (author or "").casefold() == who.name.casefold()
    if wrote and (not author_may_sign or item.severity_rank >= MAJOR_RANK):
        raise PermissionDenied("SIGNER_IS_AUTHOR")


def require_unsigned(item: Item, who: Principal, record: str) -> None:
    """Raises when `who` has signed this very text before: one person counts once."""
    if any((signed.signer, signed.record) == (who.name, record) for signed in item.signed_by):
        raise FailedPrecondition("SIGNER_SIGNED_BEFORE")


def require_disposed(item: Item) -> None:
    if item.open_findings:
        raise FailedPrecondition("FINDINGS_UNDISPOSED", metadata={"open": str(item.open_findings)})


def sign(
    item: Item,
    who: Principal,
    lease_id: str,
    now: datetime,
    *,
    signer: str,
    disposed: Mapping[int, str],
    facts: str | None,
) -> None:
    """`signer`, `disposed` and the record of `facts` are those of the statement when it was prepared."""
    require_lease(item, who, lease_id, now)
    require_reviewer(item, who, now)
    require_wanted(item, who)
    if signer != who.name:
        raise PermissionDenied("NOT_YOUR_PREPARATION")
    if dict(item.disposed) != dict(disposed) or item.facts_record != facts:
        raise Aborted("CHANGED_SINCE_PREPARED")


def reject(item: Item, who: Principal, lease_id: str, now: datetime) -> None:
    """A refusal without a signature, which a reader's or adjudicator's decision is not."""
    require_lease(item, who, lease_id, now)
    require_reviewer(item, who, now)
    if item.reading or item.disputed:
        raise FailedPrecondition("DECISION_NOT_SIGNED")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a signature leads to. `signers` are those on whose strength the text is released, empty while too few."""

    signers: tuple[str, ...] = ()
    rejected: bool = False
    adjudicated: bool = False


def outcome(item: Item, signed: Signed) -> Outcome:
    """What follows once `signed` is added. A refusal ends an item, but of two readers both must refuse, or a third."""
    refused = signed.meaning == "rejected"
    if item.reading:
        before = decisions(item.reads)
        mine = Read(signed.signer, meaning=signed.meaning, record=signed.record)
        if len(before) + 1 < BLINDED_READS or not agree((*before, mine)):
            return Outcome()
    adjudicated = item.disputed
    if refused:
        return Outcome(rejected=True, adjudicated=adjudicated)
    # Only signatures over the same exact text count together.
    agreeing = {one.signer: one.role for one in (*item.signed_by, signed) if one.record == signed.record}
    enough = not item.terms.lacking(list(agreeing.values()))
    return Outcome(tuple(sorted(agreeing)) if enough else (), adjudicated=adjudicated)


def _require_new_reader(item: Item, who: Principal) -> None:
    if (item.reading and read_of(item.reads, who.name).decided) or (item.disputed and _has_read(item, who)):
        raise FailedPrecondition("READ_BEFORE")


def _has_read(item: Item, who: Principal) -> bool:
    return any(read.reader == who.name for read in decisions(item.reads))


def _seconds(until: str | None, now: datetime) -> float | None:
    return None if until is None else max(1.0, (parse(until) - now).total_seconds())
