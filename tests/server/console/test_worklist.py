"""The page of one text of the recall worklist, over a real ledger: what is shown of it, and what becomes of one whose
content was erased.
"""

from __future__ import annotations

import pytest
from attending.server.auth.context import AccessDecision, enter
from attending.server.auth.principal import Principal
from attending.server.console.gate import Visit
from attending.server.console.render import Pages
from attending.server.console.sessions import Sessions
from attending.server.console.worklist import WorklistPages
from attending.server.errors import NotFound
from attending.server.services.recall import RecallService
from starlette.requests import Request

from tests.server.inference.conftest import TENANT, key
from tests.server.recall.test_recall import RIVERA
from tests.server.recall.test_worklist import NEW, Hospital, gate, hospital, policies
from tests.server.review.conftest import person, phi_of

__all__ = ["gate", "hospital", "policies"]

OFFICER = person("olufsen", "safety_officer").principal
TEXT = "Take acetaminophen."


@pytest.fixture
def pages(hospital: Hospital) -> WorklistPages:
    made = hospital.gate
    phi = phi_of(made)
    service = RecallService(
        made.ledger, hospital.recalls, hospital.worklist, hospital.rejudging, phi, lambda: [RIVERA]
    )
    return WorklistPages(service, phi, Pages(made.clock, embedded=False))


async def shown(hospital: Hospital, pages: WorklistPages, inference: str, who: Principal = RIVERA) -> str:
    enter(who, AccessDecision(True, "getCandidate"))
    sessions = Sessions(hospital.gate.ledger, idle_seconds=900, longest_seconds=3600, now=hospital.gate.clock)
    session, _token = await sessions.begin(who)
    path = f"/worklist/{inference}"
    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}
    request = Request(scope | {"path_params": {"inference": inference}, "server": ("console.example", 443)})
    return bytes((await pages.one(Visit(request, session, who))).body).decode()


async def test_a_text_is_shown_and_one_that_was_erased_is_decided_on_without_it(
    hospital: Hospital, pages: WorklistPages
) -> None:
    kept = (await hospital.release(TEXT)).inference_id
    erased = (await hospital.release(f"{TEXT} Twice.", subject_ref="MRN-1")).inference_id
    await hospital.activate(NEW)
    await hospital.judge()
    ledger = hospital.gate.ledger
    await ledger.erase_subject(TENANT, await ledger.pseudonym(TENANT, "MRN-1"))
    page = await shown(hospital, pages, kept)
    assert TEXT in page
    assert "Released by the policy: nobody signed it." in page
    assert "not kept any more" not in page
    page = await shown(hospital, pages, erased)
    assert "not kept any more" in page
    assert "as it was released" not in page
    assert f'data-send="/worklist/{erased}"' in page
    assert 'data-send="/recalls"' in page
    await hospital.worklist.dismiss(RIVERA, erased, "never_used", "", key("gone"))
    page = await shown(hospital, pages, erased)
    assert "Needs no recall, rivera" in page
    assert "Decide by" not in page
    # What was shown is on record, and nothing else.
    looks = [
        one.body for one in await ledger.whole_stream(TENANT, "access/rivera") if one.type == "access.viewed"
    ]
    assert [one["inference"] for one in looks] == [kept]


async def test_a_safety_officer_reads_one_for_patient_safety(
    hospital: Hospital, pages: WorklistPages
) -> None:
    one = (await hospital.release(TEXT, subject_ref="MRN-1")).inference_id
    await hospital.activate(NEW)
    await hospital.judge()
    assert TEXT in await shown(hospital, pages, one, OFFICER)
    ledger = hospital.gate.ledger
    [look] = [e for e in await ledger.whole_stream(TENANT, "access/olufsen") if e.type == "access.viewed"]
    assert (look.body["purpose_of_use"], look.body["action"]) == ("PATSFTY", "getCandidate")
    assert look.subject == await ledger.pseudonym(TENANT, "MRN-1")
    # What is not on the list is nobody's to read here.
    other = (await hospital.release("Fine.")).inference_id
    with pytest.raises(NotFound):
        await shown(hospital, pages, other, OFFICER)
