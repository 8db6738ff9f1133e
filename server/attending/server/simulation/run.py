"""One simulation from its places to its figures: what `attending policy simulate` and the recall of a pack both do."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from attending.guardrails.knowledge.load import Pack
from attending.guardrails.offline import LineError, parse_check_line
from attending.guardrails.patient import Judged
from attending.guardrails.policy.load import PolicySet
from attending.guardrails.pool import GuardPool
from attending.ledger.keys import KeyFolder
from attending.ledger.store.read_only import ReadOnlyStore
from attending.server.simulation.kept import StateError, load_state, save_state
from attending.server.simulation.period import Period
from attending.server.simulation.recorded import Recording, StoredRecord
from attending.server.simulation.replay import Recall, compare, replay
from attending.server.simulation.tally import Tally

KEEP_EVERY: Final = 100
MAX_LINE_BYTES: Final = 8 * 1024 * 1024

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Tried:
    """What is tried: policies of a folder (drafts too), a pack (the package's own when None), one policy or all."""

    policies: Path
    knowledge: Path | None
    policy: str | None
    workers: int | None = None
    timeout_seconds: float = 30.0

    def pool(self) -> GuardPool:
        """Raises PolicyError."""
        return GuardPool(
            policies_path=self.policies,
            knowledge_path=self.knowledge,
            workers=self.workers,
            timeout_seconds=self.timeout_seconds,
            include_drafts=True,
        )


def over_record(
    store: ReadOnlyStore,
    keys: KeyFolder,
    log_id: str,
    against: str,
    over: Period,
    tried: Tried,
    *,
    on_recall: Callable[[Recall], None] = lambda _recall: None,
    worklist: Path | None = None,
    state: Path | None = None,
    on_done: Progress = lambda _done: None,
) -> Tally:
    """Judges the outputs of a period again (`over`, in words `against`); reads the ledger and writes nothing to it.

    `worklist` receives the recalls, one JSON object a line. With `state` the run can be cut short at any time: the next
    one goes on from there. Raises PolicyError, GuardStartError, StateError, OSError and errors of the ledger.
    """
    policies = PolicySet.load(tried.policies, include_drafts=True)
    if tried.policy is not None:
        policies = PolicySet({tried.policy: policies.loaded(tried.policy)})
    identity = {
        "log": log_id,
        "against": against,
        "policies": {name: policy.hash for name, policy in sorted(policies.items())},
        "policy": tried.policy,
        "knowledge": None if tried.knowledge is None else str(Pack.read(tried.knowledge).hash),
        "worklist": worklist is not None,
    }
    tally, kept_bytes = Tally(), 0
    if state is not None:
        tally, kept_bytes, over = load_state(state, identity, over)
    with ExitStack() as stack:
        lines = None
        if worklist is not None:
            lines = stack.enter_context(worklist.open("r+b" if kept_bytes else "wb"))
            if lines.seek(0, os.SEEK_END) < kept_bytes:
                raise StateError("is the state of a longer worklist than there is")
            lines.truncate(kept_bytes)
            lines.seek(kept_bytes)

        async def recalled(recall: Recall) -> None:
            if lines is not None:
                lines.write(json.dumps(recall.to_json()).encode() + b"\n")
            on_recall(recall)

        def keep() -> None:
            if lines is not None:
                lines.flush()
                os.fsync(lines.fileno())
            if state is not None:
                save_state(state, identity, over, tally, lines.tell() if lines is not None else 0)

        seen = 0

        def done(judged: int) -> None:
            nonlocal seen
            seen += 1
            if seen % KEEP_EVERY == 0:
                keep()
            on_done(judged)

        async def go() -> None:
            recording = Recording(StoredRecord(store, keys, log_id))
            outputs = recording.outputs(over, policy=tried.policy, after=tally.last)
            async with tried.pool() as pool:
                await replay(pool, policies, outputs, tally, on_recall=recalled, on_done=done)

        asyncio.run(go())
        keep()
    return tally


def over_file(
    path: Path, before: Tried, after: Tried, policy: str, on_done: Progress = lambda _done: None
) -> Tally:
    """Judges the lines of a file (as `attending check` takes them) under both; memory does not grow with the file.

    Raises PolicyError, KeyError (no such policy), GuardStartError and OSError.
    """
    tally = Tally()

    async def go() -> None:
        old, new = before.pool(), after.pool()
        for pool in (old, new):
            pool.require_policy(policy)
        async with old, new:
            await compare(old, new, policy, _lines(path), tally, on_done=on_done)

    asyncio.run(go())
    return tally


async def _lines(path: Path) -> AsyncIterator[tuple[str, Judged] | str]:
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE_BYTES + 1):
            if not line.strip():
                continue
            try:
                id_, judged = parse_check_line(line)
            except LineError as err:
                while not line.endswith(b"\n") and (line := file.readline(MAX_LINE_BYTES)):
                    pass
                yield err.reason
            else:
                yield str(id_), judged
