"""OversightService: figures of review on the wire, draws, and second reads."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from attending.ledger.draw import OPENED
from attending.ledger.ledger import Ledger
from attending.server import clock
from attending.server.auth.context import current_principal
from attending.server.auth.principal import NAME
from attending.server.errors import InvalidRequest
from attending.server.oversight.agreement import Agreement, Estimate
from attending.server.oversight.draws import Draws
from attending.server.oversight.figures import Oversight, Rail, Share
from attending.server.oversight.second_reads import SecondReads
from attending.server.oversight.standing import FAST, MISSES, PLANTED, VELOCITY, Figures
from attending.server.phi.access import PhiAccess
from attending.server.phi.purpose import Purpose
from attending.server.rpc import Context
from attending.server.services.begun import begun, once_of
from attending.server.services.receipts import receipt_message
from attending.server.wire.findings import finding_message
from attending.v1 import common_pb2, oversight_pb2, oversight_pb2_grpc
from sqlalchemy import RowMapping

DEFAULT_DAYS, MAX_DAYS = 30, 366
DEFAULT_PAGE, MAX_PAGE = 50, 200

_ANSWERS: Final[dict[int, str]] = {
    number: name.removeprefix("SECOND_READ_ANSWER_").lower()
    for name, number in oversight_pb2.SecondReadAnswer.items()
    if number
}
_FLAGS: Final = {
    FAST: oversight_pb2.REVIEWER_FLAG_READS_TOO_FAST,
    VELOCITY: oversight_pb2.REVIEWER_FLAG_VELOCITY,
    MISSES: oversight_pb2.REVIEWER_FLAG_MISSES,
    PLANTED: oversight_pb2.REVIEWER_FLAG_MISSES_PLANTED,
}


class OversightService(oversight_pb2_grpc.OversightServiceServicer):
    """One instance a server."""

    def __init__(
        self, ledger: Ledger, phi: PhiAccess, figures: Oversight, reads: SecondReads, draws: Draws
    ) -> None:
        self._ledger = ledger
        self._phi = phi
        self._figures = figures
        self._reads = reads
        self._draws = draws

    async def GetSummary(  # noqa: N802
        self, request: oversight_pb2.GetSummaryRequest, context: Context | None = None
    ) -> oversight_pb2.GetSummaryResponse:
        found = await self._figures.summary(current_principal().tenant, _days(request.days))
        answer = oversight_pb2.GetSummaryResponse(
            people=found.people,
            signatures=found.signatures,
            tiers=[
                oversight_pb2.TierFigures(
                    tier=tier.tier,
                    signatures=tier.signatures,
                    people=tier.people,
                    short=None if tier.short is None else _share(tier.short),
                )
                for tier in found.tiers
            ],
            reading_reasons=_reasons(found.reading_reasons),
            rails=[_rail(rail) for rail in found.rails],
            agreement=[_agreement(*one) for one in found.agreement],
            second_reads_waiting=found.waiting,
            alarms=found.alarms,
            planted=found.planted,
            planted_found=None if found.found is None else _share(found.found),
            sound_refused=None if found.refused is None else _share(found.refused),
        )
        answer.since.FromDatetime(found.since)
        return answer

    async def ListFlaggedReviewers(  # noqa: N802
        self, request: oversight_pb2.ListFlaggedReviewersRequest, context: Context | None = None
    ) -> oversight_pb2.ListFlaggedReviewersResponse:
        days = _days(request.days)
        await self._look({"days": days})
        found = await self._figures.flagged(current_principal().tenant, days)
        return oversight_pb2.ListFlaggedReviewersResponse(
            reviewers=[_reviewer(figures, why) for figures, why in found]
        )

    async def GetReviewer(  # noqa: N802
        self, request: oversight_pb2.GetReviewerRequest, context: Context | None = None
    ) -> oversight_pb2.GetReviewerResponse:
        days = _days(request.days)
        if not NAME.fullmatch(request.name):
            raise InvalidRequest([("name", "must be the name of an identity")])
        await self._look({"user": request.name, "days": days})
        tenant = current_principal().tenant
        figures, why, reasons, readings = await self._figures.person(tenant, request.name, days)
        answer = oversight_pb2.GetReviewerResponse(
            figures=_reviewer(figures, why), reading_reasons=_reasons(reasons)
        )
        for one in readings:
            message = answer.readings.add(
                ticket_id=one.ticket_id,
                words=one.words,
                floor_seconds=one.floor_seconds,
                seconds=one.seconds,
                source=one.source,
            )
            message.signed_at.FromDatetime(clock.parse(one.signed_at))
        return answer

    async def ListDraws(  # noqa: N802
        self, request: oversight_pb2.ListDrawsRequest, context: Context | None = None
    ) -> oversight_pb2.ListDrawsResponse:
        answer = oversight_pb2.ListDrawsResponse()
        for row, drawn, read in await self._figures.draws(
            current_principal().tenant, _page(request.page_size)
        ):
            message = answer.draws.add(
                draw_id=row["draw_id"],
                committed_index=row["committed_index"],
                opened_index=row["opened_index"],
                seed=bytes.fromhex(row["seed"] or ""),
                salt=bytes.fromhex(row["salt"] or ""),
                drawn=drawn,
                read=read,
            )
            message.committed_at.FromDatetime(clock.parse(row["committed_at"]))
        return answer

    async def OpenDraw(  # noqa: N802
        self, request: oversight_pb2.OpenDrawRequest, context: Context
    ) -> oversight_pb2.OpenDrawResponse:
        principal = current_principal()
        begun(request).raise_if_any()
        index = await self._draws.open_now(principal, await once_of(self._ledger, principal, request))
        entry = await self._ledger.get_entry(principal.tenant, index)
        return oversight_pb2.OpenDrawResponse(
            receipt=await receipt_message(self._ledger, principal.tenant, index),
            opened=entry.type == OPENED,
        )

    async def ListSecondReads(  # noqa: N802
        self, request: oversight_pb2.ListSecondReadsRequest, context: Context
    ) -> oversight_pb2.ListSecondReadsResponse:
        rows = await self._reads.waiting(current_principal(), _page(request.page_size))
        return oversight_pb2.ListSecondReadsResponse(reads=[_read(row) for row in rows])

    async def GetSecondRead(  # noqa: N802
        self, request: oversight_pb2.GetSecondReadRequest, context: Context
    ) -> oversight_pb2.GetSecondReadResponse:
        permit = await self._phi.permit(request.purpose_of_use)
        again = await self._reads.view(permit, request.read_id)
        return oversight_pb2.GetSecondReadResponse(
            read=_read(again.row),
            output=again.output,
            prompt=again.prompt,
            documents=[
                common_pb2.RetrievedDocument(
                    id=document.id, version=document.version or "", text=document.text
                )
                for document in again.documents
            ],
            findings=[
                finding_message(n, finding, full=True) for n, finding in enumerate(again.result.findings)
            ],
            patient_json=json.dumps(again.patient, sort_keys=True),
        )

    async def DecideSecondRead(  # noqa: N802
        self, request: oversight_pb2.DecideSecondReadRequest, context: Context
    ) -> oversight_pb2.DecideSecondReadResponse:
        principal = current_principal()
        v = begun(request)
        v.check(bool(request.read_id), "read_id", "is required")
        v.raise_if_any()
        index = await self._reads.decide(
            principal,
            request.read_id,
            _ANSWERS.get(request.answer, ""),
            request.reason_code,
            request.note,
            await once_of(self._ledger, principal, request),
        )
        return oversight_pb2.DecideSecondReadResponse(
            receipt=await receipt_message(self._ledger, principal.tenant, index)
        )

    async def _look(self, about: dict[str, object]) -> None:
        """Puts on record that figures of people are looked at, before they are."""
        permit = await self._phi.permit_for(Purpose.QUALITY)
        await self._phi.record(permit, "access.viewed", "peer_review", subject=None, about=about)


def _days(days: int) -> int:
    if days > MAX_DAYS:
        raise InvalidRequest([("days", f"must be 1 to {MAX_DAYS}")])
    return days or DEFAULT_DAYS


def _page(size: int) -> int:
    if size > MAX_PAGE:
        raise InvalidRequest([("page_size", f"must be 1 to {MAX_PAGE}")])
    return size or DEFAULT_PAGE


def _share(share: Share) -> oversight_pb2.ReviewShare:
    found = share.estimate
    return oversight_pb2.ReviewShare(
        hits=share.hits,
        of=share.of,
        permille=_permille(found.value),
        low_permille=_permille(found.low),
        high_permille=_permille(found.high),
    )


def _coefficient(found: Estimate) -> oversight_pb2.Coefficient:
    return oversight_pb2.Coefficient(
        permille=_permille(found.value),
        low_permille=_permille(found.low),
        high_permille=_permille(found.high),
    )


def _permille(value: float | None) -> int | None:
    return None if value is None else round(value * 1000)


def _reasons(counts: Iterable[tuple[str, int]]) -> list[oversight_pb2.ReasonCount]:
    return [oversight_pb2.ReasonCount(reason_code=code, count=count) for code, count in counts]


def _rail(rail: Rail) -> oversight_pb2.RailFigures:
    return oversight_pb2.RailFigures(
        rail=rail.rail,
        code=rail.code,
        precision=_share(rail.precision),
        fixed=rail.fixed,
        accepted=rail.accepted,
        false_alarms=rail.false_alarms,
        reasons=_reasons(rail.reasons),
        noisy=rail.noisy,
    )


def _agreement(policy: str, basis: str, found: Agreement) -> oversight_pb2.AgreementFigures:
    return oversight_pb2.AgreementFigures(
        policy=policy,
        basis=basis,
        pairs=found.pairs,
        agreed=found.agreed,
        kappa=_coefficient(found.kappa),
        ac1=_coefficient(found.ac1),
    )


def _reviewer(figures: Figures, why: Iterable[str]) -> oversight_pb2.ReviewerFigures:
    return oversight_pb2.ReviewerFigures(
        name=figures.name,
        flags=[_FLAGS[flag] for flag in why],
        signatures=figures.signatures,
        short=_share(Share(figures.short, figures.measured)),
        missed=_share(Share(figures.missed, figures.read_again)),
        alarms=figures.alarms,
        planted_found=_share(Share(figures.found, figures.planted)),
        sound_refused=_share(Share(figures.refused, figures.sound)),
    )


def _read(row: RowMapping) -> oversight_pb2.SecondRead:
    message = oversight_pb2.SecondRead(read_id=row["read_id"], policy=row["policy"])
    message.sampled_at.FromDatetime(clock.parse(row["sampled_at"]))
    return message
