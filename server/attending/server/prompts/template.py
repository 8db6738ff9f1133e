"""Prompt templates: `{{variable}}` places, strict both ways, and the content hash that names a version."""

from __future__ import annotations

import hashlib
import re

from attending.ledger import canonical
from attending.server.errors import InvalidRequest

MAX_TEMPLATE_CODE_POINTS = 32_768
MAX_VARIABLES = 64
NAME = re.compile(r"[a-z0-9](?:[a-z0-9._/-]{0,62}[a-z0-9])?\Z")
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,31})\Z")
# A third brace on either side is ambiguous and makes the template invalid.
_PLACE = re.compile(r"(?<!\{)\{\{\s*([a-z][a-z0-9_]{0,63})\s*\}\}(?!\})")


def variables(template: str) -> tuple[str, ...]:
    """Names of the template's variables in order of first use; a stray `{{` or `}}` raises InvalidRequest."""
    rest = _PLACE.sub("", template)
    if "{{" in rest or "}}" in rest:
        raise InvalidRequest([("template", "has `{{` or `}}` that is not a `{{variable}}` place")])
    return tuple(dict.fromkeys(_PLACE.findall(template)))


def version_of(name: str, template: str) -> str:
    """`sha256:` and the hash of the canonical JSON of name, template and format version."""
    content = canonical.encode({"format": "attending-prompt/1", "name": name, "template": template})
    return "sha256:" + hashlib.sha256(content).hexdigest()


def render(template: str, values: dict[str, str]) -> str:
    """The prompt with every variable filled in one pass; a missing or unknown variable raises InvalidRequest."""
    wanted = set(variables(template))
    missing, unknown = sorted(wanted - set(values)), sorted(set(values) - wanted)
    if missing or unknown:
        raise InvalidRequest(
            [("prompt_ref.variables", f"`{name}` is missing") for name in missing]
            + [("prompt_ref.variables", "a name that the template does not use")] * bool(unknown)
        )
    # One pass: a value that looks like a place is never expanded.
    return _PLACE.sub(lambda match: values[match.group(1)], template)
