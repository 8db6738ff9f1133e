"""Whether what a rail gave back makes sense. A rail that answers nonsense has not judged the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attending.guardrails.finding import Basis, Code, Finding, Scope, Severity

_TEXTS = ("rail", "rule_id", "text", "source", "message")


def sound_findings(value: Any, judged: str | None) -> bool:
    """Whether `value` is a sequence of findings with spans inside `judged` that quote it.

    Where nothing is quoted (an input's findings, `judged` None, or one about the whole text) the span is (0, 0).
    """
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and all(_sound(finding, judged) for finding in value)
    )


def sound_views(documents: Any, placeholders: Any, count: int) -> bool:
    """Whether these are the de-identified texts of `count` documents and a mapping of placeholders to originals."""
    return (
        isinstance(documents, Sequence)
        and not isinstance(documents, str)
        and len(documents) == count
        and all(isinstance(text, str) for text in documents)
        and isinstance(placeholders, Mapping)
        and all(isinstance(key, str) and isinstance(kept, str) for key, kept in placeholders.items())
    )


def _sound(finding: Any, judged: str | None) -> bool:
    if not isinstance(finding, Finding):
        return False
    start, end = finding.start, finding.end
    # Exactly int: True is an int, and NaN a float that compares false with everything.
    if type(start) is not int or type(end) is not int:
        return False
    if not (
        isinstance(finding.code, Code)
        and isinstance(finding.severity, Severity)
        and isinstance(finding.scope, Scope)
        and isinstance(finding.basis, Basis)
        and all(isinstance(getattr(finding, name), str) for name in _TEXTS)
        and isinstance(finding.drugs, tuple)
        and all(isinstance(drug, str) for drug in finding.drugs)
    ):
        return False
    if (start, end) == (0, 0):
        return True
    return judged is not None and 0 <= start <= end <= len(judged) and judged[start:end] == finding.text
