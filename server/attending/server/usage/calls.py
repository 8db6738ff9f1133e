"""The calls of models that a log holds, out of its entries: what a provider's records of use are compared with.

A call whose answer never came is one, too: the provider may have counted it. Texts for practice were never asked for;
a seeded one is known as such once it is debriefed, and until then it looks like a call that the provider does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from attending.ledger.entry import Entry
from attending.ledger.practice import DEBRIEFED

_NEVER_SENT: Final = frozenset({"PROVIDER_UNKNOWN_MODEL", "PROVIDER_RATE_LIMITED"})
"""Reasons besides which a provider counts nothing; others than a provider's come before anything is sent."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `model` is what answered, `asked` what was asked for; times are the log's."""

    inference: str
    provider: str
    asked: str
    model: str
    begun: str
    ended: str
    answered: bool
    ids: tuple[str, ...] = ()
    input_tokens: int | None = None
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The calls of an inference that an entry before gave are none."""

    inference: str


@dataclass(frozen=True, slots=True)
class _Open:
    provider: str
    model: str
    time: str


class Calls:
    """Visits entries in log order; keeps the inferences that are under way."""

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}
        self._late: set[str] = set()

    def visit(self, entry: Entry) -> list[Call | Forgotten]:
        """What one entry says of calls. Never raises, whatever its body holds."""
        body, stream = entry.body, entry.stream
        match entry.type:
            case "inference.requested":
                if "practice" not in body:
                    self._open[stream] = _Open(_text(body, "provider"), _text(body, "model"), entry.time)
            case "inference.generated":
                opened = self._open.pop(stream, None)
                return self._answered(entry, body, opened) + self._judged(entry, body.get("second_opinion"))
            case "inference.late":
                opened = self._open.get(stream)
                if opened is None:
                    return [Forgotten(stream), *self._answered(entry, body, None)]
                self._late.add(stream)
                return self._answered(entry, body, opened)
            case "inference.failed" | "inference.abandoned":
                opened = self._open.pop(stream, None)
                if opened is not None and stream not in self._late and _sent(entry):
                    return [_unanswered(stream, opened, entry.time)]
                self._late.discard(stream)
            case "inference.blocked":
                self._open.pop(stream, None)
            case _ if entry.type == DEBRIEFED:
                return [Forgotten(stream)]
        return []

    def rest(self, time: str) -> list[Call]:
        """The calls that are under way after the last entry, at `time`."""
        return [_unanswered(stream, opened, time) for stream, opened in self._open.items()]

    def _answered(
        self, entry: Entry, body: Mapping[str, Any], opened: _Open | None
    ) -> list[Call | Forgotten]:
        if "model" not in body:  # an entry of an earlier version
            return []
        model = _text(body, "model")
        # Where its beginning lies before the entries that are looked at, the earliest is when it ended.
        begun = entry.time if opened is None else opened.time
        provider = _text(body, "provider") or ("" if opened is None else opened.provider)
        asked = model if opened is None else opened.model
        return [_call(entry, body, provider, asked, model, begun)]

    def _judged(self, entry: Entry, said: object) -> list[Call | Forgotten]:
        if not isinstance(said, Mapping):
            return []
        model, ids = _text(said, "model"), _ids(said)
        call = _call(entry, said, _text(said, "provider"), model, model, entry.time)
        usage = (call.input_tokens, call.output_tokens)
        if ids or usage != (None, None):
            return [call]
        # It was sent, and no answer came back.
        return [Call(call.inference, call.provider, model, model, entry.time, entry.time, answered=False)]


def _call(entry: Entry, body: Mapping[str, Any], provider: str, asked: str, model: str, begun: str) -> Call:
    usage = body.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    tokens = [usage.get(name) for name in ("input_tokens", "output_tokens")]
    counts = [one if type(one) is int else None for one in tokens]
    ids = _ids(body)
    return Call(entry.stream, provider, asked, model, begun, entry.time, True, ids, *counts)


def _unanswered(stream: str, opened: _Open, time: str) -> Call:
    return Call(stream, opened.provider, opened.model, opened.model, opened.time, time, answered=False)


def _sent(entry: Entry) -> bool:
    reason = entry.body.get("reason")
    if entry.type == "inference.abandoned":
        return True
    return type(reason) is str and reason.startswith("PROVIDER_") and reason not in _NEVER_SENT


def _ids(body: Mapping[str, Any]) -> tuple[str, ...]:
    said = body.get("provider_ids")
    return tuple(one for one in said if type(one) is str) if isinstance(said, (list, tuple)) else ()


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return value if type(value) is str else ""
