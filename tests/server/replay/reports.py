"""A report's life, for the rebuild of its row."""

from __future__ import annotations

from pathlib import Path

from attending.server.reports.desk import ReportDesk

from tests.server.reports.test_desk import create, fresh, made, opened, sign
from tests.server.review.conftest import Ward


async def reported(ward: Ward, folder: Path) -> None:
    """One is asked for, signed off and issued; another is asked for."""
    desk: ReportDesk = opened(ward, folder)
    report_id = await create(ward, desk)
    await made(desk, report_id)
    await sign(desk, ward.auditor, report_id)
    await desk.issue(ward.auditor.principal, report_id, fresh())
    unwanted = await create(ward, desk)
    await desk.discard(ward.auditor.principal, unwanted, fresh())
    await made(desk, await create(ward, desk))
    await desk.drain()
