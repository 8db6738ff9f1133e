"""A record system is told nothing of a practice item, marked or planted, and nobody is told that it was not."""

from __future__ import annotations

from pathlib import Path

from tests.server.fhir.fhir_server import FhirServer
from tests.server.fhir.test_push import disclosures, done, outbox, push, server, writing
from tests.server.practice.conftest import Room
from tests.server.review.test_desk import claim, fresh, held, ticket_of

__all__ = ["server"]


async def test_nothing_of_it_is_written_and_nothing_is_given_up(
    room: Room, server: FhirServer, tmp_path: Path
) -> None:
    ward, who = room.ward, room.ward.rivera
    async with writing(outbox(push(server, ward, tmp_path), ward)):
        for put in (await room.put(), await room.put("sound", reader="rivera")):
            lease = await claim(ward, put.ticket, who)
            await room.desk.reject(who.principal, put.ticket, lease, "unsafe", "", fresh())  # type: ignore[arg-type]
        real = await held(ward)
        bodies = await done(ward)
        assert [one["id"] for one in server.of("Task")] == [ticket_of(real).replace("_", "-")]
    assert [one for body in bodies for one in body["dead"]] == []
    assert {one.body["inference"] for one in await disclosures(ward)} == {real.inference_id}
