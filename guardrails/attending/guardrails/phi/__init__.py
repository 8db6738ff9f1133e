"""PHI protection: detect, de-identify, restore, and look for leaks. Heavy imports happen on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attending.guardrails.phi.detect import PhiDetector, load_detector
    from attending.guardrails.phi.leak import leaked
    from attending.guardrails.phi.mode import PhiMode
    from attending.guardrails.phi.pseudonymize import Deidentified, deidentify, deidentify_all, redact
    from attending.guardrails.phi.reidentify import PlaceholderProblem, ProblemKind, Restored, restore
    from attending.guardrails.phi.spans import PhiSpan, PhiType
    from attending.guardrails.phi.surrogates import Surrogates, count_replaced

__all__ = [
    "Deidentified",
    "PhiDetector",
    "PhiMode",
    "PhiSpan",
    "PhiType",
    "PlaceholderProblem",
    "ProblemKind",
    "Restored",
    "Surrogates",
    "count_replaced",
    "deidentify",
    "deidentify_all",
    "leaked",
    "load_detector",
    "redact",
    "restore",
]

_HOME = {
    "Deidentified": "pseudonymize",
    "PhiDetector": "detect",
    "PhiMode": "mode",
    "PhiSpan": "spans",
    "PhiType": "spans",
    "PlaceholderProblem": "reidentify",
    "ProblemKind": "reidentify",
    "Restored": "reidentify",
    "Surrogates": "surrogates",
    "count_replaced": "surrogates",
    "deidentify": "pseudonymize",
    "deidentify_all": "pseudonymize",
    "leaked": "leak",
    "load_detector": "detect",
    "redact": "pseudonymize",
    "restore": "reidentify",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
