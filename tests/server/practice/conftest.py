"""The desk of the review tests, with a catalogue of two items under its fake checks, and people who read them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from attending.ledger.practice import OPEN, SEEDED, new_key, seeded_id
from attending.server.inference.call import new_id
from attending.server.practice.catalogue import Catalogue, PracticeItem, Rails
from attending.server.practice.mark import Mark
from attending.server.practice.opening import OPENLY, Openings, Pattern
from attending.server.review.desk import Desk

from tests.server.inference.conftest import TENANT, gate, policies
from tests.server.review.conftest import (
    ASSIGNMENT_SECONDS,
    LEASE_SECONDS,
    Person,
    Ward,
    opened_ward,
    phi_of,
)

__all__ = ["gate", "policies"]

POLICY = "discharge-plan"
PLANTED = "Metformin 1000 mg twice daily"


def item(name: str, *, error: bool, newcomer: bool = False) -> PracticeItem:
    return PracticeItem(
        id=name,
        policy=POLICY,
        newcomer=newcomer,
        kind="error" if error else "sound",
        error="renal" if error else None,
        planted=PLANTED if error else None,
        patient={"identity": {"names": ["Ida Quill"]}, "egfr": 24},
        prompt="Write the plan.",
        output=f"HOLD this. {PLANTED}. Walk daily." if error else "HOLD this. Walk daily.",
        good_reader="Does it well.",
        debrief="Because of the kidneys.",
        source="A label",
        rails=Rails(codes=(), sees=False),
    )


CATALOGUE = Catalogue("c" * 64, (item("wrong", error=True, newcomer=True), item("sound", error=False)))


@dataclass(frozen=True)
class Put:
    """An item on the desk."""

    ticket: str
    inference: str
    mark: Mark


@dataclass
class Room:
    """The ward with practice items."""

    ward: Ward
    openings: Openings

    @property
    def people(self) -> dict[str, Person]:
        return {"rivera": self.ward.rivera, "chen": self.ward.chen}

    @property
    def desk(self) -> Desk:
        return self.ward.desk

    async def put(self, name: str = "wrong", *, reader: str | None = None) -> Put:
        """Opens an item: openly for `reader`, or seeded."""
        key, ticket = new_key(), new_id("tkt")
        if reader is None:
            inference, mark = seeded_id(key, name), Mark(SEEDED, name, CATALOGUE.hash, key.hex())
        else:
            inference, mark = new_id("inf"), Mark(OPEN, name, CATALOGUE.hash)
        pattern = OPENLY if reader is not None else LIKE_AN_APPLICATION
        assert await self.openings.open(
            TENANT,
            self.ward.gate.policies[POLICY],
            CATALOGUE[name],
            inference_id=inference,
            ticket=ticket,
            mark=mark,
            pattern=pattern,
            reader=None if reader is None else self.people[reader].principal,
        )
        return Put(ticket, inference, mark)


LIKE_AN_APPLICATION = Pattern(
    requested={**OPENLY.requested, "entry_point": "infer", "calling_app": "app-1", "provider": "scripted"},
    generated={"fingerprint": None, "finish_reason": "stop", "usage": {}, "model": "scripted-1"},
)


@pytest.fixture
async def room(gate: gate) -> Room:  # type: ignore[valid-type]
    ward = await opened_ward(gate)
    desk = Desk(
        ledger=ward.gate.ledger,
        guard=ward.gate.checker,
        policies=ward.gate.policies,
        changes=ward.gate.changes,
        switch=ward.gate.switch,
        phi=phi_of(ward.gate),
        lease_seconds=LEASE_SECONDS,
        preparation_seconds=600,
        assignment_seconds=ASSIGNMENT_SECONDS,
        people=lambda: [ward.rivera.principal, ward.chen.principal],
        now=ward.gate.clock,
        catalogue=CATALOGUE,
    )
    ward.desk = desk
    openings = Openings(
        ward.gate.ledger,
        ward.gate.switch,
        ward.gate.changes,
        ward.gate.checker,
        CATALOGUE,
        "srv-test",
        ward.gate.clock,
    )
    return Room(ward, openings)
