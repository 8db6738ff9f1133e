"""The sections of a dossier: what made one output, from what, what was checked, who signed, what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attending.ledger.entry import Entry
from attending.ledger.verify.tally import inner, label
from attending.server.reports.blocks import ENTRY, Block, Column, bars, heading, pairs, table, text
from attending.server.reports.regulator import detail, signatures
from attending.server.reports.source import MOST_TRACED, Source


def sections(source: Source) -> Iterable[Block]:
    """All of them, in order."""
    entries = [entry for _, entry in source.gathered.trace]
    by_type = {entry.type: entry for entry in reversed(entries)}
    requested, generated = by_type.get("inference.requested"), by_type.get("inference.generated")
    if requested is not None:
        yield from _request(requested)
    if generated is not None:
        yield from _output(generated)
    yield from _review(entries)
    yield from _course(entries)
    yield from _texts(entries)


def _request(entry: Entry) -> Iterable[Block]:
    body = entry.body
    yield heading("What was asked, and by what it was to be judged")
    public = body.get("public_documents")
    documents = [one for one in public if type(one) is str] if type(public) is list else []
    yield pairs(
        [
            ("Inference", entry.stream),
            ("Asked at", entry.time),
            ("Application", label(body.get("calling_app"))),
            ("On behalf of", label(body.get("on_behalf_of"))),
            ("Purpose of use", label(body.get("purpose_of_use"))),
            ("To be read by", label(body.get("recipient"))),
            ("Person (pseudonym)", entry.subject or "none named"),
            ("Policy", f"{label(body.get('policy'))}, mode {label(body.get('policy_mode'))}"),
            ("Policy version", label(body.get("policy_hash"))),
            ("Prompt version", label(body.get("prompt_version"))),
            ("Model asked", f"{label(body.get('provider'))}, {label(body.get('model'))}"),
            ("Documents given", _count(body, "documents")),
            *(("Public document", one) for one in documents[:20]),
            ("Identifiers replaced", _count(body, "phi_replaced")),
            ("Sent to the provider", _sent(inner(body, "egress"))),
        ],
        mono=frozenset(
            ("Inference", "Person (pseudonym)", "Policy version", "Prompt version", "Public document")
        ),
    )


def _output(entry: Entry) -> Iterable[Block]:
    body = entry.body
    coverage, usage, findings = inner(body, "coverage"), inner(body, "usage"), inner(body, "findings")
    yield heading("What was generated, and what the checks said")
    yield pairs(
        [
            ("Generated at", entry.time),
            ("Model that answered", f"{label(body.get('provider'))}, {label(body.get('model'))}"),
            ("Provider's fingerprint", label(body.get("fingerprint"))),
            ("Characters", _count(body, "characters")),
            ("Tokens read, written", f"{_count(usage, 'input_tokens')}, {_count(usage, 'output_tokens')}"),
            ("Verdict, and what was done", f"{label(body.get('verdict'))}, {label(body.get('disposition'))}"),
            ("Decided by", ", ".join(_texts_of(body, "decided_by")) or "no rule of the policy"),
            ("Drug knowledge", label(body.get("knowledge_hash"))),
            (
                "Checks that could be judged",
                f"{_count(coverage, 'judged')} of {_count(coverage, 'of')}; drugs not covered:"
                f" {_count(coverage, 'not_covered')}",
            ),
            ("Findings", _count(findings, "count")),
        ],
        mono=frozenset(("Drug knowledge",)),
    )
    for title, name in (("Finding", "by_code"), ("Severity", "by_severity")):
        rows = [(label(key), count) for key, count in inner(findings, name).items() if type(count) is int]
        if rows:
            yield bars(title, "Findings", rows)
    runs = [run for run in _list(body, "rails") if isinstance(run, Mapping)]
    if runs:
        yield heading("Rails", 2)
        yield table(
            [Column("Rail", 60, 40), Column("Result", 26, 16), Column("Version", 0, 54, mono=True)],
            [(label(run.get("name")), label(run.get("status")), label(run.get("version"))) for run in runs],
        )


def _review(entries: Iterable[Entry]) -> Iterable[Block]:
    signed = [one for one in entries if one.type == "review.signed"]
    disposed = [one for one in entries if one.type == "review.disposed"]
    yield heading("Who looked at it, and who signed")
    if disposed:
        yield table(
            [
                ENTRY,
                Column("Finding", 44, 28),
                Column("Severity", 28, 17),
                Column("Made of it", 28, 17),
                Column("Reason", 26, 16),
                Column("By", 0, 17),
            ],
            [
                (
                    one.index,
                    *(
                        label(one.body.get(name)).replace("_", " ")
                        for name in ("code", "severity", "disposition", "reason_code")
                    ),
                    one.actor,
                )
                for one in disposed
            ],
        )
    if signed:
        yield signatures(signed)
    else:
        yield text("Nobody signed for this text.")


def _course(entries: list[Entry]) -> Iterable[Block]:
    yield heading("Its course, entry by entry")
    yield table(
        [
            ENTRY,
            Column("Time", 44, 28),
            Column("What", 38, 25),
            Column("By", 30, 19),
            Column("Detail", 0, 26, mono=True),
        ],
        [(one.index, one.time, one.type, one.actor, detail(one)) for one in entries],
        size=8,
    )
    if len(entries) == MOST_TRACED:
        yield text(f"The first {MOST_TRACED} entries; the bundle has all.", size=9)


def _texts(entries: Iterable[Entry]) -> Iterable[Block]:
    rows = [
        (entry.index, item.kind, item.record, item.commitment)
        for entry in entries
        for item in entry.commitments
    ]
    if not rows:
        return
    yield heading("Texts, by their commitments")
    yield text(
        "No text stands in this report. Each is sealed beside the log; its commitment is in the entry, and whoever is",
        "given text and salt can compare them with it (docs/format.md). What was erased is gone; its commitment stays.",
        size=9.5,
    )
    yield table(
        [
            ENTRY,
            Column("Kind", 24, 15),
            Column("Record", 52, 32, mono=True),
            Column("Commitment", 0, 44, mono=True),
        ],
        rows,
    )


def _sent(egress: Mapping[str, Any]) -> str:
    if not egress:
        return "nothing left this server"
    if "sent" in egress and egress["sent"] is None:
        return "nothing"
    sent = inner(egress, "sent")
    documents, patient = _length(sent, "documents"), _length(sent, "patient")
    characters = _count(sent, "prompt_characters")
    return f"characters of the prompt: {characters}; documents: {documents}; fields of the patient: {patient}"


def _length(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return str(len(value)) if type(value) is list else "not known"


def _list(body: Mapping[str, Any], name: str) -> list[Any]:
    value = body.get(name)
    return value if type(value) is list else []


def _texts_of(body: Mapping[str, Any], name: str) -> list[str]:
    return [label(one) for one in _list(body, name)]


def _count(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return str(value) if type(value) is int else "not known"
