"""Nothing that a caller presents is compared with a secret by `==`, which ends at the first byte that differs.

By structure and not by a stopwatch: on a shared machine a statistical test of nanoseconds shows nothing. Secrets are
compared by argon2 (service keys), PyJWT's signature checks (tokens) and `secrets.compare_digest` (fingerprints).
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECRET = re.compile(r"(^|_)(token|secret|password|passphrase|fingerprint|mac|hmac|api_key|phc)s?$")

HARMLESS = {
    "known.phc != phc": "two hashes that the server keeps: whether a key was replaced since it was verified",
    "owner[1].hash != held.phc": "two hashes that the server keeps: whether a key was replaced since the call began",
    "taken.fingerprint == fingerprint": "two HMACs under a key of the tenant, which no caller can aim at",
    "sealed_by.current.unwrap(sealed_by.current.wrap(secret, place), place) != secret": "the doctor's own bytes",
}


def comparisons() -> set[str]:
    found = set()
    for root in ("server", "ledger", "client", "guardrails"):
        for path in (ROOT / root).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Compare):
                    continue
                if any(isinstance(operator, (ast.Eq, ast.NotEq)) for operator in node.ops) and any(
                    SECRET.search(_name(side)) for side in (node.left, *node.comparators)
                ):
                    found.add(ast.unparse(node))
    return found


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return name
    return ""


def test_secrets_are_compared_in_constant_time() -> None:
    assert comparisons() == set(HARMLESS)
