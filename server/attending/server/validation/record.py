"""What is put on record of a validation pack and of an installation: counts, names of checks and packages, hashes."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping
from typing import Any, Final

from attending.ledger.canonical import parse_canonical
from attending.ledger.checkpoint import parse_checkpoint
from attending.ledger.errors import VerificationError
from attending.ledger.verify.validation import BILL, ENVIRONMENT, REQUIREMENTS, Pack
from attending.server.validation import ValidationFileError
from attending.server.validation.environment import installed, normalised
from attending.server.version import version

MOST_NAMED: Final = 64
"""Findings and packages that an entry names; of more it has the number."""
MOST_BYTES: Final = 1 << 20
DOCTOR_FORMAT: Final = "attending-doctor/1"
_WORD: Final = re.compile(r"[^a-z0-9]+")
_REASON: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_STATES: Final = ("green", "warning", "red", "unknown")
_VERDICTS: Final = ("passed", "failed", "indeterminate")


def recorded_body(pack: Pack, files: Mapping[str, bytes], sha256: str, key_id: str) -> dict[str, Any]:
    """The body of `validation.recorded` for a pack that was verified; `sha256` (hex) is of its file."""
    environment = parse_canonical(files[ENVIRONMENT])
    listed = parse_canonical(files[REQUIREMENTS])
    tests = pack.tests
    return {
        "pack": f"sha256:{sha256}",
        "release": pack.release,
        **({"commit": pack.commit} if pack.commit else {}),
        # A pack that does not say so may be of any files.
        "changed": not (isinstance(environment, dict) and environment.get("changed") is False),
        "signer": pack.signer,
        "key_id": key_id,
        "requirements": dict(pack.outcomes),
        "requirements_hash": f"sha256:{listed['sha256']}",
        "bill_hash": f"sha256:{pack.files[BILL].sha256}",
        "tests_passed": tests["passed"],
        "tests_failed": tests["failed"] + tests["error"],
        "tests_skipped": tests["skipped"],
    }


def installed_body(
    doctor: bytes, verified: bytes | None, head: str, bill: bytes | None, pack: str | None
) -> dict[str, Any]:
    """The body of `validation.installed` for this interpreter: `doctor` is what `attending doctor --json` printed,
    `verified` what `attending verify --json` did of an export of the log whose newest checkpoint is `head`, `bill` the
    bill of materials of the pack with the SHA-256 `pack` (hex). Raises ValidationFileError.
    """
    counts, findings = _doctor(doctor)
    packages, differ = (0, []) if bill is None else _packages(bill)
    log, size = ("not_verified", 0) if verified is None else _log(verified, head)
    return {
        "release": version(),
        "python": platform.python_version(),
        **({} if pack is None else {"pack": f"sha256:{pack}"}),
        **counts,
        **({"findings": findings[:MOST_NAMED]} if findings else {}),
        "packages": packages,
        "packages_other": len(differ),
        **({"differ": differ[:MOST_NAMED]} if differ else {}),
        "log": log,
        "log_size": size,
    }


def outcome_of(body: Mapping[str, Any]) -> int:
    """The exit code: 1 where something is not in order, 3 where something could not be judged."""
    if body["red"] or body["packages_other"] or body["log"] == "failed":
        return 1
    return 3 if body["unknown"] or body["log"] != "passed" or "pack" not in body else 0


def _doctor(data: bytes) -> tuple[dict[str, int], list[str]]:
    value = _object(data, "what the doctor printed")
    listed = value.get("findings")
    if value.get("format") != DOCTOR_FORMAT or not isinstance(listed, list):
        raise ValidationFileError("what the doctor printed is not of `attending doctor --json`")
    counts = dict.fromkeys(_STATES, 0)
    named = []
    for one in listed:
        words = one if isinstance(one, dict) else {}
        group, check, state, reason = (
            str(words.get(name, "")) for name in ("group", "check", "state", "reason")
        )
        if not group or not check or state not in _STATES:
            raise ValidationFileError("a finding of the doctor is not well formed")
        counts[state] += 1
        if state != "green":
            if not _REASON.fullmatch(reason):
                raise ValidationFileError("a finding of the doctor has no reason")
            named.append(f"{_plain(group)}.{_plain(check)}:{reason}")
    body = {
        "checks": len(listed),
        "red": counts["red"],
        "unknown": counts["unknown"],
        "warnings": counts["warning"],
    }
    return body, sorted(set(named))


def _plain(name: str) -> str:
    return _WORD.sub("-", name.lower()).strip("-")[:40] or "x"


def _packages(bill: bytes) -> tuple[int, list[str]]:
    """How many libraries the bill has, and which are not here in that version; the release itself counts as one."""
    here = {**installed(), "attending": version()}
    value = json.loads(bill)
    about = value.get("metadata", {}).get("component", {})
    wanted = {
        normalised(str(one["name"])): str(one.get("version"))
        for one in (*value.get("components", ()), *([about] if about else ()))
        if isinstance(one, dict) and one.get("type") in ("library", "application") and "name" in one
    }
    return len(wanted), sorted(name for name, one in wanted.items() if here.get(name) != one)


def _log(data: bytes, head: str) -> tuple[str, int]:
    value = _object(data, "what the verifier printed")
    scope = value.get("scope")
    size = scope.get("to") if isinstance(scope, dict) else None
    if value.get("verdict") not in _VERDICTS or type(size) is not int:
        raise ValidationFileError(
            "what the verifier printed is not of `attending verify --json` over an export"
        )
    if not isinstance(scope, dict) or scope.get("kind") != "full":
        raise ValidationFileError("the export that was verified is not of the whole log")
    try:
        newest = parse_checkpoint(head)
    except VerificationError:
        raise ValidationFileError("the log has no checkpoint") from None
    if value.get("origin") != newest.origin or size > newest.size:
        raise ValidationFileError("the export that was verified is of another log")
    return str(value["verdict"]), size


def _object(data: bytes, what: str) -> dict[str, Any]:
    if len(data) > MOST_BYTES:
        raise ValidationFileError(f"{what} is larger than {MOST_BYTES} bytes")
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ValidationFileError(f"{what} is no JSON object")
    return value
