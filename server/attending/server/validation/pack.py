"""Making a validation pack from the results of a run: whole or not at all, the same bytes for the same input."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from attending.ledger.canonical import encode
from attending.ledger.entry import format_time
from attending.ledger.note import SignerKey, sign_note
from attending.ledger.verify.manifest import MANIFEST, MANIFEST_SIGNATURE
from attending.ledger.verify.validation import (
    BILL,
    ENVIRONMENT,
    MOST_FILE_BYTES,
    REQUIREMENTS,
    RESULTS,
    Pack,
    counted,
    outcomes,
    signed_text,
)
from attending.ledger.verify.writer import add_member
from attending.server.validation import ValidationFileError
from attending.server.validation.environment import environment
from attending.server.validation.junit import Ran, read_junit
from attending.server.validation.requirements import Requirements

_BILL_FORMAT: Final = "CycloneDX"
_ORDER: Final = ("skipped", "passed", "failed", "error")
"""Of two runs of a test the later one of these stands: what one run skips and another ran was run."""


@dataclass(frozen=True, slots=True)
class Made:
    """A pack that was written: its manifest, and the SHA-256 of the file."""

    pack: Pack
    sha256: str


def write_pack(
    out: Path,
    *,
    requirements: Requirements,
    results: Sequence[Path],
    bill: Path,
    root: Path,
    release: str,
    signer: SignerKey,
    now: datetime,
) -> Made:
    """Writes the pack of the runs whose JUnit XML `results` are, in the checkout `root`, with its bill of materials.

    A test that two runs have counts by the worse of its outcomes. Raises ValidationFileError, OSError.
    """
    tested, suites = _read(results)
    said = environment(root, suites)
    bill_data = _bill(bill)
    lines = (encode([name, one.outcome, one.milliseconds]) + b"\n" for name, one in sorted(tested.items()))
    what = {name: one.outcome for name, one in tested.items()}
    listed = {
        "as_of": requirements.as_of.isoformat(),
        "requirements": [one.to_json() for one in requirements.each],
        "sha256": requirements.sha256,
    }
    partial = out.with_name(out.name + ".partial")
    try:
        with partial.open("wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                files = {
                    REQUIREMENTS: add_member(archive, REQUIREMENTS, [encode(listed)]),
                    RESULTS: add_member(archive, RESULTS, lines),
                    ENVIRONMENT: add_member(archive, ENVIRONMENT, [encode(said)]),
                    BILL: add_member(archive, BILL, [bill_data]),
                }
                pack = Pack(
                    signer=signer.name,
                    release=release,
                    commit=said["commit"],
                    made_at=format_time(now),
                    outcomes=outcomes(requirements.each, what),
                    tests=counted(what),
                    files=files,
                )
                data = pack.encode()
                add_member(archive, MANIFEST, [data])
                note = sign_note(signed_text(signer.name, data), [signer])
                add_member(archive, MANIFEST_SIGNATURE, [note.encode()])
            file.flush()
            os.fsync(file.fileno())
        with partial.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        # A crash before this leaves a partial file, never half a pack under its name.
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return Made(pack, digest)


def _read(results: Sequence[Path]) -> tuple[dict[str, Ran], dict[str, str]]:
    tested: dict[str, Ran] = {}
    suites: dict[str, str] = {}
    for path in results:
        try:
            found = read_junit(path)
        except ValidationFileError as err:
            raise ValidationFileError(f"`{path}` {err}") from None
        if path.name in suites:
            raise ValidationFileError(f"`{path}` has the name of other results that are given")
        with path.open("rb") as file:
            suites[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
        for name, one in found.items():
            other = tested.get(name)
            if other is None or _ORDER.index(one.outcome) > _ORDER.index(other.outcome):
                tested[name] = one
    return tested, suites


def _bill(path: Path) -> bytes:
    data = path.read_bytes()
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    if not isinstance(value, dict) or value.get("bomFormat") != _BILL_FORMAT or len(data) > MOST_FILE_BYTES:
        raise ValidationFileError(f"`{path}` is no bill of materials (CycloneDX, JSON)")
    return data
