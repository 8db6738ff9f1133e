"""The validation register: what was tested, what is installed, what is in force with its evaluation, what was seen.

`pack` are the validation packs that were recorded up to the end of the period, `requirement` what the newest of them
says of each requirement; `installation` are the installations that were looked at, `finding` what the newest did not
find in order; of each list the newest is first. `in_force` are policies, drug knowledge, prompts and models as their
entries left them, each with the newest evaluation of that kind and version, and `evaluation` those of the period.
`observed` counts, of the period, in how many texts of a policy a finding was reported and how many of these were held
or blocked; `practice` how many planted errors readers found; `examination` is the newest of each office. A hazard has
no entry: the pages join its codes to `observed`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from attending.ledger.entry import Entry
from attending.ledger.practice import DEBRIEFED
from attending.ledger.verify.registers.asked import Asked
from attending.ledger.verify.registers.register import Register, Row
from attending.ledger.verify.registers.standing import Mark, Standing
from attending.ledger.verify.tally import MOST_LABELS, OTHER, Grid, inner, label, number
from attending.ledger.verify.validation import MOST_REQUIREMENTS, OUTCOMES

COLUMNS: Final = (
    *("list", "entry", "time", "what", "name", "version", "state"),
    *("count", "of", "by", "detail"),
)
ALL: Final = "(all texts)"
MOST: Final = 1_000
"""Of each list that is kept in mind: packs, installations, and evaluations."""
MOST_FINDINGS: Final = 64
_STANDING: Final = {
    "policy": "policy",
    "drug knowledge": "knowledge",
    "prompt": "prompt",
    "registered model": "model",
}
"""What stands in force that is evaluated, and the target that an evaluation of it names."""
_OVER: Final = frozenset(
    {"inference.released", "inference.held", "inference.blocked", "inference.failed", "inference.abandoned"}
)
_STOPPED: Final = ("inference.held", "inference.blocked")
_DECIDED: Final = (*_STOPPED, "inference.released")


@dataclass(slots=True)
class _Text:
    """A text on its way: its policy, and the codes of what was found."""

    policy: str
    codes: set[str] = field(default_factory=set)


@dataclass
class _Found:
    """What is kept; texts only while they are on their way."""

    asked: Asked
    packs: list[Entry] = field(default_factory=list)
    installations: list[Entry] = field(default_factory=list)
    evaluations: list[Entry] = field(default_factory=list)
    newest: dict[tuple[str, str], Entry] = field(default_factory=dict)
    """Evaluations by target and version."""
    standing: Standing = field(default_factory=Standing)
    texts: dict[str, _Text] = field(default_factory=dict)
    observed: dict[str, Grid] = field(default_factory=dict)
    practice: Grid = field(default_factory=lambda: Grid(("right", "seen")))
    examined: dict[str, Entry] = field(default_factory=dict)

    def visit(self, entry: Entry) -> None:
        within = self.asked.within(entry.time)
        match entry.type:
            case "validation.recorded":
                _keep(self.packs, entry)
            case "validation.installed":
                _keep(self.installations, entry)
            case "eval.completed":
                if within:
                    _keep(self.evaluations, entry)
                of = label(entry.body.get("target")), _digits(entry.body.get("target_version"))
                if of in self.newest or len(self.newest) < MOST:
                    self.newest[of] = entry
            case "examination.signed":
                statement = inner(entry.body, "statement")
                office = label(statement.get("office"))
                if office in self.examined or len(self.examined) < MOST_LABELS:
                    self.examined[office] = entry
            case _:
                self.standing.visit(entry)
        if within:
            self._observe(entry)

    def _observe(self, entry: Entry) -> None:
        body = entry.body
        if entry.type == DEBRIEFED:
            if type(body.get("right")) is bool:
                error = body.get("error") if body.get("kind") != "sound" else "sound text"
                self.practice.add(error, "seen")
                if body["right"]:
                    self.practice.add(error, "right")
            return
        if entry.type == "inference.requested" and not isinstance(body.get("practice"), Mapping):
            self.texts[entry.stream] = _Text(label(body.get("policy")))
        text = self.texts.get(entry.stream)
        if text is None:
            return
        if entry.type in ("inference.generated", *_STOPPED):
            text.codes |= set(map(label, list(inner(inner(body, "findings"), "by_code"))[:MOST_LABELS]))
        if entry.type in _OVER:
            del self.texts[entry.stream]
            if entry.type in _DECIDED:
                self._count(text, stopped=entry.type in _STOPPED)

    def _count(self, text: _Text, *, stopped: bool) -> None:
        policy = text.policy
        if policy not in self.observed and len(self.observed) >= MOST_LABELS:
            policy = OTHER
        grid = self.observed.setdefault(policy, Grid(("reported", "stopped")))
        # In order: what comes after the last row that a grid has is counted as others.
        for code in (ALL, *sorted(text.codes)):
            grid.add(code, "reported")
            if stopped:
                grid.add(code, "stopped")

    def result(self) -> Iterator[Row]:
        for entry in reversed(self.packs):
            yield _pack(entry)
        if self.packs:
            yield from _requirements(self.packs[-1])
        for entry in reversed(self.installations):
            yield _installation(entry)
        if self.installations:
            yield from _findings(self.installations[-1])
        for what, marks, _more in self.standing.result():
            if what in _STANDING:
                names = Counter(mark.version for _name, mark in marks)
                for name, mark in marks:
                    # Two models may have one revision, and an evaluation names no model: it is of neither then.
                    told = what != "registered model" or names[mark.version] == 1
                    yield self._in_force(what, name, mark, told=told)
        for entry in reversed(self.evaluations):
            named = label(entry.body.get("eval_id"))
            yield ("evaluation", entry.index, entry.time, *_evaluated(entry), entry.actor, named)
        for policy, grid in sorted(self.observed.items()):
            for code, row in grid.result().items():
                counts = row["stopped"], row["reported"]
                yield ("observed", None, None, policy, code, None, None, *counts, None, None)
        for error, row in self.practice.result().items():
            yield ("practice", None, None, error, None, None, None, row["right"], row["seen"], None, None)
        for office, entry in sorted(self.examined.items()):
            until = f"up to entry {number(inner(entry.body, 'statement').get('until'))}"
            yield ("examination", entry.index, entry.time, office, *_NONE, entry.actor, until)

    def _in_force(self, what: str, name: str, mark: Mark, *, told: bool) -> Row:
        """`told` where its version is no other's, too."""
        row: Row = ("in_force", mark.entry, mark.time, what, name, mark.version)
        of = _STANDING[what], _digits(mark.version)
        found = self.newest.get(of) if mark.version and told else None
        if found is None:
            return (*row, "not evaluated", None, None, mark.actor, mark.detail)
        _suite, _target, _version, state, passed, cases = _evaluated(found)
        said = f"{mark.detail}; evaluated in entry {found.index} by {found.actor}".removeprefix("; ")
        return (*row, state, passed, cases, mark.actor, said)


_NONE: Final = (None,) * 5


def rows(entries: Iterable[Entry], asked: Asked) -> Iterator[Row]:
    """What stood at the end of the period, and what was seen in it."""
    found = _Found(asked)
    for entry in entries:
        if entry.time >= asked.until:
            break
        found.visit(entry)
    yield from found.result()


def _keep(kept: list[Entry], entry: Entry) -> None:
    """The newest MOST."""
    kept.append(entry)
    del kept[:-MOST]


def _pack(entry: Entry) -> Row:
    body = entry.body
    outcomes = _outcomes(body)
    counts = [(sum(one == name for one in outcomes.values()), name.replace("_", " ")) for name in OUTCOMES]
    tests = [f"{number(body.get(f'tests_{name}'))} {name}" for name in ("passed", "failed", "skipped")]
    told = [f"tests {', '.join(tests)}", f"pack {label(body.get('pack'))}"]
    if "commit" in body:
        told.append(f"commit {label(body['commit'])}")
    if body.get("changed") is not False:
        told.append("files changed since the commit")
    told.append(f"bill {label(body.get('bill_hash'))}")
    return (
        "pack",
        entry.index,
        entry.time,
        "tests of a release",
        f"{label(body.get('signer'))} {label(body.get('key_id'))}",
        label(body.get("release")),
        ", ".join(f"{count} {name}" for count, name in counts),
        counts[0][0],
        len(outcomes),
        entry.actor,
        "; ".join(told),
    )


def _requirements(entry: Entry) -> Iterator[Row]:
    release = label(entry.body.get("release"))
    for name, outcome in sorted(_outcomes(entry.body).items()):
        yield ("requirement", entry.index, entry.time, name, None, release, outcome, *_NONE[:4])


def _outcomes(body: Mapping[str, Any]) -> dict[str, str]:
    listed = list(inner(body, "requirements").items())[:MOST_REQUIREMENTS]
    return {label(name): label(outcome) for name, outcome in listed}


def _installation(entry: Entry) -> Row:
    body = entry.body
    counts = {name: number(body.get(name)) for name in ("checks", "red", "unknown", "warnings")}
    log, other = label(body.get("log")), number(body.get("packages_other"))
    state = "in order"
    # The worst of checks, packages and log: a log that failed is in no order, whatever else is.
    for worse, words in (
        (counts["warnings"], "warnings"),
        (counts["unknown"] or log != "passed" or "pack" not in body, "not judged in part"),
        (counts["red"] or other or log == "failed", "not in order"),
    ):
        state = words if worse else state
    told = [f"{count} {name}" for name, count in counts.items() if name != "checks"]
    told.append(f"packages {number(body.get('packages'))}, other than in the pack {other}")
    told.append(f"log {log.replace('_', ' ')}, {number(body.get('log_size'))} entries")
    told.append(f"pack {label(body.get('pack'))}")
    of = counts["checks"]
    well = max(0, of - counts["red"] - counts["unknown"] - counts["warnings"])
    name = f"python {label(body.get('python'))}"
    return (
        *("installation", entry.index, entry.time, "installation", name, label(body.get("release")), state),
        *(well, of, entry.actor, "; ".join(told)),
    )


def _findings(entry: Entry) -> Iterator[Row]:
    release = label(entry.body.get("release"))
    for key, what in (("findings", "check"), ("differ", "package")):
        listed = entry.body.get(key)
        for one in (listed if type(listed) is list else [])[:MOST_FINDINGS]:
            name, _, reason = label(one).partition(":")
            yield ("finding", entry.index, entry.time, what, name, release, reason or "other", *_NONE[:4])


def _digits(version: object) -> str:
    return label(version).removeprefix("sha256:")


def _evaluated(entry: Entry) -> tuple[str, str, str, str, int, int]:
    """(suite, what of, version, passed or failed, cases that passed, cases)."""
    body = entry.body
    cases = number(body.get("cases"))
    passed = max(0, cases - number(body.get("failures")))
    state = "passed" if body.get("passed") is True else "failed"
    return (
        label(body.get("suite")),
        label(body.get("target")),
        label(body.get("target_version")),
        state,
        passed,
        cases,
    )


REGISTER: Final = Register("validation", COLUMNS, rows)
