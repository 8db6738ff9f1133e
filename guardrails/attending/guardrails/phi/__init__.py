"""PHI protection: detect, de-identify, restore, and look for leaks. Heavy imports happen on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attending.guardrails.phi.detect import PhiDetector, load_detector
    from attending.guardrails.phi.leak import leaked
    from attending.guardrails.phi.pseudonymize import Deidentified, deidentify, redact
    from attending.guardrails.phi.reidentify import PlaceholderProblem, ProblemKind, Restored, restore
    from attending.guardrails.phi.spans import PhiSpan, PhiType

__all__ = [
    "Deidentified",
    "PhiDetector",
    "PhiSpan",
    "PhiType",
    "PlaceholderProblem",
    "ProblemKind",
    "Restored",
    "deidentify",
    "leaked",
    "load_detector",
    "redact",
    "restore",
]

_HOME = {
    "Deidentified": "pseudonymize",
    "PhiDetector": "detect",
    "PhiSpan": "spans",
    "PhiType": "spans",
    "PlaceholderProblem": "reidentify",
    "ProblemKind": "reidentify",
    "Restored": "reidentify",
    "deidentify": "pseudonymize",
    "leaked": "leak",
    "load_detector": "detect",
    "redact": "pseudonymize",
    "restore": "reidentify",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
