"""The sections of a regulator report: completeness, systems in use, decisions, people, checks, exceptions, privacy,
and the control matrix.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from attending.ledger.entry import Entry
from attending.ledger.verify.tally import label
from attending.server.reports.blocks import ENTRY, Block, Column, bars, heading, pairs, table, text
from attending.server.reports.control_matrix import control_matrix
from attending.server.reports.source import MOST_LINES, Gathered, Source

_DECIDED: Final = (
    ("Released by policy", "released_by_policy"),
    ("Released after signature", "released_signed"),
    ("Released by break-glass", "released_break_glass"),
    ("Held for review", "held"),
    ("Blocked before the model", "blocked_input"),
    ("Blocked after the model", "blocked_output"),
    ("Refused by a reviewer", "rejected"),
    ("Expired without a decision", "expired"),
    ("Failed", "failed"),
    ("Abandoned", "abandoned"),
    ("Withdrawn after release", "withdrawn"),
)
_SHORT: Final = (
    ("Asked", ("requested",)),
    ("By policy", ("released_by_policy",)),
    ("Signed", ("released_signed",)),
    ("Break-glass", ("released_break_glass",)),
    ("Held", ("held",)),
    ("Blocked", ("blocked_input", "blocked_output")),
    ("Refused, expired", ("rejected", "expired")),
    ("Failed", ("failed", "abandoned")),
)
_SAID: Final = (
    *("name", "version", "label", "policy", "policy_hash", "knowledge_hash", "mode", "provider", "model"),
    *("reason", "document_id", "eval_id", "passed", "previous", "generation", "severity", "category"),
    *("outcome", "incident_id", "aware_at"),
)


def sections(source: Source) -> Iterable[Block]:
    """All of them, in order."""
    found, figures = source.gathered, source.gathered.statistics
    yield from _completeness(figures)
    yield from _systems(source)
    yield from _decisions(figures)
    yield from _people(found)
    yield from _checks(figures)
    yield from _exceptions(source)
    yield from _incidents(found.incidents, found.incidents_total, figures)
    yield from _privacy(figures)
    yield from control_matrix(source)


def of_figures(figures: Mapping[str, Any]) -> Iterable[Block]:
    """Those that need no entry, for pages of which nothing has a day or a name."""
    yield from _completeness(figures)
    yield from _decisions(figures)
    yield from _people(Gathered(statistics=figures))
    yield from _checks(figures)
    yield heading("Exceptions")
    kinds = [
        (kind.replace("_", " "), count) for kind, count in figures["exceptions"]["by_kind"].items() if count
    ]
    yield bars("Exception", "Entries", kinds or [("none", 0)])
    yield from _incidents((), 0, figures)
    yield from _privacy(figures)


def _completeness(figures: Mapping[str, Any]) -> Iterable[Block]:
    said = figures["completeness"]
    yield heading("Completeness")
    yield pairs(
        [
            *_compared(said.get("provider_usage")),
            ("Senders of events that number them", said["emitters"]),
            ("Of these, declared their last number", said["emitters_that_declared_their_end"]),
            ("Events present", said["events_present"]),
            ("Numbers issued and not among these entries", said["events_not_among_these_entries"]),
        ],
        left=72,
    )


def _compared(said: Mapping[str, int] | None) -> Iterable[tuple[str, object]]:
    """What comparisons with providers' records found, where there are any among these entries."""
    if said is None:
        return
    yield "Comparisons with records of providers", said["comparisons"]
    yield "Calls that providers count and the log does not have", said["bypassed"]
    yield "Calls of the log that providers do not have", said["missing"]
    yield "Calls with other numbers of tokens", said["differing"]


def _systems(source: Source) -> Iterable[Block]:
    found = source.gathered
    yield heading("Systems in use")
    if not found.changes:
        yield text("None of these entries puts anything in force, or takes it out.")
        return
    yield text("What was put in force, or out of it, and when; newest last.")
    yield from _newest(found.changes_total)
    yield _entries(found.changes)


def _decisions(figures: Mapping[str, Any]) -> Iterable[Block]:
    inferences = figures["inferences"]
    yield heading("What was decided")
    yield text(
        f"{inferences['requested']} texts were asked for; {inferences['still_held']} wait for a reviewer,",
        f"{inferences['undecided']} for a decision. A text that is held and then signed stands in both lines.",
        f"{inferences['marked_as_practice']} were openly marked as practice.",
    )
    decisions = inferences["decisions"]
    yield bars("Decision", "Texts", [(name, decisions[key]) for name, key in _DECIDED])
    for title, key in (
        ("By policy", "by_policy"),
        ("By prompt version", "by_prompt_version"),
        ("By model", "by_model"),
    ):
        if inferences[key]:
            yield heading(title, 2)
            yield _grid(title.removeprefix("By ").capitalize(), inferences[key])


def _people(found: Gathered) -> Iterable[Block]:
    review, times = found.statistics["review"], found.statistics["microseconds"]
    yield heading("Human oversight")
    yield bars("Signature says", "Signatures", _counted(review["signatures_by_meaning"]))
    if review["signatures_by_role"]:
        yield bars("Signed in the role of", "Signatures", _counted(review["signatures_by_role"]))
    yield heading("Reading before signing", 2)
    readings = review["readings"]
    yield bars(
        "Time against the least that the text needs",
        "Signatures",
        [(name.replace("_", " "), readings[name]) for name in ("long_enough", "short", "not_measured")],
    )
    yield heading("Time to a decision", 2)
    yield table(
        [Column("From", 52, 40), *(Column(one, 0, 12, right=True) for one in ("Texts", *_TIMES))],
        [
            (name, times[key]["count"], *(_seconds(times[key][column]) for column in _TIMES.values()))
            for name, key in (
                ("Request to verdict", "request_to_verdict"),
                ("Held to decision", "held_to_decision"),
            )
        ],
    )
    if review["dispositions_by_code"]:
        yield heading("What reviewers made of findings", 2)
        yield table(
            [
                Column("Finding", 56, 36),
                *(
                    Column(title, 0, 14, right=True)
                    for title in ("Fixed", "Accepted risk", "False alarm", "Other")
                ),
            ],
            [
                (code, row["fixed"], row["accepted_risk"], row["false_alarm"], row["other"])
                for code, row in review["dispositions_by_code"].items()
            ],
        )
    if review["override_reasons"]:
        yield heading("Why a finding was overridden", 2)
        yield bars(
            "Reason",
            "Findings",
            [(code, sum(row.values())) for code, row in review["override_reasons"].items()],
        )
    if found.signatures:
        yield heading("Who signed", 2)
        yield from _newest(found.signatures_total)
        yield signatures(found.signatures)


def signatures(entries: Iterable[Entry]) -> Block:
    """Name, meaning and time of each (21 CFR 11.50)."""
    rows = []
    for entry in entries:
        said = entry.body.get("statement")
        said = said if isinstance(said, Mapping) else {}
        words = [label(said.get(name)).replace("_", " ") for name in ("signer", "role", "meaning", "time")]
        rows.append((entry.index, *words, label(said.get("key_id"))))
    return table(
        [
            ENTRY,
            Column("Name", 34, 22),
            Column("Role", 24, 15),
            Column("Meaning", 32, 20),
            Column("Date and time", 0, 28),
            Column("Key", 28, 17, mono=True),
        ],
        rows,
    )


def _checks(figures: Mapping[str, Any]) -> Iterable[Block]:
    findings = figures["findings"]
    yield heading("Guardrails")
    yield text(
        f"{findings['texts_judged']} texts were judged;",
        f"the checks found something in {findings['texts_with_findings']}.",
        "Whether a finding was right is what reviewers said of it, above; rates by subgroup are not collected.",
    )
    for title, key in (("Findings by severity", "by_severity"), ("Findings by code", "by_code")):
        if findings[key]:
            yield heading(title, 2)
            yield bars(title.removeprefix("Findings by ").capitalize(), "Findings", _counted(findings[key]))
    if figures["rails"]:
        yield heading("Rails", 2)
        yield table(
            [
                Column("Rail", 80, 50),
                *(Column(title, 0, 12, right=True) for title in ("Runs", "Flagged", "Did not judge")),
            ],
            [
                (name, row["runs"], row["flagged"], row["did_not_judge"])
                for name, row in figures["rails"].items()
            ],
        )
        yield text("A rail that did not judge a text holds it: nothing fails open.", size=9)


def _exceptions(source: Source) -> Iterable[Block]:
    found, figures = source.gathered, source.gathered.statistics["exceptions"]
    yield heading("Exceptions")
    kinds = [(kind.replace("_", " "), count) for kind, count in figures["by_kind"].items() if count]
    yield text(
        f"{found.exceptions_total} entries are exceptions; register.csv, attached, lists all of them.",
        f"Uses of emergency access or break-glass that nobody has reviewed: {figures['emergency_uses_not_reviewed']}.",
    )
    if not kinds:
        return
    yield bars("Exception", "Entries", kinds)
    yield heading("One by one", 2)
    if found.exceptions_total > len(found.exceptions):
        yield text(f"The first {len(found.exceptions)} of {found.exceptions_total}.", size=9)
    yield table(
        [
            ENTRY,
            Column("Time", 30, 20),
            Column("Exception", 28, 18),
            Column("Of", 40, 24, mono=True),
            Column("By", 28, 18),
            Column("Detail", 0, 16),
        ],
        [
            (
                line.entry,
                _moment(line.time),
                line.exception.replace("_", " "),
                line.stream,
                line.actor,
                line.detail,
            )
            for line in found.exceptions
        ],
        size=8,
    )


def _incidents(entries: Iterable[Entry], total: int, figures: Mapping[str, Any]) -> Iterable[Block]:
    yield heading("Incidents, halts and recalls")
    incidents, halts, recalls = figures["incidents"], figures["halts"], figures["recalls"]
    yield pairs(
        [
            ("Incidents not closed", incidents["not_closed"]),
            ("Halts, and resumptions", f"{halts['halted']}, {halts['resumed']}"),
            ("Texts withdrawn after release", recalls["withdrawn"]),
            ("Withdrawals acknowledged by a recipient", recalls["acknowledged"]),
            ("Recalls proposed, and dismissed", f"{recalls['proposed']}, {recalls['dismissed']}"),
        ],
        left=72,
    )
    if total:
        yield from _newest(total)
        yield _entries(entries)


def _privacy(figures: Mapping[str, Any]) -> Iterable[Block]:
    said, privacy = figures["disclosures"], figures["privacy"]
    yield heading("Privacy")
    yield pairs(
        [
            ("Identifiers replaced before a model was asked", privacy["identifiers_replaced"]),
            (
                "Looks at personal content, on record",
                said["accesses"]["viewed"] + said["accesses"]["revealed"],
            ),
            ("Searches for a person, on record", said["accesses"]["searched"]),
            ("Given to a record system", said["accesses"]["disclosed"]),
            ("Exports with, and without, personal content", _both(said["exports"])),
            ("Disclosures to others, recorded", said["recorded"]),
            ("Persons' payloads erased", privacy["payloads_erased"]),
            ("Payloads removed at the end of their retention", privacy["payloads_pruned"]),
        ],
        left=78,
    )
    for title, rows in (
        ("Disclosed to", said["by_recipient"]),
        ("Disclosed for", said["by_purpose"]),
        ("Erased because", privacy["erasures_by_reason"]),
    ):
        if rows:
            yield bars(title, "Entries", _counted(rows))


def _entries(entries: Iterable[Entry]) -> Block:
    return table(
        [
            ENTRY,
            Column("Time", 32, 20),
            Column("What", 36, 24),
            Column("By", 32, 20),
            Column("Detail", 0, 34, mono=True),
        ],
        [(one.index, _moment(one.time), one.type, one.actor, detail(one)) for one in entries],
        size=8,
    )


def detail(entry: Entry) -> str:
    """Enums, names, versions and counts that the body states; nothing of a person."""
    said = []
    for name in _SAID:
        value = entry.body.get(name)
        if type(value) is str and value:
            said.append(f"{name}={label(value)}")
        elif type(value) is bool or type(value) is int:
            said.append(f"{name}={value}")
    return " ".join(said)


def _grid(title: str, rows: Mapping[str, Mapping[str, int]]) -> Block:
    return table(
        [Column(title, 44, 25, mono=True), *(Column(name, 0, 9, right=True) for name, _ in _SHORT)],
        [(name, *(sum(row[key] for key in keys) for _, keys in _SHORT)) for name, row in rows.items()],
        size=8,
    )


_TIMES: Final = {
    "Least": "least",
    "Half within": "p50",
    "90 % within": "p90",
    "99 % within": "p99",
    "Most": "most",
}


def _counted(rows: Mapping[str, int]) -> list[tuple[str, int]]:
    return [(name.replace("_", " "), count) for name, count in rows.items()] or [("none", 0)]


def _both(said: Mapping[str, int]) -> str:
    return f"{said['with_content']}, {said['without_content']}"


def _seconds(microseconds: int | None) -> str:
    return (
        "none"
        if microseconds is None
        else f"{microseconds // 1_000_000}.{microseconds % 1_000_000 // 1_000:03} s"
    )


def _moment(time: str) -> str:
    """To the second; entry and register have the rest."""
    return f"{time[:10]} {time[11:19]}"


def _newest(total: int) -> Iterable[Block]:
    if total > MOST_LINES:
        yield text(f"The newest {MOST_LINES} of {total}; the bundle has all.", size=9)
