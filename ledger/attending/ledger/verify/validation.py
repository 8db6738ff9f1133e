"""A validation pack: which tests of one run prove which requirement of the software, and in what environment they ran.

A pack is a container like a bundle: requirements with the tests that prove each, one line for each test that ran, the
environment, the bill of materials, and a manifest that states what follows and is signed by whoever ran the tests.
What follows is worked out here, from the lines alone, so that nobody has to believe the manifest. That the tests ran,
and came out as the lines say, is asserted by the signer and shown by nothing here.

Steps: 1. container, manifest, its signature and files; 2. every file read; 3. what the lines come to, counted again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from attending.ledger.canonical import encode, parse_canonical
from attending.ledger.entry import parse_time
from attending.ledger.errors import VerificationError
from attending.ledger.note import MAX_NOTE_BYTES, VerifierKey, parse_note, verify_note
from attending.ledger.verify import container as containers
from attending.ledger.verify import manifest as manifests
from attending.ledger.verify.container import Container
from attending.ledger.verify.manifest import (
    MANIFEST,
    MANIFEST_SIGNATURE,
    MAX_MANIFEST_BYTES,
    FileEntry,
    files_json,
    parse_files,
)
from attending.ledger.verify.report import VALIDATION_CHECKS, Findings, Kind, Report, verdict_of

FORMAT: Final = "attending-validation/1"
REQUIREMENTS: Final = "requirements.json"
RESULTS: Final = "results.jsonl"
ENVIRONMENT: Final = "environment.json"
BILL: Final = "sbom.cdx.json"
FILES: Final = (REQUIREMENTS, RESULTS, ENVIRONMENT, BILL)
MOST_FILE_BYTES: Final = 16 << 20
MOST_LINE_BYTES: Final = 4_096
MOST_TESTS: Final = 100_000
MOST_REQUIREMENTS: Final = 150
OUTCOMES: Final = ("proved", "failed", "partly_run", "not_run")
"""Of a requirement: every test that it names passed; one did not pass; some gave no result; none did."""
TESTED: Final = ("passed", "failed", "error", "skipped")
"""Of a test, as pytest says it."""
_MARK: Final = b'"format":"attending-validation/'
_LATER: Final = re.compile(r"attending-validation/[0-9]{1,9}", re.ASCII)
_FIELDS: Final = frozenset({"commit", "files", "format", "made_at", "outcomes", "release", "signer", "tests"})
_REQUIREMENT: Final = frozenset({"checks", "controls", "docs", "hazards", "id", "statement", "tests"})
_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,47}", re.ASCII)
_RELEASE: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}", re.ASCII)
_COMMIT: Final = re.compile(r"(?:[0-9a-f]{40})?", re.ASCII)
_NOT_CHECKED: Final = {
    "the run": "that these tests ran, in this environment, and came out so is asserted by the signer; run them again"
}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement with the tests that prove it, each a file or `file::function`."""

    id: str
    statement: str
    tests: tuple[str, ...]
    checks: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    docs: tuple[str, ...] = ()
    hazards: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The object in `requirements.json`."""
        return {
            "checks": list(self.checks),
            "controls": list(self.controls),
            "docs": list(self.docs),
            "hazards": list(self.hazards),
            "id": self.id,
            "statement": self.statement,
            "tests": list(self.tests),
        }


@dataclass(frozen=True, slots=True)
class Pack:
    """The manifest. `commit` is 40 hex digits, or "" where none is known; `outcomes` by requirement, `tests` by
    outcome.
    """

    signer: str
    release: str
    commit: str
    made_at: str
    outcomes: Mapping[str, str]
    tests: Mapping[str, int]
    files: Mapping[str, FileEntry]

    @property
    def counts(self) -> dict[str, int]:
        """How many requirements came out as what."""
        counted = Counter(self.outcomes.values())
        return {name: counted[name] for name in OUTCOMES}

    def encode(self) -> bytes:
        """The canonical bytes of `manifest.json`."""
        return encode(
            {
                "commit": self.commit,
                "files": files_json(self.files),
                "format": FORMAT,
                "made_at": self.made_at,
                "outcomes": dict(self.outcomes),
                "release": self.release,
                "signer": self.signer,
                "tests": dict(self.tests),
            }
        )


def signed_text(signer: str, manifest: bytes) -> str:
    """The text of `manifest.sig` for the signer's key of this name."""
    return manifests.signed_text(signer, manifest, container=FORMAT)


def outcomes(requirements: Iterable[Requirement], results: Mapping[str, str]) -> dict[str, str]:
    """What each requirement comes to by the results, test id to outcome.

    A function that is named stands for all its parameters, a class or a file for all in it. A test that was skipped
    gave no result.
    """
    asked = tuple(requirements)
    # Of no other name anything is kept: a line has room for a thousand, each as long as the line.
    said_of: dict[str, set[str]] = {name: set() for one in asked for name in one.tests}
    for test, outcome in results.items():
        name, _, rest = test.partition("::")
        for part in ("", *rest.partition("[")[0].split("::")):
            name = f"{name}::{part}" if part else name
            if name in said_of:
                said_of[name].add(outcome)
    found = {}
    for one in asked:
        each = [said_of[name] for name in one.tests]
        if any(said & {"failed", "error"} for said in each):
            found[one.id] = "failed"
        elif all("passed" in said for said in each):
            found[one.id] = "proved"
        else:
            found[one.id] = "partly_run" if any("passed" in said for said in each) else "not_run"
    return found


def counted(results: Mapping[str, str]) -> dict[str, int]:
    """How many tests came out as what."""
    found = Counter(results.values())
    return {name: found[name] for name in TESTED}


def is_validation(path: Path) -> bool:
    """Whether the container at `path` calls itself a validation pack. OSError."""
    return containers.says(path, MANIFEST, _MARK, MAX_MANIFEST_BYTES)


def parse_pack(data: bytes) -> Pack:
    """The manifest of canonical bytes. Raises VerificationError: CANONICAL_FORM, UNKNOWN_VERSION, MANIFEST_SCHEMA."""
    value = parse_canonical(data)
    if type(value) is not dict:
        raise _error("manifest is not an object")
    version = value.get("format")
    if type(version) is str and version != FORMAT and _LATER.fullmatch(version):
        raise VerificationError("pack is of a later format", reason="UNKNOWN_VERSION")
    if value.keys() != _FIELDS or version != FORMAT:
        raise _error("fields are not exactly those of version 1")
    words = [value[name] for name in ("release", "commit", "signer", "made_at")]
    if not all(type(one) is str for one in words):
        raise _error("release, commit, signer or time is no text")
    if not _RELEASE.fullmatch(value["release"]) or not _COMMIT.fullmatch(value["commit"]):
        raise _error("`release` or `commit` is not well formed")
    parse_time(value["made_at"])
    said, tests = value["outcomes"], value["tests"]
    if type(said) is not dict or not 1 <= len(said) <= MOST_REQUIREMENTS:
        raise _error("`outcomes` is not well formed")
    if not all(_ID.fullmatch(name) and one in OUTCOMES for name, one in said.items()):
        raise _error("`outcomes` is not well formed")
    if type(tests) is not dict or tests.keys() != set(TESTED):
        raise _error("`tests` is not well formed")
    if not all(type(one) is int and 0 <= one <= MOST_TESTS for one in tests.values()):
        raise _error("`tests` is not well formed")
    files = parse_files(value["files"])
    if files.keys() != set(FILES):
        raise _error(f"a pack lists {', '.join(FILES)}, and nothing else")
    return Pack(value["signer"], value["release"], value["commit"], value["made_at"], said, tests, files)


def parse_requirements(data: bytes) -> tuple[Requirement, ...]:
    """The requirements of `requirements.json`. Raises VerificationError."""
    value = parse_canonical(data)
    listed = value.get("requirements") if type(value) is dict else None
    if type(listed) is not list or not 1 <= len(listed) <= MOST_REQUIREMENTS:
        raise _error("`requirements` is no list of the size allowed")
    return tuple(_requirement(one) for one in listed)


def read_pack(path: Path) -> tuple[Pack, dict[str, bytes]]:
    """The manifest of the pack at `path` and its files, each the one listed; its signature is not verified here.

    Raises VerificationError, OSError.
    """
    container = containers.open_container(path)
    try:
        pack = parse_pack(containers.read(container, MANIFEST, MAX_MANIFEST_BYTES))
        files = {}
        for name, listed in pack.files.items():
            data = containers.read(container, name, MOST_FILE_BYTES)
            if FileEntry.of(data) != listed:
                raise _error(f"`{name}` is not the file that was listed")
            files[name] = data
        return pack, files
    finally:
        container.close()


def parse_results(data: bytes) -> dict[str, str]:
    """Test id to outcome of `results.jsonl`: [test, outcome, milliseconds] a line, in order. VerificationError."""
    found: dict[str, str] = {}
    last = ""
    for line in containers.lines(iter([data]), MOST_LINE_BYTES):
        value = parse_canonical(line)
        if (
            type(value) is not list
            or len(value) != 3
            or type(value[0]) is not str
            or type(value[2]) is not int
        ):
            raise _error("a result is not [test, outcome, milliseconds]")
        if value[1] not in TESTED or value[2] < 0:
            raise _error("a result has no outcome, or a time that is none")
        if value[0] <= last:
            raise _error("results are not in order, each test once")
        last = value[0]
        found[last] = value[1]
        if len(found) > MOST_TESTS:
            raise _error(f"more than {MOST_TESTS} results")
    return found


def verify_validation(path: Path, keys: Iterable[VerifierKey]) -> Report:
    """The report over the pack at `path`, under the keys of those who may have signed it. Whatever it holds, problems
    are results, not exceptions; OSError when it cannot be read. A requirement that failed is no failure of the pack.
    """
    report = Findings(VALIDATION_CHECKS)
    try:
        source = containers.open_container(path)  # 1
    except VerificationError as err:
        report.fail("V1", err.detail)
        return _report(report)
    try:
        _verify(source, tuple(keys), report)
    finally:
        source.close()
    return _report(report)


def _verify(source: Container, keys: tuple[VerifierKey, ...], report: Findings) -> None:
    try:
        data = containers.read(source, MANIFEST, MAX_MANIFEST_BYTES)
        pack = parse_pack(data)
    except VerificationError as err:
        (report.doubt if err.reason == "UNKNOWN_VERSION" else report.fail)("V1", err.detail)
        return
    try:
        _check_signature(source, data, pack, keys, report)
        for name in sorted(source.names - {MANIFEST, MANIFEST_SIGNATURE} - pack.files.keys()):
            report.fail("V1", f"`{name}` is not listed in the manifest")
    except VerificationError as err:
        report.fail("V1", err.detail)
    files = {name: _listed(source, name, pack, report) for name in FILES}  # 2
    try:
        requirements = parse_requirements(files[REQUIREMENTS])
        results = parse_results(files[RESULTS])
    except VerificationError as err:
        report.fail("V5", err.detail)
        return
    report.passed("V5", f"{len(requirements)} requirements and {len(results)} results are of the schema")
    found = outcomes(requirements, results)  # 3
    wrong = next(
        (name for name in sorted({*found, *pack.outcomes}) if found.get(name) != pack.outcomes.get(name)),
        None,
    )
    if wrong is not None or len(found) != len(requirements):
        report.fail("V20", f"what is stated of `{wrong or 'a requirement'}` is not what its tests come to")
    elif counted(results) != dict(pack.tests):
        report.fail("V20", "tests are not as many as stated")
    said = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in pack.counts.items())
    report.passed("V20", f"requirements: {said}")
    report.passed("V1", f"{len(pack.files)} files are those of the signed manifest")


def _check_signature(
    source: Container, data: bytes, pack: Pack, keys: tuple[VerifierKey, ...], report: Findings
) -> None:
    note = parse_note(containers.read(source, MANIFEST_SIGNATURE, MAX_NOTE_BYTES))
    if note.text != signed_text(pack.signer, data):
        report.fail("V1", "manifest is not the one that was signed")
        return
    named = [key for key in keys if key.name == pack.signer]
    if not named:
        report.doubt("V1", "no key of this signer was given")
        return
    if not verify_note(note, named):
        report.fail("V1", "no key that was given for this signer signed the manifest")


def _listed(source: Container, name: str, pack: Pack, report: Findings) -> bytes:
    try:
        data = containers.read(source, name, MOST_FILE_BYTES)
    except VerificationError as err:
        report.fail("V1", err.detail)
        return b""
    if FileEntry.of(data) != pack.files[name]:
        report.fail("V1", f"`{name}` is not the file that was signed")
    return data


def _requirement(value: object) -> Requirement:
    if type(value) is not dict or value.keys() != _REQUIREMENT:
        raise _error("fields of a requirement are not exactly those of version 1")
    words = {name: tuple(_words(value[name])) for name in ("checks", "controls", "docs", "hazards", "tests")}
    name, statement = value["id"], value["statement"]
    if type(name) is not str or not _ID.fullmatch(name) or type(statement) is not str or not words["tests"]:
        raise _error("a requirement has no id, no statement or no test")
    return Requirement(name, statement, **words)


def _words(value: object) -> Iterator[str]:
    for one in value if type(value) is list else [None]:
        if type(one) is not str:
            raise _error("a list of a requirement holds something that is no text")
        yield one


def _report(report: Findings) -> Report:
    results = tuple(report.results())
    return Report(
        results=results,
        verdict=verdict_of(results),
        not_checked=_NOT_CHECKED,
        sentences=VALIDATION_CHECKS,
        kind=Kind.VALIDATION,
    )


def _error(detail: str) -> VerificationError:
    return VerificationError(detail, reason="MANIFEST_SCHEMA")
