"""Sessions of the console: on record, over in time, and never by a guess."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import StoreUnavailable
from attending.server.auth.principal import Principal
from attending.server.console.links import Links
from attending.server.console.places import Places
from attending.server.console.sessions import MAX_LAUNCHES, MAX_OF_ONE_PERSON, Sessions

WHO = Principal("rivera", "north", "human", frozenset({"clinician"}), "Dr Rivera", "oidc")


class Clock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def on(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


class Log:
    """Takes entries, or is down."""

    def __init__(self) -> None:
        self.entries: list[PendingEntry] = []
        self.down = False

    async def append(self, _tenant: str, pending: list[PendingEntry]) -> None:
        if self.down:
            raise StoreUnavailable("down")
        self.entries += pending

    def told(self) -> list[tuple[str, Any]]:
        return [(e.type, e.body.get("reason", e.body.get("concurrent"))) for e in self.entries]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def sessions(log: Log, clock: Clock) -> Sessions:
    return Sessions(log, idle_seconds=900, longest_seconds=3600, now=clock)  # type: ignore[arg-type]


class Shared:
    """A ledger of several processes, as far as `Places` asks."""

    def __init__(self, *live: str, shared: bool = True) -> None:
        self.shared = shared
        self.live = live
        self.asked = 0

    async def live_owners(self) -> list[str]:
        self.asked += 1
        return list(self.live)


async def test_a_token_of_another_process_that_lives_is_elsewhere(log: Log, clock: Clock) -> None:
    moment = 0.0
    ledger = Shared("srv-a", "srv-b")
    places = Places(ledger, "srv-b", lambda: moment)  # type: ignore[arg-type]
    sessions = Sessions(
        log,  # type: ignore[arg-type]
        idle_seconds=900,
        longest_seconds=3600,
        now=clock,
        place=Places(ledger, "srv-a").own,  # type: ignore[arg-type]
    )
    _session, token = await sessions.begin(WHO)
    assert "srv-a" not in token
    assert await places.is_elsewhere(token)
    # Of this process, of none, or of one that is dead: over, and nothing to wait for.
    for over in (f"{places.own}.guess", "guess", "", ".", "000000000000.guess"):
        assert not await places.is_elsewhere(over)
    assert ledger.asked == 1
    ledger.live = ("srv-b",)
    moment = 1.0
    assert not await places.is_elsewhere(token)
    alone = Places(Shared("srv-a", shared=False), "srv-b")  # type: ignore[arg-type]
    assert not await alone.is_elsewhere(token)


async def test_a_session_knows_its_newest_launches_and_whose_they_are(sessions: Sessions) -> None:
    session, _token = await sessions.begin(WHO)
    made = [session.launched(f"Patient/{number}") for number in range(MAX_LAUNCHES + 1)]
    assert list(session.launches) == [one.launch_id for one in made[1:]]
    # Nobody is nobody's launch, also while nobody has looked who a launch is for.
    assert session.launch_of(None) is None
    assert session.launch_of("sub_1") is None
    made[0].subjects = made[3].subjects = made[5].subjects = frozenset({"sub_1"})
    assert session.launch_of("sub_1") is made[5]
    assert session.launch_of("sub_2") is None
    assert "Patient/" not in repr(session)


async def test_a_session_ends_when_nothing_is_done_and_at_the_latest(
    sessions: Sessions, log: Log, clock: Clock
) -> None:
    session, token = await sessions.begin(WHO)
    clock.on(899)
    assert sessions.find(token) is session
    sessions.touch(session)
    clock.on(899)
    assert sessions.find(token) is session
    clock.on(1)
    assert sessions.find(token) is None
    assert not sessions.alive(session)
    again, token = await sessions.begin(WHO)
    for _ in range(4):
        clock.on(890)
        sessions.touch(again)
    clock.on(40)
    # Whatever was done in it: an hour is over.
    assert sessions.find(token) is None
    await sessions.sweep()
    assert log.told() == [
        ("session.started", 0),
        ("session.ended", "idle"),
        ("session.started", 0),
        ("session.ended", "expired"),
    ]
    assert {entry.actor for entry in log.entries} == {"human:rivera"}
    assert len({entry.stream for entry in log.entries}) == 2


async def test_nobody_is_let_in_off_the_record_and_everybody_out(sessions: Sessions, log: Log) -> None:
    log.down = True
    with pytest.raises(StoreUnavailable):
        await sessions.begin(WHO)
    assert sessions.of("north", "rivera") == []
    log.down = False
    session, token = await sessions.begin(WHO)
    log.down = True
    with pytest.raises(StoreUnavailable):
        await sessions.end(session, "signed_out")
    assert sessions.find(token) is None


async def test_a_token_is_nowhere_but_in_the_browser(sessions: Sessions, log: Log) -> None:
    session, token = await sessions.begin(WHO)
    assert token not in repr([entry.body for entry in log.entries]) + repr(session) + repr(vars(sessions))
    assert session.csrf not in repr(session)
    for other in ("", token[:-1], token + "x", session.session_id, "\ud800"):
        assert sessions.find(other) is None


async def test_other_sessions_are_told_of_and_have_a_bound(
    sessions: Sessions, log: Log, clock: Clock
) -> None:
    first, _token = await sessions.begin(WHO)
    for _ in range(MAX_OF_ONE_PERSON):
        clock.on(1)
        await sessions.begin(WHO)
    assert len(sessions.of("north", "rivera")) == MAX_OF_ONE_PERSON
    assert not sessions.alive(first)
    assert sessions.of("south", "rivera") == []
    assert [n for kind, n in log.told() if kind == "session.started"][:3] == [0, 1, 2]
    assert ("session.ended", "replaced") in log.told()
    await sessions.end_all()
    assert sessions.of("north", "rivera") == []
    assert [reason for _kind, reason in log.told()].count("server_stopped") == MAX_OF_ONE_PERSON


def test_a_link_is_good_once_and_for_a_minute(clock: Clock) -> None:
    links = Links(clock)
    secret = links.make("north", "rivera")
    late = links.make("north", "rivera")
    assert links.take("guess") is None
    assert links.take(secret) == ("north", "rivera")
    assert links.take(secret) is None
    clock.on(60)
    assert links.take(late) is None


async def test_a_session_says_how_long_ago_another_address_was_in_use(
    sessions: Sessions, log: Log, clock: Clock
) -> None:
    await sessions.begin(WHO, address="10.0.0.1")
    clock.on(40)
    await sessions.begin(WHO, address="10.0.0.1")
    await sessions.begin(WHO, address="10.0.0.2")
    assert [e.body["elsewhere_seconds"] for e in log.entries] == [None, None, 0]
    clock.on(90)
    await sessions.begin(WHO, address="10.0.0.2")
    assert [e.body["elsewhere_seconds"] for e in log.entries][-1] == 90
    assert "10.0.0" not in str([e.body for e in log.entries])
