"""What a policy may say: the strict shape of `policy.yaml`, with the floors that no policy can go below.

A policy is written by a clinical safety officer, so an unknown key, a misspelt code or a row that would switch a
safeguard off is an error when the policy is loaded, never a silent default.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import MAXYEAR, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self

from attending.guardrails.finding import Basis, Code, Finding, Scope, Severity
from attending.guardrails.policy.hours import Hours, escalation_moment
from attending.guardrails.policy.skills import Skill
from attending.guardrails.rails.scope_of_use import Topic
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

Decision = Literal["release", "hold", "block"]
Audience = Literal["patient", "clinician"]
Mode = Literal["observe", "advise", "enforce"]
PhiModeName = Literal["safe_harbor", "baa_minimum"]
Role = Literal["clinician", "pharmacist", "safety_officer"]
Urgency = Literal["routine", "urgent", "emergency"]

DECISION_RANK: Final[dict[str, int]] = {"release": 0, "hold": 1, "block": 2}

UNTOUCHABLE: Final = frozenset({Code.CLINICAL_RECOMMENDATION, Code.RAIL_FAILURE})
"""Codes whose effect is fixed: a recommendation waits for a clinician, a failed rail is never a pass."""

ALWAYS_BLOCKED: Final = frozenset({Code.NEVER_EVENT, Code.WRONG_PATIENT, Code.SELF_HARM})
"""Codes that block for every audience from severity major on."""

CRISIS_TEXT: Final = (
    "If you are thinking about harming yourself, you do not have to face it alone. In the United States call or text "
    "988 now, day or night. If you are in danger, call 911 or go to the nearest emergency department."
)

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
_Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, str_strip_whitespace=True)


class VerdictRow(_Strict):
    """One row of the verdict table: every condition given must hold; the first row that matches decides.

    A condition left out matches everything. A row may be stricter than the default table; it may be milder only
    down to the floor of `policy.decide.floor`, and then `because` must say why.
    """

    code: tuple[Code, ...] = Field(min_length=1)
    severity: tuple[Severity, ...] = ()
    scope: tuple[Scope, ...] = ()
    basis: tuple[Basis, ...] = ()
    audience: tuple[Audience, ...] = ()
    """Who reads the text: a call may name a patient where the policy is for clinicians."""
    rule: str | None = None
    """A rule id, or its beginning followed by `*`."""
    decision: Decision
    because: _Text

    @field_validator("code", "severity", "scope", "basis", "audience", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _no_safeguard_off(self) -> Self:
        fixed = sorted(code.value for code in self.code if code in UNTOUCHABLE)
        if fixed:
            raise _refused(
                "SAFEGUARD_OFF", f"the effect of {', '.join(fixed)} is fixed and takes no verdict row"
            )
        if Severity.INFO in self.severity:
            raise _refused("SAFEGUARD_OFF", "info findings never change a verdict")
        if self.rule is not None and not re.fullmatch(r"[A-Za-z0-9_.:\-/]+\*?", self.rule):
            raise ValueError("`rule` is a rule id, or its beginning followed by `*`")
        return self

    def matches(self, finding: Finding, audience: Audience) -> bool:
        """Whether every condition of this row holds for `finding` before this reader."""
        return (
            finding.code in self.code
            and (not self.severity or finding.severity in self.severity)
            and (not self.scope or finding.scope in self.scope)
            and (not self.basis or finding.basis in self.basis)
            and (not self.audience or audience in self.audience)
            and (self.rule is None or rule_matches(self.rule, finding.rule_id))
        )


class SignOffs(_Strict):
    """Who signs a held text: any holder of one of `roles`, `count` different people."""

    roles: tuple[Role, ...] = Field(min_length=1)
    count: int = Field(ge=1, le=5)
    author_may_sign: bool
    """Whether the clinician who asked for the draft may sign it where no finding is at or above major."""
    blinded_second_read: bool = False
    dispose_at_or_above: Severity = Severity.MODERATE
    """Each finding of this severity or worse takes a disposition before anybody signs."""
    max_held: int | None = Field(default=None, ge=1, le=100)
    """Items of the use case that one person may have been given at once; None: as many as they ask for."""
    skills: tuple[Skill, ...] = Field(default=(), max_length=20)
    """Whose signature findings want that are to be disposed of, beside what `roles` and `count` say."""

    @model_validator(mode="after")
    def _clinician_signs(self) -> Self:
        if "clinician" not in self.roles:
            raise _refused(
                "NO_CLINICIAN", "`roles` must contain clinician: recommendations wait for one in every policy"
            )
        if len(set(self.roles)) != len(self.roles):
            raise ValueError("`roles` names a role twice")
        if self.blinded_second_read and self.count < 2:
            raise _refused("CONTRADICTION", "`blinded_second_read` needs a `count` of at least 2")
        if self.blinded_second_read and self.skills:
            # Whose turn it is would tell who has read it.
            raise _refused("CONTRADICTION", "`skills` and `blinded_second_read` exclude each other")
        if (
            self.dispose_at_or_above.rank < Severity.MINOR.rank
            or self.dispose_at_or_above.rank > Severity.MAJOR.rank
        ):
            raise ValueError("`dispose_at_or_above` must be minor, moderate or major")
        return self


class OutsideHours(Hours):
    """Sooner, and to others, while nobody is there: after `after_minutes` outside the hours since the text was held."""

    after_minutes: int = Field(ge=1, le=60 * 24 * 30)
    to_roles: tuple[Role, ...] = Field(min_length=1)


class Escalation(_Strict):
    """To whom an item is escalated that nobody has decided on after `after_minutes`."""

    after_minutes: int = Field(ge=1, le=60 * 24 * 30)
    to_roles: tuple[Role, ...] = Field(min_length=1)
    outside_hours: OutsideHours | None = None

    @model_validator(mode="after")
    def _sooner(self) -> Self:
        outside = self.outside_hours
        if outside is not None and outside.after_minutes > self.after_minutes:
            raise _refused(
                "CONTRADICTION", "`escalation.outside_hours` must not wait longer than `escalation` does"
            )
        return self

    def due(self, held: datetime) -> tuple[datetime, tuple[Role, ...]]:
        """When a text that is held at `held` is escalated, and to whom."""
        if (outside := self.outside_hours) is None:
            return held + timedelta(minutes=self.after_minutes), self.to_roles
        at = escalation_moment(held, self.after_minutes, outside, outside.after_minutes)
        return at, self.roles_at(at)

    def roles_at(self, moment: datetime) -> tuple[Role, ...]:
        """To whom an item is escalated at `moment`."""
        outside = self.outside_hours
        return self.to_roles if outside is None or outside.covers(moment) else outside.to_roles


class Suppression(_Strict):
    """For how long a finding about drugs that a reviewer decided on is not asked about again for the same patient."""

    days: int = Field(ge=1, le=90)


class BreakGlass(_Strict):
    """Who may release a held text without its sign-offs, and when somebody else has looked at that at the latest."""

    roles: tuple[Role, ...] = Field(min_length=1)
    review_within_hours: int = Field(ge=1, le=24 * 30)


class Streaming(_Strict):
    """Whether text may be sent before it is whole; a held class never streams."""

    text: bool = False
    window_characters: int = Field(default=400, ge=50, le=10_000)


class Retention(_Strict):
    """How long payloads are kept, and from when the clock starts (45 CFR 164.316(b)(2)(i))."""

    payload_days: int = Field(ge=1, le=36_525)
    starts: Literal["creation", "policy_retired"] = "policy_retired"


class Sampling(_Strict):
    """Share of released texts drawn for review afterwards, in per cent."""

    released_percent: int = Field(default=0, ge=0, le=100)


class Reading(_Strict):
    """How fast a text can be read at most, by somebody who reads it. Floors are longer the worse the findings are.

    The default is the rate of reading for comprehension in Carver's range (Reading Rate, 1990: skimming 450, reading
    300, learning 200 words a minute), above the 238 that Brysbaert finds for adults reading prose silently (Journal of
    Memory and Language 109, 2019). A signature below the floor is asked for a reason, so the floor is set where reading
    with care is out of the question, not where it is usual.
    """

    words_per_minute: int = Field(default=300, ge=50, le=1_000)
    raise_days: int = Field(default=14, ge=1, le=90)
    """For how long what a person signs is drawn for a second read more often, once they were below the floor."""


class Velocity(_Strict):
    """Signatures under this policy by one person within an hour from which it is told, whatever is usual."""

    signatures_per_hour: int = Field(ge=1, le=1_000)


LEAST_DIGITS: Final = 4
"""Of made-up record numbers: of fewer of them people would know some again."""


class Seeded(_Strict):
    """Items with a known error, about made-up patients, that the server plants among those which wait."""

    permille: int = Field(ge=1, le=20)
    """Most of what is held that may be planted, in thousandths: at most 2 %."""
    announced: Literal[True]
    """That reviewers are told of it, here and in the README: who is tried without knowing is deceived."""
    record_numbers: str | None = Field(None, pattern=r"^[!-~]([ -~]{0,30}[!-~])?$")
    """Record numbers that the site gives to no patient, each `#` a digit: of planted items where its texts have one."""

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.record_numbers is not None and self.record_numbers.count("#") < LEAST_DIGITS:
            raise ValueError(
                f"`record_numbers` must have {LEAST_DIGITS} `#` at least, each of which is a digit"
            )
        return self


class Oversight(_Strict):
    """What keeps review from becoming a habit: see docs/oversight.md."""

    tier: Literal["routine", "elevated", "highest"] = "routine"
    """How much is at stake. At the highest, signing waits for the reading floor; below, nothing does."""
    reading: Reading = Reading()
    velocity: Velocity | None = None
    seeded: Seeded | None = None
    own_view_first: bool = False
    """Whether each reviewer puts their own view on record before the findings and a second model's word are shown."""


class Phi(_Strict):
    """What the model may see. Whatever leaves more than Safe Harbor does names the agreement that permits it."""

    deidentify: bool = True
    mode: PhiModeName = "safe_harbor"
    """`baa_minimum` moves dates instead of replacing them, and leaves ages and who is a clinician."""
    agreement: _Text | None = None

    @model_validator(mode="after")
    def _agreement_named(self) -> Self:
        if self.mode == "baa_minimum" and not self.deidentify:
            raise ValueError("`mode: baa_minimum` and `deidentify: false` exclude each other")
        if self.identified and self.agreement is None:
            raise ValueError("`agreement` must name what permits personal data to reach the model")
        return self

    @property
    def identified(self) -> bool:
        """Whether the model is given more than 45 CFR 164.514(b)(2) leaves, so that it needs an agreement."""
        return not self.deidentify or self.mode == "baa_minimum"


_Phrase = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=120)]


class ScopeOfUse(_Strict):
    """What a use case covers beside care. Every topic of the vocabulary is off topic unless `allow` names it.

    Phrases are whole words, whatever their case: one of `deny_phrases` is off topic, one of `allow_phrases` makes its
    sentence on topic.
    """

    allow: tuple[Topic, ...] = ()
    allow_phrases: tuple[_Phrase, ...] = Field(default=(), max_length=100)
    deny_phrases: tuple[_Phrase, ...] = Field(default=(), max_length=100)

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        both = {phrase.casefold() for phrase in self.allow_phrases} & {
            p.casefold() for p in self.deny_phrases
        }
        if both:
            names = ", ".join(sorted(both))
            raise _refused("CONTRADICTION", f"`allow_phrases` and `deny_phrases` both name {names}")
        return self


class CostTags(_Strict):
    """Tags that a call under this policy must carry."""

    required_tags: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")], ...] = ()


class Registry(_Strict):
    """The document's own life: `status` draft is loaded by `attending policy test` only."""

    status: Literal["draft", "active", "retired"]
    owner: _Text
    reviewed: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    review_every_months: int = Field(ge=1, le=60)
    intended_use: _Text

    def reviewed_on(self) -> date:
        """The day of the last review. ValueError where `reviewed` is no day of the calendar."""
        return date.fromisoformat(self.reviewed)

    def due_on(self) -> date:
        """The day from which the next review is due: the same day so many months later, or the last of that month.
        ValueError as `reviewed_on`."""
        last = self.reviewed_on()
        years, month = divmod(last.month - 1 + self.review_every_months, 12)
        year, month = last.year + years, month + 1
        if year > MAXYEAR:
            return date.max
        return date(year, month, min(last.day, monthrange(year, month)[1]))


OnFailure = Literal["hold", "block"]
"""What a rail that did not judge the text leads to. `release` is not among them, in no policy."""

_TimeoutMs = Annotated[int, Field(ge=10, le=60_000)]
_Characters = Annotated[int, Field(ge=1, le=4_000_000)]
_FlowName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,63}$")]
_REMOTE_ARGUMENTS: Final = frozenset({"on_fail", "use_local", "validation_endpoint"})


def _fails_closed(value: Any) -> Any:
    if value == "release":
        raise _refused("SAFEGUARD_OFF", "a rail that fails never releases a text: `hold` or `block`")
    return value


class FlowLimits(_Strict):
    """The limits of one rail where they differ from those of `rails`."""

    timeout_ms: _TimeoutMs | None = None
    max_characters: _Characters | None = None
    on_failure: OnFailure | None = None

    _closed = field_validator("on_failure", mode="before")(_fails_closed)


class ValidatorRail(_Strict):
    """A validator of Guardrails AI that runs as a rail (`rails.validators`). Its package is installed, not brought."""

    name: _FlowName
    stage: Literal["input", "retrieval", "output"]
    import_: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")] = Field(
        alias="import"
    )
    """`package.module:Class`."""
    arguments: dict[str, bool | int | float | str | list[str] | list[int] | None] = Field(
        default_factory=dict
    )
    code: Code
    severity: Severity = Severity.MAJOR

    @model_validator(mode="after")
    def _judged_here(self) -> Self:
        elsewhere = sorted(_REMOTE_ARGUMENTS & set(self.arguments))
        if elsewhere:
            raise ValueError(
                f"`arguments` may not set {', '.join(elsewhere)}: it is judged here, and by the policy"
            )
        if self.code in UNTOUCHABLE:
            raise ValueError(f"`code` {self.code.value} is reserved")
        if self.severity is Severity.INFO:
            raise ValueError("`severity` info would silence it")
        return self


class DialogRail(_Strict):
    """What a prompt is that a dialog flow of `rails/*.co` answers itself (`rails.dialog`)."""

    code: Code = Code.OFF_TOPIC
    severity: Severity = Severity.MAJOR

    @model_validator(mode="after")
    def _not_reserved(self) -> Self:
        if self.code in UNTOUCHABLE or self.severity is Severity.INFO:
            raise _refused("SAFEGUARD_OFF", "`code` must not be a reserved one, nor `severity` info")
        return self


class Documents(_Strict):
    """What documents given with a call must be; a limit left out is not judged.

    A withdrawn document, one past its review date and another patient's are found without a limit.
    """

    required: bool = False
    """Whether a call without documents is one with a weak retrieval."""
    min_score: Decimal | None = None
    """Least score of the best document, in the retriever's own measure."""
    min_overlap_percent: int | None = Field(default=None, ge=1, le=100)
    """Least share of the prompt's content words that one document has."""
    max_age_days: int | None = Field(default=None, ge=1, le=36_525)
    """Days from its publication after which a document is stale."""
    semantic: bool = False
    """Whether claims that no passage supports in its words are looked at again by meaning."""


class SecondOpinion(_Strict):
    """Another model that is asked whether the documents support the text; its disagreement is a finding."""

    provider: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    """A provider of the server's configuration, of another family than the models that write."""
    model: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    timeout_ms: int = Field(default=5000, ge=100, le=60_000)
    required: bool = False
    """Whether a missing opinion holds like a rail that failed."""


class Rails(_Strict):
    """How the flows of `rails/config.yml` run here, and which rails run beside them.

    `codes` says which code a flow of NeMo's library reports when it blocks; our own flows report their own. Every
    rail is bounded: `timeout_ms` for itself, `budget_ms` for all of one call together, `max_characters` for the text
    that it is given. A rail that is over a bound, raises, answers nonsense or cannot run gives `on_failure`.
    """

    timeout_ms: _TimeoutMs = 5000
    budget_ms: int = Field(default=8_000, ge=10, le=120_000)
    max_characters: _Characters = 1_000_000
    on_failure: OnFailure = "hold"
    flows: dict[str, FlowLimits] = Field(default_factory=dict)
    codes: dict[str, Code] = Field(default_factory=dict)
    severities: dict[str, Severity] = Field(default_factory=dict)
    validators: tuple[ValidatorRail, ...] = ()
    dialog: DialogRail | None = None

    _closed = field_validator("on_failure", mode="before")(_fails_closed)

    @model_validator(mode="after")
    def _codes_are_foreign(self) -> Self:
        fixed = sorted(flow for flow, code in self.codes.items() if code in UNTOUCHABLE)
        if fixed:
            raise _refused("SAFEGUARD_OFF", f"`codes` gives a reserved code to {', '.join(fixed)}")
        low = sorted(flow for flow, severity in self.severities.items() if severity is Severity.INFO)
        if low:
            raise _refused("SAFEGUARD_OFF", f"`severities` would silence {', '.join(low)}")
        names = [validator.name for validator in self.validators]
        if len(set(names)) != len(names):
            raise ValueError("`validators` names a rail twice")
        return self

    def timeout_ms_of(self, rail: str) -> int:
        """Milliseconds that the rail may take."""
        return self._own(rail).timeout_ms or self.timeout_ms

    def max_characters_of(self, rail: str) -> int:
        """Characters of the longest text that the rail is given."""
        return self._own(rail).max_characters or self.max_characters

    def on_failure_of(self, rail: str) -> OnFailure:
        """What follows when the rail has not judged the text."""
        return self._own(rail).on_failure or self.on_failure

    def _own(self, rail: str) -> FlowLimits:
        return self.flows.get(rail) or FlowLimits()


class Policy(_Strict):
    """One policy as written. `hash` and `path` are set by `policy.load`."""

    name: _Name
    version: int = Field(ge=1, le=1_000_000)
    title: _Text
    use_case: _Text
    audience: Audience
    mode: Mode
    registry: Registry
    mandatory_review: Literal["always", "when_recommendation"]
    verdicts: tuple[VerdictRow, ...] = ()
    sign_offs: SignOffs
    urgency: Urgency = "routine"
    """How soon a held text of this use is to be looked at, beside others of the same age and severity."""
    sla_minutes: int = Field(ge=1, le=60 * 24 * 30)
    expiry_minutes: int = Field(ge=1, le=60 * 24 * 90)
    escalation: Escalation | None = None
    suppression: Suppression | None = None
    """Left out, every finding is decided on each time."""
    break_glass: BreakGlass | None = None
    """Left out, nobody releases without the sign-offs, in no emergency."""
    urgent_contact: _Text
    safe_text: _Text
    """Shown while a text is held; written by the policy's owner, for the audience."""
    block_text: _Text
    """Shown when a text is blocked: what to do next."""
    crisis_text: _Text = CRISIS_TEXT
    """Shown before both to a person whose message speaks of harming themselves."""
    scope: ScopeOfUse = ScopeOfUse()
    documents: Documents = Documents()
    second_opinion: SecondOpinion | None = None
    rails: Rails = Rails()
    phi: Phi = Phi()
    streaming: Streaming = Streaming()
    retention: Retention
    sampling: Sampling = Sampling()
    oversight: Oversight = Oversight()
    cost: CostTags = CostTags()
    _hash: str = PrivateAttr(default="")

    @property
    def hash(self) -> str:
        """`sha256:` and the hash of every file of the policy's folder; empty until loaded from one."""
        return self._hash

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        from attending.guardrails.policy.decide import below_floor

        for position, row in enumerate(self.verdicts):
            if (why := below_floor(row, position, self.audience)) is not None:
                raise _refused("BELOW_FLOOR", why)
        if self.expiry_minutes < self.sla_minutes:
            raise _refused("CONTRADICTION", "`expiry_minutes` must not be below `sla_minutes`")
        if self.escalation is not None and self.escalation.after_minutes > self.expiry_minutes:
            raise _refused("CONTRADICTION", "`escalation.after_minutes` must not be above `expiry_minutes`")
        if self.suppression is not None and self.sign_offs.blinded_second_read:
            # What somebody decided before would be a word that both readers have heard.
            raise _refused(
                "CONTRADICTION", "`suppression` and `sign_offs.blinded_second_read` exclude each other"
            )
        if self.break_glass is not None and self.audience == "patient":
            raise _refused("SAFEGUARD_OFF", "`break_glass` is for texts that clinicians read")
        if self.mode != "enforce" and self.audience == "patient":
            raise _refused("SAFEGUARD_OFF", "a policy for patients must enforce")
        if self.audience == "patient" and "records_of_others" in self.scope.allow:
            raise _refused("SAFEGUARD_OFF", "`scope.allow` must not give a patient the records of others")
        if self.streaming.text and self.mandatory_review == "always":
            raise _refused(
                "CONTRADICTION", "`streaming.text` and `mandatory_review: always` exclude each other"
            )
        return self


def _refused(reason: str, message: str) -> PydanticCustomError:
    """An error of validation whose type is a reason code, for `policy.lint`."""
    return PydanticCustomError(reason, message.replace("{", "(").replace("}", ")"))


def rule_matches(pattern: str, rule_id: str) -> bool:
    """Whether a rule id is the one that a row names, or begins as it says before its `*`."""
    if pattern.endswith("*"):
        return rule_id.startswith(pattern[:-1])
    return rule_id == pattern
