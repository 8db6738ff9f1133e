"""BreakGlassService."""

from __future__ import annotations

from attending.v1 import break_glass_pb2, emergency_pb2

from tests.matrix.making import Things, key, maker


@maker("BreakGlassService/BreakGlass", "clinician", fresh=True)
def use(things: Things) -> break_glass_pb2.BreakGlassRequest:
    return break_glass_pb2.BreakGlassRequest(
        idempotency_key=key(),
        ticket_id=things.breakable,
        reason=emergency_pb2.EMERGENCY_REASON_PATIENT_IN_DANGER,
        note="A note.",
    )


@maker("BreakGlassService/ListBreakGlass", "auditor", own=True)
def list_uses(_things: Things) -> break_glass_pb2.ListBreakGlassRequest:
    return break_glass_pb2.ListBreakGlassRequest()


@maker("BreakGlassService/ReviewBreakGlass", "safety_officer", fresh=True)
def review(things: Things) -> break_glass_pb2.ReviewBreakGlassRequest:
    return break_glass_pb2.ReviewBreakGlassRequest(
        idempotency_key=key(),
        inference_id=things.broken,
        outcome=emergency_pb2.EMERGENCY_OUTCOME_JUSTIFIED,
    )
