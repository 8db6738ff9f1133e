"""Verifying service keys under attack: what argon2 is spent on, who is refused, and who is not."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from attending.server.auth import key_verifier
from attending.server.auth.key_verifier import (
    HASHING,
    REMEMBER_SECONDS,
    TRIES,
    WAITING,
    WINDOW_SECONDS,
    KeyVerifier,
)
from attending.server.errors import AttendingError
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PREFIX = "0123abcd"


def token(number: int, prefix: str = PREFIX) -> str:
    return f"att_{prefix}_{number:043d}"


class Argon2:
    """Says that a token fits the hash `hash of <token>`, counts, and can be held up or made to fail."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.go = threading.Event()
        self.go.set()
        self.fault: Exception | None = None

    def __call__(self, given: str, phc: str) -> bool:
        self.asked[given] += 1
        assert self.go.wait(30)
        if self.fault is not None:
            raise self.fault
        return phc == f"hash of {given}"


class World:
    """A verifier with its clock: `seconds` is the monotonic one, `now` the calendar's."""

    def __init__(self) -> None:
        self.argon2 = Argon2()
        self.seconds = 1000.0
        self.now = NOW
        self.verifier = KeyVerifier(lambda: self.now, monotonic=lambda: self.seconds, matching=self.argon2)

    async def check(self, given: str, right: str | None = None, expires: datetime | None = None) -> str:
        """`OK` or the reason of the refusal; `right` is the token whose hash is kept."""
        try:
            await self.verifier.check(given, given[4:12], f"hash of {right or given}", expires)
        except AttendingError as err:
            self.error = err
            return err.reason
        return "OK"


async def test_a_key_is_verified_once_and_remembered_for_a_while() -> None:
    world = World()
    for _ in range(3):
        assert await world.check(token(1)) == "OK"
    assert world.argon2.asked[token(1)] == 1
    world.seconds += REMEMBER_SECONDS
    assert await world.check(token(1)) == "OK"
    assert world.argon2.asked[token(1)] == 2


async def test_the_table_holds_no_token() -> None:
    world = World()
    secret = token(987654321)
    assert await world.check(secret) == "OK"
    assert world.verifier.remembered == 1
    held = repr(vars(world.verifier)) + repr(list(world.verifier._remembered))
    assert secret not in held.replace(f"hash of {secret}", "")
    assert secret.encode() not in b"".join(world.verifier._remembered)


async def test_two_processes_remember_one_token_under_different_names() -> None:
    one, two = World(), World()
    await one.check(token(1))
    await two.check(token(1))
    assert set(one.verifier._remembered).isdisjoint(two.verifier._remembered)


async def test_a_hash_that_was_replaced_is_asked_again() -> None:
    world = World()
    assert await world.check(token(1)) == "OK"
    assert await world.check(token(1), right=token(2)) == "INVALID_CREDENTIAL"
    assert world.verifier.remembered == 0


async def test_a_key_is_forgotten_when_it_expires_and_was_right_until_then() -> None:
    world = World()
    expires = NOW + timedelta(minutes=1)
    assert await world.check(token(1), expires=expires) == "OK"
    world.now = expires
    assert await world.check(token(1), expires=expires) == "CREDENTIAL_EXPIRED"
    assert world.verifier.remembered == 0
    assert await world.check(token(2), right=token(1), expires=expires) == "INVALID_CREDENTIAL"


async def test_an_expired_key_does_not_buy_argon2_for_ever() -> None:
    world = World()
    answers = [await world.check(token(1), expires=NOW) for _ in range(TRIES + 3)]
    assert answers == ["CREDENTIAL_EXPIRED"] * TRIES + ["TOO_MANY_ATTEMPTS"] * 3
    assert world.argon2.asked[token(1)] == TRIES


async def test_failed_tries_of_a_prefix_are_limited_and_the_limit_ends() -> None:
    world = World()
    for number in range(TRIES):
        assert await world.check(token(number), right=token(99)) == "INVALID_CREDENTIAL"
        world.seconds += 1
    assert await world.check(token(50), right=token(99)) == "TOO_MANY_ATTEMPTS"
    assert world.error.retry_after_seconds == WINDOW_SECONDS - TRIES
    assert world.argon2.asked[token(50)] == 0
    assert await world.check(token(7, "ffffffff")) == "OK"
    world.seconds += WINDOW_SECONDS - TRIES
    assert await world.check(token(99)) == "OK"


async def test_an_attacker_does_not_lock_out_a_holder_who_is_remembered() -> None:
    world = World()
    assert await world.check(token(99)) == "OK"
    for number in range(TRIES + 1):
        await world.check(token(number), right=token(99))
    assert await world.check(token(0), right=token(99)) == "TOO_MANY_ATTEMPTS"
    assert await world.check(token(99)) == "OK"
    world.seconds += REMEMBER_SECONDS
    for number in range(TRIES + 1):
        await world.check(token(number), right=token(99))
    assert await world.check(token(0), right=token(99)) == "TOO_MANY_ATTEMPTS"
    # Due for another verification, amid the attack.
    assert await world.check(token(99)) == "OK"
    assert world.argon2.asked[token(99)] == 2


async def test_tries_at_once_count_before_they_end() -> None:
    world = World()
    world.argon2.go.clear()
    tries = [asyncio.create_task(world.check(token(n), right=token(99))) for n in range(TRIES + 20)]
    await asyncio.wait(tries[TRIES:], timeout=30)
    world.argon2.go.set()
    answers = Counter(await asyncio.gather(*tries))
    assert answers == {"INVALID_CREDENTIAL": TRIES, "TOO_MANY_ATTEMPTS": 20}
    assert sum(world.argon2.asked.values()) == TRIES


async def test_callers_with_one_token_share_one_verification() -> None:
    world = World()
    world.argon2.go.clear()
    calls = [asyncio.create_task(world.check(token(1))) for _ in range(200)]
    await asyncio.sleep(0)
    calls[0].cancel()
    await asyncio.sleep(0)
    world.argon2.go.set()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1:] == ["OK"] * 199
    assert world.argon2.asked[token(1)] == 1


async def test_those_who_wait_are_bounded_and_the_remembered_do_not_wait() -> None:
    world = World()
    assert await world.check(token(1, "eeeeeeee")) == "OK"
    world.argon2.go.clear()
    waiting = [asyncio.create_task(world.check(token(1, f"{n:08x}"))) for n in range(WAITING)]
    await asyncio.sleep(0)
    assert await world.check(token(1, "ffffffff")) == "AUTHENTICATION_BUSY"
    assert world.error.retry_after_seconds
    assert await world.check(token(1, "eeeeeeee")) == "OK"
    world.argon2.go.set()
    assert await asyncio.gather(*waiting) == ["OK"] * WAITING


async def test_only_so_many_new_keys_are_hashed_at_once() -> None:
    """Whoever makes keys takes the threads from those who come with theirs: a few at a time, also of who hung up."""
    go = threading.Event()

    def slow(given: str) -> str:
        assert go.wait(30)
        if given == "no memory":
            raise MemoryError
        return f"hash of {given}"

    async def outcome(given: str) -> str:
        try:
            return await verifier.hash(given)
        except AttendingError as err:
            return err.reason if err.retry_after_seconds else "for ever"

    verifier = KeyVerifier(hashing=slow)
    making = [asyncio.create_task(outcome(name)) for name in ("a", "b", "no memory", "gone")]
    assert len(making) == HASHING
    await asyncio.sleep(0)
    making[3].cancel()
    await asyncio.sleep(0)
    assert await outcome("one more") == "AUTHENTICATION_BUSY"
    go.set()
    assert await asyncio.gather(*making[:3]) == ["hash of a", "hash of b", "AUTHENTICATION_BUSY"]
    while (after := await outcome("again")) == "AUTHENTICATION_BUSY":
        await asyncio.sleep(0)
    assert after == "hash of again"


async def test_argon2_that_fails_is_nobodys_failed_try() -> None:
    world = World()
    world.argon2.fault = MemoryError()
    for _ in range(TRIES + 1):
        assert await world.check(token(1)) == "AUTHENTICATION_BUSY"
    world.argon2.fault = None
    assert await world.check(token(1)) == "OK"


async def test_the_table_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_verifier, "REMEMBERED", 3)
    world = World()
    for number in range(5):
        assert await world.check(token(1, f"{number:08x}")) == "OK"
    assert world.verifier.remembered == 3
    # The least recently used went first.
    assert await world.check(token(1, "00000004")) == "OK"
    assert await world.check(token(1, "00000000")) == "OK"
    assert world.argon2.asked[token(1, "00000004")] == 1
    assert world.argon2.asked[token(1, "00000000")] == 2


async def test_a_prefix_whose_tries_ended_well_leaves_nothing_behind() -> None:
    world = World()
    await world.check(token(1))
    assert world.verifier._tries == {}
    world.verifier.forget(token(1))
    assert world.verifier.remembered == 0


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wrong"), st.integers(0, 30)),
        st.tuples(st.just("wait"), st.sampled_from([1, 15, int(WINDOW_SECONDS), int(REMEMBER_SECONDS)])),
        st.tuples(st.just("holder"), st.just(0)),
    ),
    max_size=60,
)


@settings(deadline=None, max_examples=60)
@given(_STEPS)
def test_whatever_happens_a_remembered_holder_gets_in_and_guesses_stay_few(
    steps: list[tuple[str, int]],
) -> None:
    async def run() -> None:
        world, spent = World(), []
        assert await world.check(token(99)) == "OK"
        for what, number in steps:
            if what == "wait":
                world.seconds += number
            elif what == "holder":
                assert await world.check(token(99)) == "OK"
            else:
                before = sum(world.argon2.asked.values())
                answer = await world.check(token(number), right=token(99))
                tried = sum(world.argon2.asked.values()) > before
                assert answer == ("INVALID_CREDENTIAL" if tried else "TOO_MANY_ATTEMPTS")
                spent += [world.seconds] if tried else []
                recent = [moment for moment in spent if moment > world.seconds - WINDOW_SECONDS]
                assert len(recent) <= TRIES
                assert tried or len(recent) == TRIES

    asyncio.run(run())
