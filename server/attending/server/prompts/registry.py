"""Prompt versions and labels in a tenant's log: every registration and every move of a label is an entry."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.errors import DuplicateClaim, ExpectationFailed
from attending.ledger.ledger import Ledger
from attending.ledger.submission import Expectation
from attending.server import projections
from attending.server.errors import Aborted, InvalidRequest, NotFound
from attending.server.idempotency import Once, answered, index_of
from attending.server.prompts.template import (
    LABEL,
    MAX_TEMPLATE_CODE_POINTS,
    MAX_VARIABLES,
    NAME,
    variables,
    version_of,
)
from attending.server.replay.reducers import rows_of_append
from sqlalchemy import func, select

_VERSIONS, _LABELS = projections.prompt_version, projections.prompt_label


@dataclass(frozen=True, slots=True)
class PromptVersion:
    """One immutable version, with the labels that point at it now."""

    name: str
    version: str
    template: str
    labels: tuple[str, ...]
    created_at: str
    created_by: str
    entry_index: int

    @property
    def variables(self) -> tuple[str, ...]:
        return variables(self.template)


class PromptRegistry:
    """Reads and moves over one ledger; safe for many tasks."""

    def __init__(self, ledger: Ledger, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._now = now

    async def create(self, tenant: str, actor: str, name: str, template: str, once: Once) -> PromptVersion:
        """Registers a version; the same content again returns the first one. Raises InvalidRequest."""
        if violations := prompt_violations(name, template):
            raise InvalidRequest(violations)
        version = version_of(name, template)
        stream = _stream(name, version)
        sealed = await self._ledger.seal(tenant, Payload("prompt", template.encode("utf-8")))
        entry = PendingEntry(
            type="prompt.version",
            stream=stream,
            actor=actor,
            subject=None,
            body={"name": name, "version": version, "variables": list(variables(template))},
            payloads=(sealed,),
            occurred_at=self._now(),
        )
        # Registered before, by this call or another: content-addressed, so it is the same version.
        with contextlib.suppress(DuplicateClaim, ExpectationFailed):
            await self._ledger.append(
                tenant,
                [entry],
                expect=[Expectation(stream, 0)],
                claim=once.claim(stream),
                rows=rows_of_append([entry]),
            )
        return await self.get(tenant, name, version=version)

    async def get(
        self, tenant: str, name: str, *, version: str | None = None, label: str | None = None
    ) -> PromptVersion:
        """The version by hash or by label; NotFound (UNKNOWN_PROMPT) otherwise."""
        if label is not None:
            rows = await self._ledger.query(
                select(_LABELS.c.version).where(
                    _LABELS.c.log_id == tenant, _LABELS.c.name == name, _LABELS.c.label == label
                )
            )
            version = rows[0][0] if rows else None
        found = await self._rows(tenant, name, version, limit=1, offset=0) if version else []
        if not found:
            raise NotFound("UNKNOWN_PROMPT")
        return found[0]

    async def versions(self, tenant: str, name: str, *, limit: int, offset: int) -> list[PromptVersion]:
        """Versions, newest first; NotFound for a name without any."""
        found = await self._rows(tenant, name, None, limit=limit, offset=offset)
        if not found and offset == 0:
            raise NotFound("UNKNOWN_PROMPT")
        return found

    async def set_label(
        self,
        tenant: str,
        actor: str,
        name: str,
        label: str,
        version: str,
        expected: str | None,
        once: Once,
    ) -> tuple[PromptVersion, int]:
        """Points `label` at `version`; returns it and the entry's index. Aborted when the label moved meanwhile."""
        if violations := label_violations(label):
            raise InvalidRequest(violations)
        found = await self.get(tenant, name, version=version)
        if (earlier := await answered(self._ledger, tenant, once)) is not None:
            return found, earlier[0]
        stream = f"prompt-label:{name}:{label}"
        position = await self._ledger.stream_version(tenant, stream)
        current = await self._current(tenant, name, label)
        if expected and current != expected:
            raise Aborted("LABEL_MOVED")
        entry = PendingEntry(
            type="prompt.label",
            stream=stream,
            actor=actor,
            subject=None,
            body={"name": name, "label": label, "version": version, "previous": current},
            occurred_at=self._now(),
        )
        append = self._ledger.append(
            tenant,
            [entry],
            expect=[Expectation(stream, position)],
            claim=once.claim(stream),
            rows=rows_of_append([entry]),
        )
        index = await index_of(self._ledger, tenant, once, append, Aborted("LABEL_MOVED"))
        return await self.get(tenant, name, version=version), index

    async def _current(self, tenant: str, name: str, label: str) -> str | None:
        rows = await self._ledger.query(
            select(_LABELS.c.version).where(
                _LABELS.c.log_id == tenant, _LABELS.c.name == name, _LABELS.c.label == label
            )
        )
        return rows[0][0] if rows else None

    async def _rows(
        self, tenant: str, name: str, version: str | None, *, limit: int, offset: int
    ) -> list[PromptVersion]:
        query = select(_VERSIONS).where(_VERSIONS.c.log_id == tenant, _VERSIONS.c.name == name)
        if version is not None:
            query = query.where(_VERSIONS.c.version == version)
        rows = await self._ledger.query(
            query.order_by(_VERSIONS.c.entry_index.desc()).limit(limit).offset(offset)
        )
        labels = await self._ledger.query(
            select(_LABELS.c.label, _LABELS.c.version).where(
                _LABELS.c.log_id == tenant, _LABELS.c.name == name
            )
        )
        found = []
        for row in rows:
            columns = row._mapping
            template = await self._ledger.open_payload(tenant, columns["template_record"])
            found.append(
                PromptVersion(
                    name=name,
                    version=columns["version"],
                    template=template.decode("utf-8"),
                    labels=tuple(
                        sorted(
                            row._mapping["label"]
                            for row in labels
                            if row._mapping["version"] == columns["version"]
                        )
                    ),
                    created_at=columns["created_at"],
                    created_by=columns["created_by"],
                    entry_index=columns["entry_index"],
                )
            )
        return found

    async def count(self, tenant: str, name: str) -> int:
        rows = await self._ledger.query(
            select(func.count())
            .select_from(_VERSIONS)
            .where(_VERSIONS.c.log_id == tenant, _VERSIONS.c.name == name)
        )
        return int(rows[0][0]) if rows else 0


def prompt_violations(name: str, template: str) -> list[tuple[str, str]]:
    """Everything that is wrong with a version before it is registered."""
    violations = []
    if not NAME.match(name):
        violations.append(("name", "must be 1 to 64 of a-z 0-9 . _ / -"))
    if not template.strip():
        violations.append(("template", "is required"))
    if len(template) > MAX_TEMPLATE_CODE_POINTS:
        violations.append(("template", f"has {len(template)} code points, the limit is 32768"))
    if "\x00" in template:
        violations.append(("template", "contains a NUL character"))
    try:
        count = len(variables(template))
    except InvalidRequest as err:
        violations += err.field_violations
    else:
        if count > MAX_VARIABLES:
            violations.append(("template", f"has {count} variables, the limit is {MAX_VARIABLES}"))
    return violations


def label_violations(label: str) -> list[tuple[str, str]]:
    return [] if LABEL.match(label) else [("label", "must be 1 to 32 of a-z 0-9 _ -")]


def _stream(name: str, version: str) -> str:
    return f"prompt:{name}:{version}"
