"""What a server process serves: policies and the check processes that judge by them, one generation at a time.

A generation is replaced as a whole. Whoever began under one ends under it: its processes are killed when the last user
has left, so no text is judged by a version other than the one that its first entry names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from attending.guardrails.guard import InputDecision, OutputDecision
from attending.guardrails.patient import Document, Identity, Judged, PatientContext
from attending.guardrails.policy.schema import Audience, Policy
from attending.server.inference.checker import Checker


class Checks(Checker, Protocol):
    """A checker with a life; `attending.guardrails.pool.GuardPool` keeps it."""

    @property
    def knowledge_hash(self) -> str: ...

    def ready(self) -> bool: ...

    async def start(self) -> None: ...

    async def close(self) -> None: ...


@dataclass(eq=False, slots=True)
class Generation:
    """Policies by name and the checks that know exactly these."""

    policies: Mapping[str, Policy]
    guard: Checks
    users: int = 0


class Serving:
    """One a server process. Belongs to one event loop."""

    def __init__(self, first: Generation) -> None:
        """The caller has started its checks, or does so."""
        self._now = first
        self._leaving: set[Generation] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self.policies: Mapping[str, Policy] = _LivePolicies(self)
        self.checker: Checker = _LiveChecker(self)

    @property
    def now(self) -> Generation:
        """The generation that begins calls; `in_use` keeps it."""
        return self._now

    @property
    def knowledge_hash(self) -> str:
        """Content hash of the knowledge that calls are judged by; empty before the checks have started."""
        return self._now.guard.knowledge_hash

    @contextmanager
    def in_use(self) -> Iterator[Generation]:
        """The generation of now, which stays whole as long as the block runs."""
        generation = self._now
        generation.users += 1
        try:
            yield generation
        finally:
            generation.users -= 1
            self._end_unused()

    def replace(self, generation: Generation) -> None:
        """From here on calls begin under `generation`, whose checks run. The one before ends with its last user."""
        self._leaving.add(self._now)
        self._now = generation
        self._end_unused()

    async def close(self) -> None:
        """Ends every generation, users or not: their texts are held by what a killed check says."""
        for task in list(self._ending):
            await task
        for generation in (*self._leaving, self._now):
            await generation.guard.close()
        self._leaving.clear()

    def _end_unused(self) -> None:
        for generation in [one for one in self._leaving if not one.users]:
            self._leaving.discard(generation)
            task = asyncio.get_running_loop().create_task(generation.guard.close(), name="generation ends")
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)


class _LivePolicies(Mapping[str, Policy]):
    """The policies of whichever generation is now."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    def __getitem__(self, name: str) -> Policy:
        return self._serving.now.policies[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._serving.now.policies)

    def __len__(self) -> int:
        return len(self._serving.now.policies)


class _LiveChecker:
    """The checks of whichever generation is now, for single calls."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def check_input(
        self,
        policy_name: str,
        prompt: str,
        documents: Sequence[Document] = (),
        identity: Identity | None = None,
        *,
        patient: PatientContext | None = None,
    ) -> InputDecision:
        with self._serving.in_use() as generation:
            return await generation.guard.check_input(
                policy_name, prompt, documents, identity, patient=patient
            )

    async def check_output(
        self,
        policy_name: str,
        judged: Judged,
        *,
        placeholders: Mapping[str, str] | None = None,
        audience: Audience | None = None,
    ) -> OutputDecision:
        with self._serving.in_use() as generation:
            return await generation.guard.check_output(
                policy_name, judged, placeholders=placeholders, audience=audience
            )
