"""Writing a bundle: the files of the format, their manifest, and its signature. Nothing is read from a store."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

from attending.ledger.canonical import encode
from attending.ledger.entry import format_time, parse_entry
from attending.ledger.verify.checks import Scope, Statistics
from attending.ledger.verify.fhir import FhirLines
from attending.ledger.verify.manifest import (
    CHECKPOINT,
    CONTEXT,
    CONTEXT_PROOFS,
    ENTRIES,
    FHIR,
    INTRODUCTIONS,
    KEYS,
    MANIFEST,
    MANIFEST_SIGNATURE,
    PAYLOADS,
    PROOFS,
    RANGE,
    REGISTRIES,
    STATISTICS,
    FileEntry,
    Manifest,
    signed_text,
)
from attending.ledger.verify.payloads import Disclosed, Erased, Pruned, payload_lines
from attending.ledger.verify.registries import Registries, registries_json
from attending.ledger.verify.statistics import EntryStatistics, statistics_json

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_FILE_MODE: Final = 0o100600 << 16
_CHUNK_BYTES: Final = 1 << 16


def write_bundle(
    path: Path,
    *,
    origin: str,
    scope: Scope,
    begin: int,
    end: int,
    entries: Iterable[bytes],
    checkpoint_note: str,
    sign: Callable[[str], str],
    created: datetime,
    range_hashes: Sequence[bytes] = (),
    consistency: Sequence[bytes] = (),
    proofs: Iterable[Sequence[bytes]] | None = None,
    context: Sequence[tuple[bytes, Sequence[bytes]]] = (),
    introductions: Sequence[tuple[str, Sequence[bytes]]] = (),
    payloads: Iterable[Disclosed | Erased | Pruned] | None = None,
    verifier_keys: Sequence[str] = (),
    statistics: Mapping[str, Any] | None = None,
    figures: bool = False,
    fhir: bool = False,
) -> Manifest:
    """Writes the bundle of entries [begin, end) of a log to `path`, whole or not at all, and returns its
    manifest.

    `entries` are stored bytes in log order. Scope range needs `range_hashes`, the right edge of [0, begin),
    and, when the checkpoint is larger than `end`, the `consistency` proof from `end` to its size. Scope
    subset needs `proofs`, one inclusion proof per entry under the checkpoint. `context` are (stored bytes,
    inclusion proof) of entries before a range, in log order, that its checks rest on: the enrolments and
    revocations of the keys that signed in it, and the earlier entries of the streams that go on in it.
    `introductions` are (text, consistency proof from its size to the checkpoint's) of every rotation of the signing key
    up to the checkpoint, in order. `sign` turns the manifest's text into a note signed by the key that is in its term
    at the checkpoint. `statistics` are recomputed from the entries unless given. With `figures` the bundle holds
    `statistics.json`, every figure that a report prints (`attending.ledger.verify.statistics`), and `registries.json`,
    what stood at its end (`attending.ledger.verify.registries`). The zip file is stored, not deflated: one altered byte
    stays one altered byte, and the record can be named. With `fhir` it holds `fhir.ndjson` as well, the entries as
    resources of FHIR R4 (`attending.ledger.verify.fhir`), which lie in a file without a name until they are written.

    Raises OSError; VerificationError when an entry does not parse.
    """
    counter, every, snapshot = Statistics(), EntryStatistics(), Registries(scope, begin, end)
    resources = FhirLines()
    for data, _proof in context if fhir else ():
        resources.context(parse_entry(data))

    def entry_lines() -> Iterator[bytes]:
        for data in entries:
            if statistics is None or figures or fhir:
                entry = parse_entry(data)
                counter.visit(entry)
                if figures:
                    every.visit(entry)
                    snapshot.visit(entry)
                if made is not None:
                    made.write(resources.visit(entry))
            yield data + b"\n"

    partial = path.with_name(path.name + ".partial")
    files: dict[str, FileEntry] = {}
    try:
        with partial.open("wb") as file, _beside(path) if fhir else nullcontext() as made:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                files[ENTRIES] = add_member(archive, ENTRIES, entry_lines())
                files[CHECKPOINT] = add_member(archive, CHECKPOINT, [checkpoint_note.encode()])
                if scope is Scope.RANGE:
                    edge = {"consistency": _base64(consistency), "hashes": _base64(range_hashes)}
                    files[RANGE] = add_member(archive, RANGE, [encode(edge)])
                if scope is Scope.SUBSET:
                    lines = (encode(_base64(proof)) + b"\n" for proof in proofs or ())
                    files[PROOFS] = add_member(archive, PROOFS, lines)
                if context:
                    files[CONTEXT] = add_member(archive, CONTEXT, (data + b"\n" for data, _ in context))
                    lines = (encode(_base64(proof)) + b"\n" for _, proof in context)
                    files[CONTEXT_PROOFS] = add_member(archive, CONTEXT_PROOFS, lines)
                if introductions:
                    lines = (
                        encode({"consistency": _base64(proof), "introduction": text}) + b"\n"
                        for text, proof in introductions
                    )
                    files[INTRODUCTIONS] = add_member(archive, INTRODUCTIONS, lines)
                if payloads is not None:
                    files[PAYLOADS] = add_member(archive, PAYLOADS, payload_lines(payloads))
                if verifier_keys:
                    files[KEYS] = add_member(archive, KEYS, [encode({"verifier_keys": list(verifier_keys)})])
                if figures:
                    files[STATISTICS] = add_member(archive, STATISTICS, [statistics_json(every.result())])
                    files[REGISTRIES] = add_member(archive, REGISTRIES, [registries_json(snapshot.result())])
                if made is not None:
                    made.seek(0)
                    files[FHIR] = add_member(archive, FHIR, iter(lambda: made.read(_CHUNK_BYTES), b""))
                counts = counter.result() if statistics is None else statistics
                manifest = Manifest(origin, scope, begin, end, files, format_time(created), counts)
                data = manifest.encode()
                add_member(archive, MANIFEST, [data])
                add_member(archive, MANIFEST_SIGNATURE, [sign(signed_text(origin, data)).encode()])
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        # A crash before the rename leaves a `.partial` file, never half a bundle under the name asked for.
        partial.unlink(missing_ok=True)
        raise
    return manifest


def _beside(path: Path) -> AbstractContextManager[BinaryIO]:
    """A file without a name, which a crash leaves nothing of: an archive takes one member at a time, and entries are
    read once.
    """
    return tempfile.TemporaryFile(dir=path.parent)


def add_member(archive: zipfile.ZipFile, name: str, chunks: Iterable[bytes]) -> FileEntry:
    """Writes one file of an archive, stored, the same bytes whenever it is made; its hash and size."""
    info = zipfile.ZipInfo(name, _EPOCH)
    info.external_attr = _FILE_MODE
    info.create_system = 3
    digest, size = hashlib.sha256(), 0
    with archive.open(info, "w", force_zip64=True) as member:
        for chunk in chunks:
            member.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return FileEntry(digest.hexdigest(), size)


def _base64(hashes: Sequence[bytes]) -> list[str]:
    return [base64.b64encode(value).decode() for value in hashes]
