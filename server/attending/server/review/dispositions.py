"""What a reviewer makes of each finding."""

from __future__ import annotations

from attending.server.auth.principal import Principal
from attending.server.errors import InvalidRequest
from attending.server.idempotency import Once
from attending.server.review import machine
from attending.server.review.item import DISPOSITIONS, REASON_CODES, Item
from attending.server.review.note import note_payload, note_violations
from attending.server.review.opinion import Opinions


class Dispositions(Opinions):
    """Disposing of findings, one at a time."""

    async def dispose(
        self,
        principal: Principal,
        ticket_id: str,
        lease_id: str,
        finding: int,
        disposition: str,
        reason_code: str,
        note: str,
        once: Once,
        *,
        seen: str | None = None,
    ) -> tuple[Item, int, int, str]:
        """Records what the reviewer makes of one finding; a later disposition of the same one replaces it.

        `seen` is what the caller was shown (`machine.require_seen`): after facts were added the number is another
        finding's. None asks nothing. Besides what each step answers: what they have seen by now (`Item.seen`), empty
        where anything else happened than this, which they were not shown, and of a repeated call.
        """
        violations = []
        if disposition not in DISPOSITIONS:
            violations.append(("disposition", "is required"))
        if reason_code not in REASON_CODES and (reason_code or disposition != "fixed"):
            violations.append(("reason_code", "must be one of " + ", ".join(sorted(REASON_CODES))))
        violations += note_violations(note)
        if violations:
            raise InvalidRequest(violations)
        if (index := await self._done(principal, once)) is not None:
            return *await self._answer(principal, ticket_id, index), ""
        item, version = await self.item(principal.tenant, ticket_id)
        if seen is not None:
            machine.require_seen(item, principal, seen, work=False)
        machine.dispose(item, principal, lease_id, finding, self._now())
        await self._require_opinion(principal, item)
        found = (await self._result(principal.tenant, item)).findings[finding]
        body = {
            "finding": finding,
            "disposition": disposition,
            "reason_code": reason_code or None,
            # By these it is counted how often what a rail finds is so.
            "rail": found.rail,
            "code": found.code.value,
            "severity": found.severity.value,
            # By this it is known again, where it may be.
            **({"alike": item.alike[finding]} if finding in item.alike else {}),
        }
        entry = self._entry(principal, "review.disposed", item, body, *note_payload(note))
        done, now, index = await self._step(principal, item, version, [entry], once)
        follows = seen == item.seen_by(principal.name).seen and now == version + 1
        return done, now, index, done.seen if follows else ""
