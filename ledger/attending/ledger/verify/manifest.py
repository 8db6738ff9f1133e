"""The manifest of a bundle: what it holds, over what scope, and the text by which the log's key signs it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from attending.ledger.canonical import encode, parse_canonical
from attending.ledger.entry import parse_time
from attending.ledger.errors import VerificationError
from attending.ledger.merkle import MAX_TREE_SIZE
from attending.ledger.verify.checks import Scope

FORMAT: Final = "attending-bundle/1"
MANIFEST: Final = "manifest.json"
MANIFEST_SIGNATURE: Final = "manifest.sig"
ENTRIES: Final = "entries.jsonl"
CHECKPOINT: Final = "checkpoint"
RANGE: Final = "range.json"
PROOFS: Final = "proofs.jsonl"
CONTEXT: Final = "context.jsonl"
CONTEXT_PROOFS: Final = "context-proofs.jsonl"
PAYLOADS: Final = "payloads.jsonl"
KEYS: Final = "keys.json"
INTRODUCTIONS: Final = "introductions.jsonl"
STATISTICS: Final = "statistics.json"
REGISTRIES: Final = "registries.json"
FHIR: Final = "fhir.ndjson"
MAX_MANIFEST_BYTES: Final = 1 << 20
_FIELDS: Final = frozenset({"created", "files", "format", "origin", "scope", "statistics"})
_LATER = re.compile(r"attending-bundle/[0-9]{1,9}", re.ASCII)
_HEX32 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file as the manifest lists it: hex SHA-256 and size."""

    sha256: str
    size_bytes: int

    @classmethod
    def of(cls, data: bytes) -> Self:
        """The one that lists `data`."""
        return cls(hashlib.sha256(data).hexdigest(), len(data))


@dataclass(frozen=True, slots=True)
class Manifest:
    """A bundle's contents. The scope is [begin, end) of the log; of a subset, the span it is taken from."""

    origin: str
    scope: Scope
    begin: int
    end: int
    files: Mapping[str, FileEntry]
    created: str
    statistics: Mapping[str, Any]

    def scope_json(self) -> dict[str, Any]:
        """{kind, from, to}."""
        return {"from": self.begin, "kind": self.scope.value, "to": self.end}

    def encode(self) -> bytes:
        """The canonical bytes of `manifest.json`."""
        return encode(
            {
                "created": self.created,
                "files": files_json(self.files),
                "format": FORMAT,
                "origin": self.origin,
                "scope": self.scope_json(),
                "statistics": dict(self.statistics),
            }
        )


def signed_text(name: str, manifest: bytes, *, container: str = FORMAT) -> str:
    """The text of `manifest.sig`: format of the `container`, name of the key that signs (of a log its origin), and the
    base64 SHA-256 of `manifest.json`, a line each.
    """
    digest = base64.b64encode(hashlib.sha256(manifest).digest()).decode()
    return f"{container}\n{name}\n{digest}\n"


def parse_manifest(data: bytes) -> Manifest:
    """The manifest of canonical bytes.

    Raises VerificationError: CANONICAL_FORM, UNKNOWN_VERSION (a later bundle format), MANIFEST_SCHEMA.
    """
    value = parse_canonical(data)
    if type(value) is not dict:
        raise _error("manifest is not an object")
    version = value.get("format")
    if type(version) is str and version != FORMAT and _LATER.fullmatch(version):
        raise VerificationError("bundle is of a later format", reason="UNKNOWN_VERSION")
    if value.keys() != _FIELDS or version != FORMAT:
        raise _error("fields are not exactly those of version 1")
    origin, scope, statistics = value["origin"], value["scope"], value["statistics"]
    if type(origin) is not str or type(statistics) is not dict:
        raise _error("`origin` or `statistics` is not well formed")
    if type(scope) is not dict or scope.keys() != {"from", "kind", "to"} or scope["kind"] not in list(Scope):
        raise _error("`scope` is not well formed")
    begin, end = scope["from"], scope["to"]
    if type(begin) is not int or type(end) is not int or not 0 <= begin <= end <= MAX_TREE_SIZE:
        raise _error("`scope` is not a range of indices")
    if scope["kind"] == Scope.FULL and begin != 0:
        raise _error("scope `full` does not begin at 0")
    parse_time(value["created"])
    return Manifest(
        origin=origin,
        scope=Scope(scope["kind"]),
        begin=begin,
        end=end,
        files=_bundle_files(value["files"]),
        created=value["created"],
        statistics=statistics,
    )


def _bundle_files(value: object) -> dict[str, FileEntry]:
    files = parse_files(value)
    if not {ENTRIES, CHECKPOINT} <= files.keys():
        raise _error("bundle lists no entries or no checkpoint")
    return files


def files_json(files: Mapping[str, FileEntry]) -> list[dict[str, Any]]:
    """The list of a manifest that `parse_files` reads, by name."""
    return [
        {"name": name, "sha256": item.sha256, "size": item.size_bytes} for name, item in sorted(files.items())
    ]


def parse_files(value: object) -> dict[str, FileEntry]:
    """The files that a manifest lists. Raises VerificationError (MANIFEST_SCHEMA)."""
    files: dict[str, FileEntry] = {}
    for item in value if type(value) is list else [None]:
        if type(item) is not dict or item.keys() != {"name", "sha256", "size"}:
            raise _error("`files` is not well formed")
        name, digest, size = item["name"], item["sha256"], item["size"]
        if type(name) is not str or name in files or name in (MANIFEST, MANIFEST_SIGNATURE):
            raise _error("file is listed twice or is the manifest itself")
        if type(digest) is not str or not _HEX32.fullmatch(digest) or type(size) is not int or size < 0:
            raise _error("`files` is not well formed")
        files[name] = FileEntry(digest, size)
    return files


def _error(detail: str) -> VerificationError:
    return VerificationError(detail, reason="MANIFEST_SCHEMA")
