"""From the identifier of a person to their pseudonym: the map that holds HMACs and random names, and no identifier.

A lookup key that is rotated has generations. Whoever is looked for is looked for under each, newest first; whoever is
new is named under the newest.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence

from attending.ledger.custody.reads import Run
from attending.ledger.errors import RowRejected, StoreUnavailable
from attending.ledger.keys import KeyFolder, lookup_of
from attending.ledger.store.port import Store, SubjectRow
from attending.ledger.vault import new_pseudonym


class Naming:
    """Safe for many tasks of one event loop, and beside other processes."""

    def __init__(
        self, store: Store, keys: KeyFolder, run: Run, submit: Callable[[SubjectRow], Awaitable[object]]
    ) -> None:
        """`submit` stores a row or raises RowRejected, when the identifier has one already."""
        self._store = store
        self._keys = keys
        self._run = run
        self._submit = submit
        self._running: dict[tuple[str, bytes], asyncio.Future[str]] = {}

    async def pseudonym(self, log_id: str, identifier: str) -> str:
        """The random pseudonym of a person in this log, made at the first call, its key durable.

        `identifier` (such as an MRN) is compared without case, width and extra space; only its HMAC is kept. Many
        callers at once get the same one. Raises QueueFull, StoreUnavailable, KeyStoreUnavailable.
        """
        lookups = self._lookups(log_id, identifier)
        name = (log_id, lookups[0])
        running = self._running.get(name)
        if running is None:
            running = self._running[name] = asyncio.ensure_future(self._name(log_id, identifier, lookups))
            running.add_done_callback(lambda _: self._running.pop(name, None))
        return await asyncio.shield(running)

    async def find(self, log_id: str, identifier: str) -> str | None:
        """The pseudonym of this identifier, None when there is none; makes none."""
        found = await self._run(self._stored, log_id, self._lookups(log_id, identifier))
        if found is None and self._keys.stale(log_id, "lookup"):
            await self._run(self._keys.refresh, log_id)
            found = await self._run(self._stored, log_id, self._lookups(log_id, identifier))
        return found

    def _lookups(self, log_id: str, identifier: str) -> list[bytes]:
        """What an identifier may be found under, newest key first."""
        return [lookup_of(item.key, identifier) for item in self._keys.open_log(log_id).lookups]

    def _stored(self, log_id: str, lookups: Sequence[bytes]) -> str | None:
        for lookup in lookups:
            if (known := self._store.pseudonym(log_id, lookup)) is not None:
                return known
        return None

    async def _name(self, log_id: str, identifier: str, lookups: Sequence[bytes]) -> str:
        known = await self._run(self._stored, log_id, lookups)
        if known is not None:
            return known
        # INVARIANT: while this is shared nobody adds a lookup key, so that no two processes name one person under two.
        # On a thread that no reader needs: whoever rotates waits for us, and others wait for them.
        try:
            held = await asyncio.to_thread(self._keys.share, log_id, "lookup")
        except OSError as err:
            raise StoreUnavailable(f"key store cannot be written ({type(err).__name__})") from None
        try:
            await self._run(self._keys.refresh, log_id)
            newest = self._lookups(log_id, identifier)
            if newest != lookups and (known := await self._run(self._stored, log_id, newest)) is not None:
                return known
            return await self._new(log_id, newest[0])
        finally:
            os.close(held)

    async def _new(self, log_id: str, lookup: bytes) -> str:
        pseudonym = new_pseudonym()
        # Key first: nothing may be sealed for a subject whose key could be lost.
        await self._run(self._keys.ensure, log_id, pseudonym)
        try:
            await self._submit(SubjectRow(log_id, lookup, pseudonym))
        except RowRejected:
            # Another process named the person first; the key made here belongs to nobody.
            known = await self._run(self._store.pseudonym, log_id, lookup)
            if known is None:
                raise
            await self._run(self._keys.destroy, log_id, pseudonym)
            return known
        return pseudonym
