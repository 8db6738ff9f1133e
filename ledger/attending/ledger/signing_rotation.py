"""Rotating a log's signing key while the log is in use.

  1. the new key is made and lies in the folder, durable and opened once; nothing names it yet
  2. one append, alone in its group: who ordered it (`key.rotated` in the stream `keys`), and the rotation itself
  3. the head right after it is signed by both keys and stored as the introduction, before anything larger is signed
  4. the old key is destroyed
A crash after 1 leaves a key that signs nothing, which the next call takes. A crash after 2: whoever reads the log next,
this process or another one, does step 3 before it signs. A crash after 3: the next start, or the same call again, does
step 4. Steps 2 and 3 are the sequencer's; until it has signed the introduction both keys are there, from it on only the
new one is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attending.ledger.custody.reads import Inside, Order
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import CorruptLog, ExpectationFailed, KeyGenerations
from attending.ledger.introduction import KIND, MAX_INTRODUCTIONS, STREAM, TYPE, rotating_entry
from attending.ledger.key_files import SigningKey
from attending.ledger.rotation import ATTEMPTS, Rotated
from attending.ledger.rotation import STREAM as ORDERS
from attending.ledger.signing import KEY_MISMATCH, Signing, current_of
from attending.ledger.submission import Expectation, NewSigner

_MAX_MADE: Final = 4
"""Keys made for one rotation: one whose id of 4 bytes an earlier key of the log had cannot be told from that."""


class SigningRotator:
    """The door methods. Safe for many tasks of the ledger's event loop, and beside other processes."""

    def __init__(self, inside: Inside, signing: Callable[[str], Signing]) -> None:
        """`signing` is what this process knows of a log's keys; NotFound."""
        self._in = inside
        self._signing = signing

    async def rotate(self, log_id: str, order: Order) -> Rotated:
        """Gives a log a new signing key, introduced by the old one, which is destroyed.

        The first index is of the entry that says who ordered it. Raises KeyGenerations, LogFrozen, as
        `KeyFolder.open_log`, and as an append.
        """
        index, generation = await self.record(log_id, order)
        await self.finish(log_id)
        return Rotated(KIND, generation, (index, index + 1))

    async def record(self, log_id: str, order: Order) -> tuple[int, int]:
        """Steps 1 to 3: the index of the entry that says who ordered it, and the new generation. Raises as `rotate`."""
        for attempt in range(ATTEMPTS):
            try:
                return await self._record(log_id, order)
            except ExpectationFailed:  # another rotation was first: this one comes after it
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    async def _record(self, log_id: str, order: Order) -> tuple[int, int]:
        chain = self._signing(log_id).chain
        if len(chain.rotations) >= MAX_INTRODUCTIONS:
            raise KeyGenerations(f"log `{log_id}` has had {MAX_INTRODUCTIONS + 1} signing keys: seal it")
        generation, origin = chain.generation + 1, chain.first.name
        taken = {chain.first.key_id, *(rotation.new.key_id for rotation in chain.rotations)}
        for _ in range(_MAX_MADE):
            key = await self._in.aside(self._in.keys.add_signing, log_id, generation)  # 1
            new = current_of(origin, key.private)
            if new.key_id not in taken:
                break
            await self._in.aside(self._in.keys.discard_signing, log_id, key)
        else:
            raise CorruptLog(
                f"signing keys that are made for log `{log_id}` are not random", reason=KEY_MISMATCH
            )
        ordered = PendingEntry(
            TYPE, ORDERS, order.actor, None, {"kind": KIND, "generation": generation, "stage": "begun"}
        )
        appended = await self._in.write(  # 2, 3
            log_id,
            [ordered, rotating_entry(generation, chain.current, new)],
            expect=[Expectation(STREAM, generation - 2)],
            claim=order.claim,
            rotates=NewSigner(generation, chain.current, new, key.private),
        )
        assert appended is not None
        return appended.first_index, generation

    async def finish(self, log_id: str) -> int:
        """Step 4, as far as there is something to destroy: how many keys there were. Raises CorruptLog (KEY_MISMATCH:
        the key in use is not in its folder; nothing is destroyed then), StoreUnavailable, and as `KeyFolder.open_log`.
        """
        signing = self._signing(log_id)
        chain = signing.chain
        if not chain.rotations or chain.pending is not None:
            return 0
        keep = SigningKey(chain.generation, signing.keys[chain.current])
        return await self._in.aside(self._in.keys.retire_signing, log_id, keep)
