"""Rows of prompt versions and labels out of their entries."""

from __future__ import annotations

from collections.abc import Sequence

from attending.ledger.projection import RowReader, RowWrite
from attending.server import projections
from attending.server.replay.fact import Fact


def version(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """A version is registered once: the stream of its entry allows no second."""
    key = {"name": fact.body["name"], "version": fact.body["version"]}
    values = {
        "template_record": fact.records["prompt"],
        "created_at": fact.time,
        "created_by": fact.actor,
        "entry_index": fact.index,
    }
    return [RowWrite(projections.prompt_version, key, values)]


def label(fact: Fact, _read: RowReader) -> Sequence[RowWrite]:
    """The last move of a label counts."""
    key = {"name": fact.body["name"], "label": fact.body["label"]}
    values = {
        "version": fact.body["version"],
        "moved_at": fact.time,
        "moved_by": fact.actor,
        "entry_index": fact.index,
    }
    return [RowWrite(projections.prompt_label, key, values)]
