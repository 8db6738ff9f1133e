"""Tells the operator which rail did not judge a text: a held queue that grows is otherwise all that shows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import structlog
from attending.guardrails.guard import RailRun

log = structlog.get_logger()


def tell_failed(runs: Sequence[RailRun], *, policy: str, inference_id: str) -> None:
    """One warning a failed rail, `rail.failed` with its name; nothing for the others."""
    for run in runs:
        if run.failed:
            log.warning(
                "rail.failed",
                rail=_plain(run.name),
                status=run.status,
                policy=policy,
                inference_id=inference_id,
                elapsed_ms=round(run.elapsed_ms),
                error_type=run.error_type,
            )


def tell_missing(missing: Mapping[str, Sequence[str]]) -> None:
    """One error a rail that cannot run on this server, `rail.missing`: every text of its policy is held."""
    for policy, rails in sorted(missing.items()):
        for rail in rails:
            log.error("rail.missing", rail=_plain(rail), policy=policy)


def _plain(name: str) -> str:
    """A rail's name as a log line takes it, without spaces."""
    return re.sub(r"[^A-Za-z0-9_.:=-]+", "_", name)
