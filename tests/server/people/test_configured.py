"""Identities of the configuration stand in the log: once, whoever starts first, and never again after they left."""

from __future__ import annotations

import asyncio

import pytest
from attending.server.auth.authenticate import Directory
from attending.server.errors import ConfigurationError, Unavailable
from attending.server.people.account import State
from attending.server.people.configured import record_configured
from attending.server.people.present import Present
from attending.server.people.registry import user_stream

from tests.server.people.conftest import CONFIGURED, TENANT, Office, fresh, open_office, order, section


async def start(office: Office, *identities: object, demo: bool = False) -> None:
    await record_configured(office.ledger, [TENANT], identities, "srv-next", office.clock, demo=demo)  # type: ignore[arg-type]


async def test_several_processes_that_start_at_once_write_one_entry(office: Office) -> None:
    more = (*CONFIGURED, section("amara", "clinician", display_name="Dr Amara Okafor"))
    await asyncio.gather(*(start(office, *more) for _ in range(6)))
    entries = await office.ledger.stream_entries(TENANT, user_stream("amara"))
    assert [entry.type for entry in entries] == ["user.enrolled"]
    body = entries[0].body
    assert (body["source"], body["demo"], body["roles"]) == ("configuration", False, ["clinician"])
    assert body["configured"] == ["certificate_uri:spiffe://test/amara"]
    assert b"Okafor" not in entries[0].data
    await asyncio.gather(*(start(office, *CONFIGURED) for _ in range(6)))
    assert await office.types(user_stream("amara")) == ["user.enrolled", "user.revoked"]


async def test_a_start_says_nothing_that_was_said_before_and_what_changed_once(office: Office) -> None:
    await start(office, *CONFIGURED)
    assert await office.types(user_stream("olga")) == ["user.enrolled"]
    other = [section("olga", "operator", "auditor"), *CONFIGURED[1:]]
    await start(office, *other)
    await start(office, *other)
    assert await office.types(user_stream("olga")) == ["user.enrolled", "user.enrolled"]
    account = await office.registry.get(TENANT, "olga")
    assert account.in_force is not None
    assert account.in_force.terms.roles == ("auditor", "operator")
    assert account.pending is None


async def test_demo_identities_say_so(office: Office) -> None:
    await start(office, *CONFIGURED, demo=True)
    assert (await office.registry.get(TENANT, "olga")).demo


async def test_who_left_the_file_cannot_come_back_by_it(office: Office) -> None:
    await start(office, *CONFIGURED[:-1])
    with pytest.raises(ConfigurationError) as caught:
        await start(office, *CONFIGURED)
    assert caught.value.reason == "NAME_SPENT"


async def test_the_file_does_not_take_the_name_of_somebody_enrolled(office: Office) -> None:
    await office.registry.enrol(office.olga, order("amara", "clinician"), fresh())
    with pytest.raises(ConfigurationError) as caught:
        await start(office, *CONFIGURED, section("amara", "operator"))
    assert caught.value.reason == "NAME_TAKEN"


async def test_whom_an_officer_revoked_stays_out_although_the_file_names_them(office: Office) -> None:
    assert await office.enter("portal") is not None
    await office.registry.revoke(office.priya, "portal", "misuse", fresh())
    assert await office.enter("portal") is None
    again = await open_office(office.folder, office.ledger, office.clock)
    assert await again.enter("portal") is None
    assert (await again.registry.get(TENANT, "portal")).state is State.REVOKED
    await again.present.close()


async def test_another_process_learns_of_a_revocation_when_it_asks(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(office.ledger), "shared", property(lambda _self: True))
    moment = 0.0
    other = Present(office.configured, poll_seconds=30.0, monotonic=lambda: moment)
    await other.start(office.ledger, [TENANT])
    directory = Directory((), office.clock)
    directory.add(other)
    await office.registry.revoke(office.priya, "portal", "misuse", fresh())
    names = {one.name for one in other.current().all}
    assert "portal" in names
    await other.poll()
    assert "portal" not in {one.name for one in other.current().all}
    # A process that could not ask for too long lets nobody in.
    moment = 90.1
    with pytest.raises(Unavailable) as caught:
        directory.principals()
    assert caught.value.reason == "IDENTITIES_STALE"
    await other.poll()
    assert directory.principals()
    await other.close()
