"""The registry of what is in force: every move is an entry, and an activation takes two people.

One person asks for a version that lies in the server's folder, another, a safety officer, approves it. Each appends on
condition that the stream has not moved, so of two at once one is first and the other is told. What begins an inference
is appended on the same condition: it names the version that its policy's stream says is in force, whichever process
writes it. Several servers so follow an activation as they follow a halt, and one that has another version loaded serves
none.

What a crash leaves: before an append's commit nothing, after it all of it. The first start of a tenant puts what lies
in the folder in force, in one append, with the word `bootstrap`: there are no two people before anybody can call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from attending.guardrails.knowledge import load as knowledge_load
from attending.guardrails.policy.lint import lint
from attending.guardrails.policy.load import PolicyError, load_policy
from attending.guardrails.policy.schema import Policy
from attending.ledger.entry import Entry, PendingEntry
from attending.ledger.errors import ExpectationFailed
from attending.ledger.ledger import Ledger
from attending.ledger.submission import Expectation
from attending.ledger.verify.activations import REGISTRY
from attending.server.activation.standing import KNOWLEDGE, Standing, standing, stream_of
from attending.server.auth.principal import Principal
from attending.server.content_hash import digits
from attending.server.errors import Aborted, FailedPrecondition, NotFound, PermissionDenied, Unavailable
from attending.server.idempotency import Once, answered, index_of

BOOTSTRAP: Final = "bootstrap"
APPROVER: Final = "safety_officer"
LOADING_RETRY_SECONDS: Final = 2.0
REQUESTERS: Final = ("safety_officer", "pharmacist", "clinician", "operator")

_OF_A_VERSION: Final = (
    "name",
    "version",
    "policy_hash",
    "knowledge_hash",
    "mode",
    "not_acted_on",
    "retention",
)
"""What a request says of its version, and its activation says again."""


@dataclass(frozen=True, slots=True)
class Served:
    """What one server process has loaded, by hex digits: policies by name, and the drug knowledge."""

    policies: Mapping[str, str]
    knowledge: str

    def hash_of(self, name: str) -> str | None:
        return (self.knowledge or None) if name == KNOWLEDGE else self.policies.get(name)


class Registry:
    """One a server process; safe for many tasks of one event loop."""

    def __init__(
        self,
        ledger: Ledger,
        policies: Mapping[str, Policy],
        folder: Path,
        knowledge_folder: Path | None,
        knowledge_hash: Callable[[], str],
        now: Callable[[], datetime],
    ) -> None:
        """`folder` is where the policies lie; `knowledge_hash` is what the check processes have loaded now, and
        `policies` are those loaded now.
        """
        self._ledger = ledger
        self._policies = policies
        self._folder = folder
        self._knowledge_folder = knowledge_folder
        self._knowledge_hash = knowledge_hash
        self._now = now
        self.loading: Callable[[], Awaitable[bool]] | None = None
        """Whether what is in force is being loaded; `activation.reload.Reloader` gives it where versions can be loaded
        while the server runs."""
        # Streams as they were last read. May be old: the append finds out.
        self._known: dict[tuple[str, str], tuple[int, str | None]] = {}

    @property
    def served(self) -> Served:
        return Served(
            {name: digits(policy.hash) for name, policy in self._policies.items()},
            digits(self._knowledge_hash()),
        )

    # -- what an inference may begin under

    async def require(self, tenant: str, policy: str, policy_hash: str) -> list[Expectation]:
        """What an append that begins an inference has to be conditional on.

        Raises FailedPrecondition: POLICY_NOT_ACTIVATED, KNOWLEDGE_NOT_ACTIVATED; Unavailable: VERSION_LOADING.
        """
        return [
            await self._in_force(tenant, policy, policy_hash),
            await self._in_force(tenant, KNOWLEDGE, digits(self._knowledge_hash())),
        ]

    async def require_none(self, tenant: str, policy: str) -> None:
        """For a policy that is not loaded: returns where none of it is in force, or none can be loaded.

        Raises Unavailable (VERSION_LOADING) while the one in force is being loaded.
        """
        active = (await self.standing(tenant, policy)).active
        if active is not None and self.loading is not None and await self.loading():
            raise Unavailable("VERSION_LOADING", retry_after_seconds=LOADING_RETRY_SECONDS)

    def forget(self, tenant: str, stream: str) -> None:
        """The stream has moved: it is read again when it is next asked about."""
        self._known.pop((tenant, stream), None)

    async def _in_force(self, tenant: str, name: str, wanted: str) -> Expectation:
        stream = stream_of(name)
        known = self._known.get((tenant, stream))
        if known is None or known[1] != wanted:
            found = await self.standing(tenant, name)
            known = self._known[tenant, stream] = (found.entries, found.active)
        version, active = known
        if active != wanted:
            if active is not None and self.loading is not None and await self.loading():
                raise Unavailable("VERSION_LOADING", retry_after_seconds=LOADING_RETRY_SECONDS)
            raise FailedPrecondition(
                "POLICY_NOT_ACTIVATED" if name else "KNOWLEDGE_NOT_ACTIVATED",
                metadata={"policy": name or "knowledge", "loaded": wanted, "active": active or "none"},
            )
        return Expectation(stream, version)

    # -- what stands

    async def standing(self, tenant: str, name: str) -> Standing:
        """How a policy, or the drug knowledge, stands; read anew."""
        return standing(name, await self.entries(tenant, name))

    async def entries(self, tenant: str, name: str) -> list[Entry]:
        """All entries of a stream, in order."""
        return await self._ledger.whole_stream(tenant, stream_of(name))

    async def in_folder(self, name: str) -> str | None:
        """The version that lies in the server's folder now, None where none that loads does."""
        try:
            return digits(await asyncio.to_thread(self._read, name))
        except (PolicyError, knowledge_load.PackError, OSError):
            return None

    async def knows(self, name: str) -> bool:
        """Whether a policy is loaded or lies in the folder: what lies there can be asked for."""
        return name in self._policies or await self.in_folder(name) is not None

    async def pending(self, tenant: str) -> list[str]:
        """Names of what this process has loaded and may not serve the tenant with."""
        served = self.served
        names = [*sorted(served.policies), KNOWLEDGE]
        return [name for name in names if (await self.standing(tenant, name)).active != served.hash_of(name)]

    # -- the first start

    async def bootstrap(self, tenant: str, owner: str, installed_by: str) -> bool:
        """Puts what this process has loaded in force where the tenant never had a start; whether it did.

        One append: of two servers that start at once one does it, the other finds it done.
        """
        while True:
            if await self._ledger.stream_version(tenant, REGISTRY):
                return False
            served = self.served
            pending = [
                self._entry(
                    "policy.version",
                    REGISTRY,
                    f"system:{owner}",
                    {
                        "by": BOOTSTRAP,
                        "installed_by": installed_by,
                        "policies": dict(sorted(served.policies.items())),
                        "knowledge_hash": served.knowledge,
                    },
                )
            ]
            expect = [Expectation(REGISTRY, 0)]
            for name in (*sorted(served.policies), KNOWLEDGE):
                found = await self.standing(tenant, name)
                expect.append(Expectation(stream_of(name), found.entries))
                if found.active != served.hash_of(name):
                    body = self._body(name) | {"by": BOOTSTRAP, "installed_by": installed_by}
                    pending.append(
                        self._entry(f"{_source(name)}.activated", stream_of(name), f"system:{owner}", body)
                    )
            try:
                await self._ledger.append(tenant, pending, expect=expect)
                return True
            except ExpectationFailed:
                # Another process started at the same moment.
                continue

    # -- moves

    async def request(self, principal: Principal, name: str, wanted: str, call: Once) -> tuple[Standing, int]:
        """Asks for version `wanted` of the folder; how it stands, and the entry's index.

        One that is in force may be asked for again: so two people confirm what a first start put there. Raises NotFound
        (UNKNOWN_POLICY), FailedPrecondition (VERSION_NOT_IN_FOLDER, POLICY_HAS_ERRORS), Aborted (LOST_RACE).
        """
        tenant = principal.tenant
        earlier = await answered(self._ledger, tenant, call)
        if earlier is not None:
            return await self.standing(tenant, name), earlier[0]
        body = await asyncio.to_thread(self._reviewed, name, wanted)
        found = await self.standing(tenant, name)
        body |= {"by": "request", "role": _role(principal, REQUESTERS), "replaces": found.active}
        entry = self._entry(f"{_source(name)}.version", stream_of(name), principal.actor, body)
        return await self._move(tenant, name, entry, found, call)

    async def approve(self, principal: Principal, name: str, wanted: str, call: Once) -> tuple[Standing, int]:
        """Puts the version that waits in force; how it stands, and the entry's index. One that is in force and does not
        wait stays as it is.

        Raises PermissionDenied (SECOND_PERSON_REQUIRED), FailedPrecondition (NOT_REQUESTED), Aborted (LOST_RACE).
        """
        tenant = principal.tenant
        earlier = await answered(self._ledger, tenant, call)
        if earlier is not None:
            return await self.standing(tenant, name), earlier[0]
        found = await self.standing(tenant, name)
        if found.request is None and found.activation is not None and found.active == wanted:
            return found, found.activation.index
        if found.request is None or found.requested != wanted:
            raise FailedPrecondition("NOT_REQUESTED", metadata=_words(found))
        if found.request.actor == principal.actor:
            # Cedar lets a safety officer do either; that the second person is another is decided here.
            raise PermissionDenied("SECOND_PERSON_REQUIRED")
        body = {key: found.request.body[key] for key in _OF_A_VERSION if key in found.request.body}
        body |= {
            "by": "two_people",
            "role": _role(principal, (APPROVER,)),
            "request": found.request.index,
            "requested_by": found.request.actor,
        }
        entry = self._entry(f"{_source(name)}.activated", stream_of(name), principal.actor, body)
        return await self._move(tenant, name, entry, found, call)

    async def retire(self, principal: Principal, name: str, call: Once) -> tuple[Standing, int]:
        """Ends a policy; how it stands, and the entry's index. One that has ended stays so. What waits goes with it.

        Raises NotFound (UNKNOWN_POLICY), FailedPrecondition (NOT_ACTIVE: it never was), Aborted (LOST_RACE).
        """
        tenant = principal.tenant
        earlier = await answered(self._ledger, tenant, call)
        if earlier is not None:
            return await self.standing(tenant, name), earlier[0]
        found = await self.standing(tenant, name)
        if not found.entries:
            raise NotFound("UNKNOWN_POLICY")
        if found.active is None and found.request is None:
            last = (await self.entries(tenant, name))[-1]
            return found, last.index
        if found.active is None:
            raise FailedPrecondition("NOT_ACTIVE", metadata=_words(found))
        body = {
            "name": name,
            "version": found.version,
            "policy_hash": found.active,
            "role": _role(principal, (APPROVER,)),
        }
        entry = self._entry("policy.retired", stream_of(name), principal.actor, body)
        return await self._move(tenant, name, entry, found, call)

    async def _move(
        self, tenant: str, name: str, entry: PendingEntry, found: Standing, call: Once
    ) -> tuple[Standing, int]:
        stream = stream_of(name)
        append = self._ledger.append(
            tenant, [entry], expect=[Expectation(stream, found.entries)], claim=call.claim(stream)
        )
        index = await index_of(self._ledger, tenant, call, append, Aborted("LOST_RACE"))
        self.forget(tenant, stream)
        return await self.standing(tenant, name), index

    # -- what lies in the folder

    def _read(self, name: str) -> str:
        """The content hash of what lies in the folder. Raises PolicyError, PackError, OSError."""
        if name == KNOWLEDGE:
            pack = knowledge_load.Pack.read(self._knowledge_folder or knowledge_load.DEFAULT)
            return str(pack.hash)
        return load_policy(self._folder / name).policy.hash

    def _reviewed(self, name: str, wanted: str) -> dict[str, Any]:
        """The body that names version `wanted`, which must be what lies in the folder, without a fault."""
        try:
            if name == KNOWLEDGE:
                here, body = digits(self._read(name)), {"knowledge_hash": wanted}
            else:
                policy = load_policy(self._folder / name).policy
                if policy.registry.status != "active":
                    raise FailedPrecondition("POLICY_HAS_ERRORS", metadata={"faults": "NOT_OF_STATUS_ACTIVE"})
                here, body = digits(policy.hash), body_of(policy)
        except PolicyError as err:
            if any(fault.reason == "FILE_MISSING" and fault.file == "policy.yaml" for fault in err.faults):
                raise NotFound("UNKNOWN_POLICY") from None
            raise FailedPrecondition("POLICY_HAS_ERRORS", metadata=_faults(err.faults)) from None
        except (knowledge_load.PackError, OSError):
            raise FailedPrecondition("VERSION_NOT_IN_FOLDER", metadata={"in_folder": "none"}) from None
        if here != wanted:
            raise FailedPrecondition("VERSION_NOT_IN_FOLDER", metadata={"in_folder": here})
        if name != KNOWLEDGE:
            faults = [
                fault
                for fault in lint(self._folder / name, today=self._now().date())
                if fault.weight == "error"
            ]
            if faults:
                raise FailedPrecondition("POLICY_HAS_ERRORS", metadata=_faults(faults))
        return body

    def _body(self, name: str) -> dict[str, Any]:
        if name == KNOWLEDGE:
            return {"knowledge_hash": self.served.knowledge}
        return body_of(self._policies[name])

    def _entry(self, type_: str, stream: str, actor: str, body: Mapping[str, Any]) -> PendingEntry:
        return PendingEntry(
            type=type_, stream=stream, actor=actor, subject=None, body=dict(body), occurred_at=self._now()
        )


def body_of(policy: Policy) -> dict[str, Any]:
    """What an entry says of a policy's version, so that it is known when the version is long gone from the disk."""
    return {
        "name": policy.name,
        "version": policy.version,
        "policy_hash": digits(policy.hash),
        "mode": policy.mode,
        "not_acted_on": not_acted_on(policy),
        # What holds for payloads made under this version.
        "retention": {
            "payload_days": policy.retention.payload_days,
            "starts": policy.retention.starts,
        },
    }


def not_acted_on(_policy: Policy) -> list[str]:
    """Settings of a policy that are recorded with its hash and that nothing acts on yet: none in this version."""
    return []


def _source(name: str) -> str:
    return "policy" if name else "knowledge"


def _role(principal: Principal, allowed: Sequence[str]) -> str:
    """The role by which the caller may do this; Cedar has let them in by one of them."""
    return next((role for role in allowed if role in principal.roles), "")


def _words(found: Standing) -> dict[str, str]:
    return {"active": found.active or "none", "requested": found.requested or "none"}


def _faults(faults: Sequence[Any]) -> dict[str, str]:
    return {"faults": ",".join(sorted({fault.reason for fault in faults}))}
