"""A control and what a log says to it, as the wire has it."""

from __future__ import annotations

from attending.server.controls.evaluation import Evaluated
from attending.server.controls.matrix import Checks, Entries
from attending.v1 import report_pb2


def control_message(one: Evaluated) -> report_pb2.EvaluateControlsResponse:
    """The event of a stream that tells of one control."""
    control = one.control
    evidence = control.evidence
    return report_pb2.EvaluateControlsResponse(
        control=report_pb2.EvaluateControlsResponse.Control(
            control_id=control.id,
            reference=control.reference,
            requirement=control.requirement,
            status=report_pb2.ControlStatus.Value(f"CONTROL_STATUS_{control.status.upper()}"),
            as_of=control.as_of.isoformat(),
            wording_from_memory=control.wording == "from_memory",
            result=report_pb2.ControlResult.Value(f"CONTROL_RESULT_{one.result.value.upper()}"),
            met=one.met,
            failed=one.failed,
            undecided=one.undecided,
            evidence=one.evidence,
            failures=one.failures,
            undecided_at=one.undecided_at,
            checks=evidence.checks if isinstance(evidence, Entries | Checks) else (),
            note=one.note,
            limits=control.limits or "",
        )
    )
