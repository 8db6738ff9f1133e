"""Service keys: bearer tokens of programs and scripts, kept as argon2id hashes with a public prefix.

    att_<prefix>_<secret>       prefix: 8 hex digits, public, finds the hash; secret: 256 random bits, base64url

The hash is a PHC string of argon2id (RFC 9106). Whoever reads the configuration, a backup of it or a table of
enrolled identities learns nothing that opens a door, even if a key was once typed in by hand with less entropy.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(r"att_([a-z0-9]{8})_[A-Za-z0-9_-]{43}")
PREFIX_PATTERN: Final = r"^[a-z0-9]{8}$"
START: Final = "att_"
TOKEN_CHARS: Final = 56

_PHC: Final = re.compile(
    r"\$argon2id\$v=19\$m=(?P<m>[0-9]{1,7}),t=(?P<t>[0-9]{1,2}),p=(?P<p>[0-9]{1,2})"
    r"\$(?P<salt>[A-Za-z0-9+/]{11,86})\$(?P<tag>[A-Za-z0-9+/]{22,86})"
)
MIN_MEMORY_KIB: Final = 8 * 1024
MAX_MEMORY_KIB: Final = 256 * 1024
"""A hash that needs more would let one call in take the memory of the others' work."""
MAX_PASSES: Final = 10
MAX_LANES: Final = 8
_SALT_CHARS: Final = 22
_TAG_CHARS: Final = 43


@dataclass(frozen=True, slots=True)
class Cost:
    """Parameters of argon2id: memory in KiB, passes over it, lanes."""

    memory_kib: int
    passes: int
    lanes: int


RFC_9106: Final = Cost(memory_kib=64 * 1024, passes=3, lanes=4)
"""RFC 9106 section 4, the second recommended option: 64 MiB, three passes, four lanes; salt 16 bytes, tag 32.
The first takes 2 GiB for each verification, which a server that answers strangers cannot spend."""

LEAST: Final = Cost(memory_kib=MIN_MEMORY_KIB, passes=1, lanes=1)
"""For keys whose token lies beside the hash anyway (the embedded mode, tests): the cost protects nothing there."""


def new_service_key() -> str:
    """A fresh token. It is shown or written once; only its hash is kept."""
    return f"att_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"


def prefix_of(token: str) -> str | None:
    """The public prefix of a token; None for what is not shaped like one."""
    match = _TOKEN.fullmatch(token)
    return None if match is None else match[1]


def hash_service_key(token: str, cost: Cost = RFC_9106) -> str:
    """The PHC string to keep of a token, with a fresh salt. Takes tens of milliseconds and the cost's memory: not for
    an event loop. ValueError for what is no token.
    """
    from argon2.low_level import Type, hash_secret

    if prefix_of(token) is None:
        raise ValueError("not a service key")
    return hash_secret(
        token.encode("ascii"),
        secrets.token_bytes(16),
        time_cost=cost.passes,
        memory_cost=cost.memory_kib,
        parallelism=cost.lanes,
        hash_len=32,
        type=Type.ID,
    ).decode("ascii")


def matches(token: str, phc: str) -> bool:
    """Whether the token is the one that was hashed. As slow as the hash's own parameters say; compares in constant
    time; false for what is no token or no hash. argon2's VerificationError when it could not be computed (memory).
    """
    from argon2.exceptions import VerifyMismatchError
    from argon2.low_level import Type, verify_secret

    if prefix_of(token) is None or flaw_of_hash(phc) is not None:
        return False
    try:
        return verify_secret(phc.encode("ascii"), token.encode("ascii"), Type.ID)
    except VerifyMismatchError:
        return False


def flaw_of_hash(phc: str) -> str | None:
    """What is wrong with a PHC string, in words without its value; None when it will do."""
    match = _PHC.fullmatch(phc)
    if match is None:
        return "is not an argon2id PHC string, as `attending keys token` prints it"
    memory, passes, lanes = int(match["m"]), int(match["t"]), int(match["p"])
    if not MIN_MEMORY_KIB <= memory <= MAX_MEMORY_KIB:
        return f"has memory `m` out of range, expected {MIN_MEMORY_KIB} to {MAX_MEMORY_KIB} KiB"
    if not 1 <= passes <= MAX_PASSES:
        return f"has passes `t` out of range, expected 1 to {MAX_PASSES}"
    if not 1 <= lanes <= MAX_LANES:
        return f"has lanes `p` out of range, expected 1 to {MAX_LANES}"
    if len(match["salt"]) < _SALT_CHARS or len(match["tag"]) < _TAG_CHARS:
        return "has a short salt or tag, expected at least 16 and 32 bytes"
    return None
