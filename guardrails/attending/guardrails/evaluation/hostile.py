"""The rails over language, measured: hostile texts that must be found and benign ones that must not.

One JSON object a line: `id`, `label` (attack or benign), `family`, `place` (prompt, document or output), `text`, and
for an attack the `code` that must be found. A benign document is judged as an output as well, since a note is also
what a model drafts. An attack counts as found by its own code alone, a benign text as flagged by any.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, get_args

from attending.guardrails.evaluation.labelled import SetError
from attending.guardrails.evaluation.report import Bar, bars_table, table
from attending.guardrails.evaluation.wilson import Proportion
from attending.guardrails.finding import Code
from attending.guardrails.offline import MAX_LINE_BYTES
from attending.guardrails.policy.schema import ScopeOfUse
from attending.guardrails.rails.injection import find_injection
from attending.guardrails.rails.likeness import find_likeness
from attending.guardrails.rails.scope_of_use import find_off_topic
from attending.guardrails.rails.self_harm import encourages, expresses
from attending.guardrails.rails.signs import Place
from attending.guardrails.rails.toxicity import find_toxicity

Label = Literal["attack", "benign"]
Progress = Callable[[int, int], None]
CODES: Final = (Code.INJECTION, Code.TOXICITY, Code.SELF_HARM, Code.OFF_TOPIC)


@dataclass(frozen=True, slots=True)
class HostileCase:
    """One text; `code` is None for a benign one."""

    id: str
    label: Label
    family: str
    place: Place
    text: str
    code: Code | None

    def __repr__(self) -> str:
        return f"HostileCase(id={self.id!r}, label={self.label!r})"


@dataclass(frozen=True, slots=True)
class HostileSet:
    cases: tuple[HostileCase, ...]
    sha256: str
    """Hex digest of the file's bytes."""

    @classmethod
    def read(cls, path: Path, *, expect_sha256: str | None = None) -> HostileSet:
        """Raises OSError, and SetError for another hash than expected or a line that is no case: a set is measured
        whole or not at all."""
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if expect_sha256 is not None and digest != expect_sha256.strip().lower().removeprefix("sha256:"):
            raise SetError("ANOTHER_SET", f"the set has sha256 {digest}, not the one expected")
        cases = [
            _case(number, line) for number, line in enumerate(content.splitlines(), start=1) if line.strip()
        ]
        if not cases:
            raise SetError("EMPTY_SET", "the set has no cases")
        if len({case.id for case in cases}) != len(cases):
            raise SetError("DUPLICATE_ID", "two lines of the set have the same id")
        return cls(tuple(cases), digest)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rails said to one case: each (code, rule) once."""

    case: HostileCase
    found: tuple[tuple[Code, str], ...]

    @property
    def flagged(self) -> bool:
        if self.case.code is None:
            return bool(self.found)
        return any(code is self.case.code for code, _rule in self.found)

    @property
    def wrong(self) -> bool:
        return self.flagged is (self.case.label == "benign")


@dataclass(frozen=True)
class HostileScores:
    judgements: tuple[Judgement, ...]
    cpu_ms_per_kb: float
    """CPU time of all rails together, over all texts of the set."""

    @cached_property
    def recall(self) -> dict[str, Proportion]:
        """Code -> share of its attacks that were found."""
        shares = {
            code.value: self._share(one for one in self.judgements if one.case.code is code) for code in CODES
        }
        return {code: share for code, share in shares.items() if share.of}

    @property
    def false_alarms(self) -> Proportion:
        return self._share(one for one in self.judgements if one.case.label == "benign")

    def families(self, label: Label) -> dict[str, Proportion]:
        """Family -> share of its texts that were flagged."""
        ones = [one for one in self.judgements if one.case.label == label]
        names = sorted({one.case.family for one in ones})
        return {name: self._share(one for one in ones if one.case.family == name) for name in names}

    def wrong(self) -> tuple[Judgement, ...]:
        return tuple(one for one in self.judgements if one.wrong)

    @staticmethod
    def _share(judgements: Iterable[Judgement]) -> Proportion:
        flagged = [one.flagged for one in judgements]
        return Proportion(sum(flagged), len(flagged))

    def to_json(self) -> dict[str, Any]:
        return {
            "cases": len(self.judgements),
            "recall": {code: share.to_json() for code, share in self.recall.items()},
            "false_alarms": self.false_alarms.to_json(),
            "attacks_by_family": {name: s.to_json() for name, s in self.families("attack").items()},
            "benign_by_family": {name: s.to_json() for name, s in self.families("benign").items()},
            "cpu_ms_per_kb": round(self.cpu_ms_per_kb, 3),
            "wrong": [
                {"id": one.case.id, "label": one.case.label, "family": one.case.family, "found": _rules(one)}
                for one in self.wrong()
            ],
        }


def run(cases: Sequence[HostileCase], scope: ScopeOfUse, progress: Progress | None = None) -> HostileScores:
    """Judges each case by the functions that the rails call; `scope` is that of the policy."""
    judgements = []
    read = 0
    judge("Please write to the patient about the visit.", "prompt", scope)  # tables and caches are built once
    started = time.process_time()
    for number, case in enumerate(cases, start=1):
        places: tuple[Place, ...] = (case.place,)
        if case.label == "benign" and case.place == "document":
            places = ("document", "output")
        found = dict.fromkeys(one for place in places for one in judge(case.text, place, scope))
        read += len(places) * len(case.text)
        judgements.append(Judgement(case, tuple(found)))
        if progress is not None:
            progress(number, len(cases))
    spent_ms = (time.process_time() - started) * 1000
    return HostileScores(tuple(judgements), spent_ms / max(read / 1024, 1e-9))


def judge(text: str, place: Place, scope: ScopeOfUse) -> list[tuple[Code, str]]:
    """Code and rule of everything that the rails over language find where `text` stands."""
    found = [(Code.INJECTION, hit.family) for hit in find_injection(text, place)]
    found += [(one.code, "likeness") for one in find_likeness(text, place)]
    if place == "document":
        return found
    found += [(Code.TOXICITY, hit.kind) for hit in find_toxicity(text)]
    if place == "prompt" and expresses(text) is not None:
        found.append((Code.SELF_HARM, "expressed"))
    if place == "output" and encourages(text) is not None:
        found.append((Code.SELF_HARM, "encouraged"))
    found += [
        (Code.OFF_TOPIC, hit.topic)
        for hit in find_off_topic(
            text,
            place,
            allowed=scope.allow,
            denied_phrases=scope.deny_phrases,
            allowed_phrases=scope.allow_phrases,
        )
    ]
    return found


def markdown(set_name: str, sha256: str, version: str, scores: HostileScores, bars: Sequence[Bar]) -> str:
    """The figures as Markdown: ids and rules, no word of a text."""
    lines = [
        "# Rails over language",
        "",
        f"Set {set_name}, {len(scores.judgements)} texts, sha256 {sha256}, version {version}.",
        "Intervals are Wilson, 95 %.",
        "",
        *table(
            ("figure", "value"),
            [
                *((f"attacks found, {code}", str(share)) for code, share in scores.recall.items()),
                ("benign texts flagged", str(scores.false_alarms)),
                ("CPU milliseconds per KB, all rails", f"{scores.cpu_ms_per_kb:.2f}"),
            ],
        ),
        "",
        *bars_table(bars),
    ]
    for title, label in (("Attacks", "attack"), ("Benign texts", "benign")):
        shares = scores.families("attack" if label == "attack" else "benign")
        rows = [(name, str(share)) for name, share in shares.items()]
        lines += [f"## {title} by family", "", *table(("family", "flagged"), rows), ""]
    wrong = [(one.case.id, one.case.family, ", ".join(_rules(one)) or "none") for one in scores.wrong()]
    lines += ["## Wrong", "", *(table(("id", "family", "found"), wrong) if wrong else ["None."])]
    return "\n".join(lines) + "\n"


def _rules(one: Judgement) -> list[str]:
    return [f"{code.value}:{rule}" for code, rule in one.found]


def _case(number: int, line: bytes) -> HostileCase:
    def wrong(reason: str, message: str) -> SetError:
        return SetError(reason, f"line {number}: {message}")

    if len(line) > MAX_LINE_BYTES:
        raise wrong("TOO_LARGE", f"is longer than {MAX_LINE_BYTES} bytes")
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise wrong("NOT_JSON", "is not JSON") from None
    if not isinstance(row, dict) or not all(
        isinstance(row.get(key), str) and row[key].strip() for key in ("id", "family", "text")
    ):
        raise wrong("NOT_A_STRING", "`id`, `family` and `text` must be strings that say something")
    if row.get("label") not in get_args(Label):
        raise wrong("BAD_LABEL", "`label` must be attack or benign")
    if row.get("place") not in get_args(Place):
        raise wrong("BAD_PLACE", "`place` must be prompt, document or output")
    code: Code | None = None
    if row["label"] == "attack":
        code = next((one for one in CODES if one.value == row.get("code")), None)
        if code is None:
            raise wrong("BAD_CODE", f"`code` must be one of {', '.join(one.value for one in CODES)}")
    return HostileCase(row["id"], row["label"], row["family"], row["place"], row["text"], code)
