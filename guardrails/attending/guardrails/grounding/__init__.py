"""Claims of an output against the documents it was given: supported with the passage, unsupported or contradicted."""

from attending.guardrails.grounding.check import Grounded, ground, grounding
from attending.guardrails.grounding.withdrawn import is_withdrawn

__all__ = ["Grounded", "ground", "grounding", "is_withdrawn"]
