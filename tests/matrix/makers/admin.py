"""AdminService. Halts a policy that no other call is under."""

from __future__ import annotations

from attending.v1 import admin_pb2

from tests.e2e.configured_server import SPARE_POLICY
from tests.matrix.making import Things, key, maker

_halted_by = [key()]


@maker("AdminService/Halt", "safety_officer", own=True)
def halt(_things: Things) -> admin_pb2.HaltRequest:
    _halted_by[0] = key()
    return admin_pb2.HaltRequest(
        idempotency_key=_halted_by[0], reason=admin_pb2.HALT_REASON_DRILL, policy=SPARE_POLICY
    )


@maker("AdminService/Resume", "safety_officer", own=True)
def resume(_things: Things) -> admin_pb2.ResumeRequest:
    """Ends that halt, however often it is asked: a halt that has ended cannot be ended by another call."""
    return admin_pb2.ResumeRequest(
        idempotency_key=f"resume-{_halted_by[0]}", reason=admin_pb2.RESUME_REASON_ENDED, policy=SPARE_POLICY
    )


@maker("AdminService/GetHalt", "safety_officer", own=True)
def get_halt(_things: Things) -> admin_pb2.GetHaltRequest:
    return admin_pb2.GetHaltRequest()
