"""Every way that a notice can go, for the rebuild of their rows."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from attending.ledger.ledger import Ledger
from attending.server.auth.principal import Principal
from attending.server.config import NoticesSection
from attending.server.inference.watch import Changes
from attending.server.notices.delivery import NotDelivered
from attending.server.notices.desk import NoticeDesk
from attending.server.notices.due import DueDates
from attending.server.notices.notice import Notice, notice_of
from attending.server.notices.outbox import Outbox

from tests.server.inference.conftest import TENANT, Clock, key

SECTION = NoticesSection(review_near_hours=168)


class Fickle:
    """A target that takes every second notice, and does not want the others."""

    name, kind = "fickle", "webhook"

    def __init__(self) -> None:
        self.asked = 0

    read = staticmethod(notice_of)

    def wants(self, _notice: Notice) -> bool:
        return True

    async def send(self, _notice: Notice) -> None:
        self.asked += 1
        if self.asked % 2:
            raise NotDelivered("STATUS_410", permanent=True)

    async def close(self) -> None:
        return None


async def told(ledger: Ledger, clock: Clock) -> None:
    """Something falls due; of three tests two are given up, and one of these is asked for again."""
    delivery = Fickle()

    async def turn() -> bool:
        return True

    box = Outbox(
        ledger=ledger,
        tenant=TENANT,
        delivery=delivery,
        changes=Changes(),
        owner="srv-test",
        now=clock,
        turn=turn,
        give_up=timedelta(hours=24),
        poll_seconds=1.0,
    )
    desk = NoticeDesk(ledger, SECTION, [box], clock)
    operator = Principal(
        name="olga",
        tenant=TENANT,
        kind="human",
        roles=frozenset({"operator"}),
        display_name="Olga",
        credential="mtls",
    )
    await box.step()
    for number in range(3):
        await desk.test(operator, "fickle", key(f"test-{number}"))
    while len(await desk.dead(TENANT, None, limit=9, offset=0)) < 2:
        await box.step()
        await asyncio.sleep(0)
    [first, _second] = await desk.dead(TENANT, None, limit=9, offset=0)
    await desk.retry(operator, "fickle", first["notice"], key("retry"))
    await DueDates(ledger, SECTION, "srv-test", clock).sweep(TENANT)
    await box.stop()
