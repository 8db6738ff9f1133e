"""What changes between two versions of a policy, in words that its owner can sign: what gets stricter, what milder.

The verdict tables are compared by what they decide, not by how they are written: over every combination of code,
severity, scope, basis and reader. Rows that are only moved or split are no change; one row that changes the outcome of
forty codes is said with all forty.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from attending.guardrails.finding import Basis, Code, Scope, Severity
from attending.guardrails.policy.decide import judge_one
from attending.guardrails.policy.lint import Cell, cells, finding_of, readers
from attending.guardrails.policy.load import LoadedPolicy
from attending.guardrails.policy.schema import DECISION_RANK, Decision, Policy

Direction = Literal["stricter", "milder", "other"]

_DONE: Final[dict[Decision, str]] = {"release": "released", "hold": "held", "block": "blocked"}


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `key` is the place in policy.yaml, `codes` the finding codes that it is about."""

    direction: Direction
    key: str
    words: str
    old: Any = None
    new: Any = None
    codes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "direction": self.direction,
            "key": self.key,
            "words": self.words,
            "old": self.old,
            "new": self.new,
            "codes": list(self.codes),
        }


def diff(old: LoadedPolicy, new: LoadedPolicy) -> list[Change]:
    """Every change from `old` to `new`: what gets milder first, then stricter, then the rest."""
    changes = [
        *_verdicts(old.policy, new.policy),
        *_settings(old.policy, new.policy),
        *_flows("input", old.input_flows, new.input_flows),
        *_flows("retrieval", old.retrieval_flows, new.retrieval_flows),
        *_flows("output", old.output_flows, new.output_flows),
    ]
    order = {"milder": 0, "stricter": 1, "other": 2}
    return sorted(changes, key=lambda change: order[change.direction])


# -- the verdict table


def _verdicts(old: Policy, new: Policy) -> Iterator[Change]:
    """One change for each pair of decisions and kind of circumstance, with all codes and severities it is about."""
    common = [reader for reader in readers(old) if reader in readers(new)]
    moved: dict[tuple[Decision, Decision, str], dict[Code, dict[Severity, set[Cell]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(set))
    )
    total: dict[tuple[str, str, str], int] = defaultdict(int)
    for cell in cells((old, new)):
        if cell.audience not in common or cell.code is Code.CLINICAL_RECOMMENDATION:
            continue
        total[cell.audience, cell.code, cell.severity] += 1
        finding = finding_of(cell)
        before, _rule = judge_one(old, finding, cell.audience)
        after, _rule = judge_one(new, finding, cell.audience)
        if before != after:
            moved[before, after, cell.audience][cell.code][cell.severity].add(cell)
    for (before, after, audience), codes in sorted(moved.items()):
        by_circumstance: dict[str, dict[Code, list[Severity]]] = defaultdict(lambda: defaultdict(list))
        for code, severities in codes.items():
            for severity, found in severities.items():
                where = _circumstance(found, total[audience, code, severity])
                by_circumstance[where][code].append(severity)
        for where, these in by_circumstance.items():
            by_severities: dict[tuple[Severity, ...], list[Code]] = defaultdict(list)
            for code, ranked in these.items():
                by_severities[tuple(sorted(ranked, key=lambda s: -s.rank))].append(code)
            for severity_set, names in by_severities.items():
                stricter = DECISION_RANK[after] > DECISION_RANK[before]
                what = ", ".join(sorted(names))
                how_bad = " or ".join(severity_set)
                yield Change(
                    "stricter" if stricter else "milder",
                    "verdicts",
                    f"{_DONE[after]} instead of {_DONE[before]}, read by a {audience}: {what} ({how_bad}){where}",
                    before,
                    after,
                    tuple(sorted(names)),
                )


def _circumstance(found: set[Cell], total: int) -> str:
    """Which of the cells of one code and severity are meant, in words; empty where it is all of them."""
    if len(found) == total:
        return ""
    parts = []
    for name, values, every in (
        ("scope", {cell.scope for cell in found}, len(Scope)),
        ("basis", {cell.basis for cell in found}, len(Basis)),
    ):
        if len(values) < every:
            parts.append(f"{name} {', '.join(sorted(values))}")
    rules = {cell.rule for cell in found} - {"any-other-rule"}
    if rules and not any(cell.rule == "any-other-rule" for cell in found):
        parts.append(f"rule {', '.join(sorted(rules))}")
    return f", where {'; '.join(parts)}" if parts else ", for some rules"


# -- everything else

_TABLE_KEYS: Final = ("verdicts", "name")
_TEXTS: Final = (
    "title",
    "use_case",
    "safe_text",
    "block_text",
    "crisis_text",
    "urgent_contact",
    "registry.owner",
    "registry.intended_use",
    "registry.reviewed",
)
# Key to its values from mild to strict; of numbers, whether more is stricter.
_ORDERED: Final[Mapping[str, tuple[Any, ...]]] = {
    "mode": ("observe", "advise", "enforce"),
    "audience": ("clinician", "patient"),
    "mandatory_review": ("when_recommendation", "always"),
    "sign_offs.author_may_sign": (True, False),
    "sign_offs.blinded_second_read": (False, True),
    "sign_offs.dispose_at_or_above": ("major", "moderate", "minor"),
    "urgency": ("routine", "urgent", "emergency"),
    "phi.deidentify": (False, True),
    "phi.mode": ("baa_minimum", "safe_harbor"),
    "streaming.text": (True, False),
    "oversight.tier": ("routine", "elevated", "highest"),
}
_MORE_IS_STRICTER: Final[Mapping[str, bool]] = {
    "sign_offs.count": True,
    "sign_offs.max_held": False,
    "sampling.released_percent": True,
    "oversight.reading.words_per_minute": False,
    "oversight.reading.raise_days": True,
    "oversight.velocity.signatures_per_hour": False,
    "suppression.days": False,
    "oversight.seeded.permille": True,
    "sla_minutes": False,
    "expiry_minutes": False,
    "escalation.after_minutes": False,
    "escalation.outside_hours.after_minutes": False,
    "break_glass.review_within_hours": False,
    "registry.review_every_months": False,
    "retention.payload_days": True,
}


def _settings(old: Policy, new: Policy) -> Iterator[Change]:
    before, after = _flat(old.model_dump(mode="json")), _flat(new.model_dump(mode="json"))
    for key in sorted({*before, *after}):
        was, now = before.get(key), after.get(key)
        if was == now or key.split(".")[0] in _TABLE_KEYS:
            continue
        if key in _TEXTS:
            yield Change("other", key, f"the wording of `{key}` changes", was, now)
            continue
        yield Change(_direction(key, was, now), key, f"`{key}`: {_said(was)} becomes {_said(now)}", was, now)


def _direction(key: str, was: Any, now: Any) -> Direction:
    if key in _ORDERED and was in _ORDERED[key] and now in _ORDERED[key]:
        return "stricter" if _ORDERED[key].index(now) > _ORDERED[key].index(was) else "milder"
    if key in _MORE_IS_STRICTER and isinstance(was, int) and isinstance(now, int):
        return "stricter" if (now > was) == _MORE_IS_STRICTER[key] else "milder"
    if key == "sign_offs.roles":
        if set(now) < set(was):
            return "stricter"
        return "milder" if set(now) > set(was) else "other"
    if key == "sign_offs.skills":
        if all(skill in now for skill in was):
            return "stricter"
        return "milder" if all(skill in was for skill in now) else "other"
    if key.startswith("suppression"):
        return "milder" if was is None else "stricter"
    if key.startswith("escalation"):
        return "stricter" if was is None else "milder" if now is None else "other"
    return "other"


def _flat(value: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, item in value.items():
        path = f"{above}.{key}" if above else key
        if isinstance(item, dict) and item:
            found |= _flat(item, path)
        else:
            found[path] = item
    return found


def _said(value: Any) -> str:
    if value is None:
        return "nothing"
    return (", ".join(map(_one, value)) or "nothing") if isinstance(value, list) else str(value)


def _one(item: Any) -> str:
    if isinstance(item, dict):
        return " by ".join("/".join(part) if isinstance(part, list) else str(part) for part in item.values())
    return str(item)


def _flows(direction: str, old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[Change]:
    key = f"rails/config.yml: rails.{direction}.flows"
    for flow in old:
        if flow not in new:
            yield Change("milder", key, f"the rail `{flow}` no longer runs", flow, None)
    for flow in new:
        if flow not in old:
            yield Change("stricter", key, f"the rail `{flow}` runs as well", None, flow)
