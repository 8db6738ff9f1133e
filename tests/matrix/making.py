"""Makers: for each rpc, complete and valid requests that name things of a tenant.

A new rpc takes a maker in `tests/matrix/makers/<service>.py`; a new file there is found by itself. What a request names
comes from `Things`: a new kind of thing is a field there, whose default exists nowhere, and a line in
`tests/matrix/furnish.py` that makes a real one.
"""

from __future__ import annotations

import importlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from attending.v1 import common_pb2
from google.protobuf.message import Message

TARGET: Final = "pager"
"""A target of notices that every tenant has."""
NOBODY: Final = "0" * 32
EVERYBODYS: Final = common_pb2.PURPOSE_OF_USE_PATIENT_SAFETY
"""A purpose of every role that may see texts, so that nobody is stopped for theirs."""
INFERENCE_NOWHERE: Final = f"inf_{NOBODY}"


@dataclass(frozen=True)
class Things:
    """What a request may name. Each default exists nowhere."""

    inference: str = INFERENCE_NOWHERE
    """Held, and claimed by the clinician."""
    released: str = f"inf_{'1' * 32}"
    withdrawn: str = f"inf_{'2' * 32}"
    """Released, and taken back; nobody has taken notice."""
    ticket: str = f"tkt_{NOBODY}"
    unclaimed: str = f"tkt_{'1' * 32}"
    breakable: str = f"tkt_{'2' * 32}"
    """Held by a policy that lets a clinician break glass."""
    broken: str = f"inf_{'3' * 32}"
    """Released by break-glass, and not reviewed."""
    lease: str = f"lse_{NOBODY}"
    withheld: str = f"tkt_{'3' * 32}"
    """Claimed by the clinician, who has not said their own view of it."""
    withheld_lease: str = f"lse_{'3' * 32}"
    colleague: str = "matrix-nobody"
    """Who may be handed `ticket`."""
    finding: int = 0
    signing_key: str = "0" * 16
    preparation: str = f"prp_{NOBODY}"
    signature: bytes = b"x" * 64
    prompt: str = "matrix/nowhere"
    version: str = f"sha256:{NOBODY * 2}"
    subject: str = "sub_" + "A" * 26
    other: str = "sub_" + "B" * 26
    """Linked with `subject`."""
    on_hold: str = "sub_" + "C" * 26
    hold: str = f"hold_{NOBODY[:24]}"
    mrn: str = "MRN-0000000"
    """Of `subject`."""
    emitter: str = f"matrix-{NOBODY}"
    user: str = f"matrix-{NOBODY}"
    """A program that was enrolled, and waits for its proofing."""
    user_version: int = 1
    credential: str = f"crd_{NOBODY[:24]}"
    """A service key of `user`."""
    person: str = f"matrix-{NOBODY}"
    """The second clinician."""
    invitation: str = "inv_00000000"
    """Of `person`, and waits for an officer."""
    emergency: str = f"emg_{NOBODY[:24]}"
    """Open, of the second clinician."""
    notice: str = f"ntc_{NOBODY}"
    """Given up for TARGET."""
    ended_emergency: str = f"emg_{'1' * 24}"
    exception: int = 2**40
    """Index of an exception of the privacy officer's examination."""
    examination: str = f"prx_{NOBODY}"
    """Prepared by the safety officer, with its signature."""
    examination_signature: bytes = b"x" * 64
    officer_key: str = "1" * 16
    """Enrolled to the privacy officer, who has nothing open."""
    report: str = f"rep_{NOBODY}"
    """Made, and not signed off."""
    signed_report: str = f"rep_{'1' * 32}"
    """Signed off, and not issued."""
    unwanted_report: str = f"rep_{'2' * 32}"
    """Asked for, and nothing more."""
    report_preparation: str = f"rpp_{NOBODY}"
    """Of another one, by the safety officer, with its signature."""
    report_signature: bytes = b"x" * 64
    officers_key: str = "2" * 16
    """Of the safety officer."""
    second_read: str = f"red_{NOBODY}"
    """Drawn, and waits for a second reader."""


Request = Message | list[Message]


@dataclass(frozen=True)
class Maker:
    """How to ask for one rpc.

    `make` gives the request, or the messages of a client's stream. `by` is a role that may do it and for which it
    succeeds with real things. `own`: it names nothing of a tenant, or what it names is looked for in the caller's own
    log alone, so that it succeeds for another tenant too and shows that tenant's own. `fresh`: a success uses up what
    it names (a ticket, a lease, a subject). `refused` is the reason that it gets with real things where no call makes
    what it needs; tests of the service see it succeed.
    """

    method: str
    variant: str
    make: Callable[[Things], Request]
    by: str
    own: bool
    fresh: bool
    refused: str = ""

    def __str__(self) -> str:
        return f"{self.method.rpartition('/')[2]} {self.variant}".strip()


_MAKERS: Final[list[Maker]] = []


def maker(
    method: str, by: str, *, variant: str = "", own: bool = False, fresh: bool = False, refused: str = ""
) -> Callable[[Callable[[Things], Request]], Callable[[Things], Request]]:
    """Registers the function as a maker of `Service/Method`."""

    def register(make: Callable[[Things], Request]) -> Callable[[Things], Request]:
        _MAKERS.append(Maker(f"/attending.v1.{method}", variant, make, by, own, fresh, refused))
        return make

    return register


@cache
def makers() -> tuple[Maker, ...]:
    """Every maker of the files in `makers/`."""
    for path in sorted((Path(__file__).parent / "makers").glob("*.py")):
        importlib.import_module(f"tests.matrix.makers.{path.stem}")
    return tuple(_MAKERS)


def key() -> str:
    """A fresh idempotency key."""
    return uuid.uuid4().hex
