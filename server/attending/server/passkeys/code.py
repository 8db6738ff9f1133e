"""One-time codes: two halves that two people hand to a third. A half is 24 characters a person can type.

Eight of them name the invitation and sixteen are the secret: 80 random bits, of which the log holds a commitment.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

from attending.server.errors import InvalidRequest

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: without letters that are read as others."""
_NAME_CHARS: Final = 8
_SECRET_CHARS: Final = 16
_READ_AS: Final = str.maketrans("OIL", "011")
_CODE: Final = re.compile(rf"[{_ALPHABET}]{{{_NAME_CHARS + _SECRET_CHARS}}}")
INVITATION: Final = re.compile(rf"inv_[{_ALPHABET.lower()}]{{{_NAME_CHARS}}}")


def new_invitation() -> str:
    """A random id, `inv_` and eight characters."""
    return f"inv_{_random(_NAME_CHARS).lower()}"


def new_half(invitation: str) -> str:
    """Half a code for it, in groups of four."""
    code = invitation.removeprefix("inv_").upper() + _random(_SECRET_CHARS)
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def read_half(text: str, field: str) -> tuple[str, str]:
    """(invitation, the half in its one form) of what somebody typed; InvalidRequest when it cannot be one."""
    code = re.sub(r"[\s-]", "", text[:100]).upper().translate(_READ_AS)
    if not _CODE.fullmatch(code):
        raise InvalidRequest([(field, "must be a code of 24 characters, as it was given to you")])
    return f"inv_{code[:_NAME_CHARS].lower()}", code


def commitment(tenant: str, half: str, code: str) -> str:
    """Hex SHA-256 that stands in the entry: of this tenant and this half, so that neither fits elsewhere."""
    code = code.replace("-", "")
    return hashlib.sha256(f"attending-passkey-code/1\n{tenant}\n{half}\n{code}".encode()).hexdigest()


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
