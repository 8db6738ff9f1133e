"""What the rails of one call work on. A NeMo action receives strings; the rest of the call reaches it from here."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from attending.guardrails.citation import Citation
from attending.guardrails.finding import Coverage
from attending.guardrails.patient import Document, Identity, Judged, PatientContext
from attending.guardrails.policy.schema import PhiModeName
from attending.guardrails.rails.likeness import Likeness, find_likeness
from attending.guardrails.rails.signs import Place

if TYPE_CHECKING:
    from attending.guardrails.checks.port import KnowledgePort
    from attending.guardrails.checks.rests_on import Grounds
    from attending.guardrails.phi import PhiDetector, PlaceholderProblem
    from attending.guardrails.policy.schema import Documents, ScopeOfUse


class RailServices(Protocol):
    """The loaded engines that rails use; one set a process, safe to share by calls that run one after another."""

    @property
    def knowledge(self) -> KnowledgePort: ...
    @property
    def detector(self) -> PhiDetector: ...


@dataclass(slots=True)
class RailRequest:
    """One call's material and what the rails say beyond findings.

    `judged` is None while the input is checked. `placeholder_problems` come from restoring the output, with spans
    into `judged.output` as it is judged.
    """

    services: RailServices
    audience: Literal["patient", "clinician"]
    prompt: str
    documents: tuple[Document, ...] = ()
    identity: Identity | None = None
    deidentify: bool = True
    phi_mode: PhiModeName = "safe_harbor"
    patient: PatientContext | None = None
    document_limits: Documents | None = None
    """None where the policy's rails do not judge documents."""
    judged: Judged | None = None
    placeholder_problems: tuple[PlaceholderProblem, ...] = ()
    scope: ScopeOfUse | None = None
    """What the policy covers; every topic outside of care is off topic where it is None."""
    coverage: Coverage = field(default_factory=Coverage)
    citations: tuple[Citation, ...] = ()
    grounds: Grounds | None = None
    """What findings about drugs rest on; None where the clinical checks did not end."""
    _likenesses: dict[tuple[Place, str], tuple[Likeness, ...]] = field(
        default_factory=dict, init=False, repr=False
    )

    def likeness(self, text: str, place: Place) -> tuple[Likeness, ...]:
        """`find_likeness` of a text of this call, worked out for the first rail that asks and kept for the others."""
        key = (place, text)
        if key not in self._likenesses:
            self._likenesses[key] = find_likeness(text, place)
        return self._likenesses[key]


_CURRENT: ContextVar[RailRequest] = ContextVar("attending_rail_request")


def current_request() -> RailRequest:
    """The request whose rails run in this context; raises LookupError outside of one, which fails the rail."""
    return _CURRENT.get()


class serving:  # noqa: N801 - reads as a statement: `with serving(request):`
    """Makes `request` the current one for the block."""

    def __init__(self, request: RailRequest) -> None:
        self._request = request

    def __enter__(self) -> RailRequest:
        self._token = _CURRENT.set(self._request)
        return self._request

    def __exit__(self, *exc: object) -> None:
        _CURRENT.reset(self._token)
