"""Lies in a bundle. Where nothing else is said, who tells them holds the log's key, so that V1 and V8 are silent."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from attending.ledger.canonical import encode
from attending.ledger.checkpoint import checkpoint_text
from attending.ledger.entry import parse_entry
from attending.ledger.merkle import leaf_hash
from attending.ledger.note import cosign, format_note
from attending.ledger.review_signature import Meaning, sign_statement
from attending.ledger.reviewer_key import Algorithm, Proof
from attending.ledger.verify.bundle import Anchors
from attending.ledger.verify.checks import statistics as counted

from tests.ledger.verify.conftest import LogBuilder
from tests.ledger.verify.test_passkeys import Signer
from tests.negative import rows
from tests.negative.evidence import Evidence, Failures, Lie, at, span
from tests.negative.logs import (
    chained,
    changed,
    cosigned,
    honest_day,
    rewritten,
    seconds_of,
    with_entries,
    witness_of,
)

CHOSEN: Final = 9
"""The entry that is lied about: in the middle, and of no state, so that nothing else breaks with it."""
SIZE: Final = 42


def _altered(data: bytes) -> bytes:
    return changed(data, lambda entry: entry["body"].update(altered=True))


def _of(log: LogBuilder, folder: Path, fails: Failures, **more: Any) -> Evidence:
    """The whole log, as it would be exported."""
    anchors = log.anchors(**more.pop("anchors", {}))
    return Evidence(log.full(folder / "bundle.attending"), anchors, fails, **more)


# -- entries that are not those of the head ---------------------------------------------------------------------------


def _entries(change: Callable[[list[bytes]], list[bytes]], fails: Failures, opens: Sequence[str] = ()) -> Any:
    def make(folder: Path) -> Evidence:
        log = honest_day()
        path = with_entries(log, folder / "bundle.attending", change(list(log.entries)))
        return Evidence(path, log.anchors(), fails, frozenset(opens))

    return make


def _one_altered(entries: list[bytes]) -> list[bytes]:
    return [_altered(data) if at == CHOSEN else data for at, data in enumerate(entries)]


def _altered_by_an_outsider(folder: Path) -> Evidence:
    log = honest_day()
    path = log.full(folder / "bundle.attending")
    log.tamper(
        path, "entries.jsonl", lambda data: b"".join(e + b"\n" for e in _one_altered(data.split(b"\n")[:-1]))
    )
    return Evidence(path, log.anchors(), {"V1": at(None), "V6": at(CHOSEN)})


def _altered_and_chained(folder: Path) -> Evidence:
    log = honest_day()
    entries = chained(log, _one_altered(log.entries))
    path = with_entries(log, folder / "bundle.attending", entries)
    return Evidence(path, log.anchors(), {"V6": at(SIZE - 1)})


def _altered_and_counted_as_included(folder: Path) -> Evidence:
    """In a subset, where no neighbour vouches for an entry, by its inclusion proof."""
    log, indices = honest_day(), [3, CHOSEN, 20]
    path = log.subset(folder / "bundle.attending", indices)
    log.tamper(
        path,
        "entries.jsonl",
        lambda data: b"".join(
            (_altered(line) if number == 1 else line) + b"\n"
            for number, line in enumerate(data.split(b"\n")[:-1])
        ),
        resign=True,
    )
    return Evidence(path, log.anchors(), {"V6": at(CHOSEN)})


def _emitted(log: LogBuilder, *sequences: int) -> None:
    for sequence in sequences:
        body = {"emitter": {"id": "e", "sequence": sequence}}
        log.append("feedback.recorded", "emitter/app:x/e", body, actor="app:x")


def _twice_by_its_emitter(folder: Path) -> Evidence:
    log = LogBuilder()
    _emitted(log, 1, 2, 2)
    return _of(log, folder, {"V7": at(2)})


def _never_arrived(folder: Path) -> Evidence:
    log = LogBuilder()
    _emitted(log, 1, 3)
    log.append("session.ended", "emitter/app:x/e", {"emitter": {"id": "e"}, "issued": 3}, actor="app:x")
    return _of(
        log, folder, {}, opens=frozenset({"V7"}), says=("missing 2",), anchors={"require_complete": True}
    )


# -- heads ------------------------------------------------------------------------------------------------------------


def _truncated(folder: Path, *, newer: bool) -> Evidence:
    log = honest_day()
    newest = log.checkpoint()
    del log.entries[-4:]
    if newer:
        return _of(log, folder, {"V9": at(None)}, says=("truncated",), anchors={"pinned": (newest,)})
    opens, says = frozenset({"V9"}), ("freshness unproven",)
    return _of(log, folder, {}, opens=opens, says=says, anchors={"require_freshness": True})


def _other_history() -> LogBuilder:
    return rewritten(honest_day(), _one_altered)


def _forked(folder: Path, size: int) -> Evidence:
    log, other = honest_day(), _other_history()
    heads = (log.root(size).hex(), other.root(size).hex())
    return _of(other, folder, {"V9": at(None)}, says=heads, anchors={"pinned": (log.checkpoint(size),)})


def _unseen_by_the_witness(folder: Path) -> Evidence:
    other = _other_history()
    return _of(other, folder, {"V8": at(None)}, anchors={"witnesses": (witness_of(other),)})


def _with_the_cosignature_of_another(folder: Path) -> Evidence:
    """The witness's line is taken over from the head that it saw."""
    log, other = honest_day(), _other_history()
    line = cosign(
        "witness.example/w1", log.witness_key, checkpoint_text(log.origin, SIZE, log.root()), 1_800_000_000
    )
    text = checkpoint_text(log.origin, SIZE, other.root())
    note = format_note(text, [other.signer.sign(text), line])
    path = other.full(folder / "bundle.attending", checkpoint_note=note)
    return Evidence(path, other.anchors(witnesses=(witness_of(log),)), {"V8": at(None)})


def _by_another_key(folder: Path) -> Evidence:
    log, impostor = honest_day(), LogBuilder(seed=2)
    impostor.entries = log.entries
    path = impostor.full(folder / "bundle.attending")
    return Evidence(path, log.anchors(), {"V1": at(None), "V8": at(None)})


# -- signatures -------------------------------------------------------------------------------------------------------


def _swapped_signatures(folder: Path) -> Evidence:
    log = LogBuilder()
    doctor = log.enrol("dr-rivera")
    texts = [log.hold(stream) for stream in ("inf_1", "inf_2")]
    statements = [
        log.statement(stream, doctor, text, nonce=stream)
        for stream, text in zip(("inf_1", "inf_2"), texts, strict=True)
    ]
    signatures = [sign_statement(statement, doctor.key) for statement in statements]
    places = [
        log.append_signed(statement.inference, statement, signature).index
        for statement, signature in zip(statements, reversed(signatures), strict=True)
    ]
    return _of(log, folder, {"V11": at(*places)})


def _changed_after_signing(**change: Any) -> Callable[[Path], Evidence]:
    def make(folder: Path) -> Evidence:
        log = LogBuilder()
        doctor = log.enrol("dr-rivera", "clinician")
        statement = log.statement("inf_1", doctor, log.hold("inf_1"))
        entry = log.append_signed(
            "inf_1", replace(statement, **change), sign_statement(statement, doctor.key)
        )
        return _of(log, folder, {"V11": at(entry.index)})

    return make


def _signed(fails: str, before: Callable[[LogBuilder], object] = lambda _: None, **change: Any) -> Any:
    """Signed by dr-rivera, with something that does not hold and would be true of somebody or something else."""

    def make(folder: Path) -> Evidence:
        log = LogBuilder()
        doctor = log.enrol("dr-rivera")
        before(log)
        entry = log.sign("inf_1", doctor, log.hold("inf_1"), **change)
        return _of(log, folder, {fails: at(entry.index)})

    return make


def _signed_with_the_key_of(folder: Path) -> Evidence:
    """dr-chen signs, and the entry names dr-rivera and her key."""
    log = LogBuilder()
    doctor, other = log.enrol("dr-rivera"), log.enrol("dr-chen")
    statement = log.statement("inf_1", doctor, log.hold("inf_1"))
    entry = log.append_signed("inf_1", statement, sign_statement(statement, other.key))
    return _of(log, folder, {"V11": at(entry.index)})


def _expired(folder: Path) -> Evidence:
    log = LogBuilder()
    doctor = log.enrol("dr-rivera", not_after="2026-11-01T08:00:03.000000Z")
    # Dated into the time of the licence: the entry is later all the same.
    entry = log.sign("inf_1", doctor, log.hold("inf_1"), time="2026-11-01T08:00:02.000000Z")
    return _of(log, folder, {"V12": at(entry.index)})


def _revoked(folder: Path) -> Evidence:
    log = LogBuilder()
    doctor = log.enrol("dr-rivera")
    log.append("key.revoked", f"key:{doctor.key_id}", {"key_id": doctor.key_id})
    entry = log.sign("inf_1", doctor, log.hold("inf_1"))
    return _of(log, folder, {"V12": at(entry.index)})


def _before_enrolment(folder: Path) -> Evidence:
    log = LogBuilder()
    doctor = log.enrol("dr-rivera")
    log.entries.clear()
    entry = log.sign("inf_1", doctor, log.hold("inf_1"))
    log.enrol("dr-rivera")
    return _of(log, folder, {"V12": at(entry.index)})


def _downgraded_passkey(folder: Path) -> Evidence:
    """The device's key signs the message itself, so that nothing says that a person was verified."""
    log = LogBuilder()
    signer = Signer(log)
    signer.invite()
    signer.bind()

    def bare(message: bytes, _good: Proof) -> Proof:
        return Proof(signer.passkey.sign(message))

    entry = signer.sign(as_=Algorithm.ES256, proof=bare)
    return _of(log, folder, {"V11": at(entry.index)})


def _algorithm(name: str) -> Callable[[Path], Evidence]:
    def make(folder: Path) -> Evidence:
        log = LogBuilder()
        doctor = log.enrol("dr-rivera")
        body = dict(log.sign("inf_1", doctor, log.hold("inf_1")).body)
        log.entries.pop()
        entry = log.append("review.signed", "inf_1", {**body, "algorithm": name})
        return _of(log, folder, {"V11": at(entry.index)})

    return make


# -- decisions --------------------------------------------------------------------------------------------------------


def _signed_late(folder: Path) -> Evidence:
    log = LogBuilder()
    doctor = log.enrol("dr-rivera")
    text = log.hold("inf_1")
    released = log.release("inf_1", text)
    signed = log.sign("inf_1", doctor, text)
    return _of(log, folder, {"V14": at(signed.index), "V16": at(released.index)})


def _never_signed(folder: Path) -> Evidence:
    log = LogBuilder()
    log.enrol("dr-rivera")
    return _of(log, folder, {"V16": at(log.release("inf_1", log.hold("inf_1")).index)})


def _approved_by(user: str) -> Callable[[Path], Evidence]:
    def make(folder: Path) -> Evidence:
        log = LogBuilder()
        entry = log.sign("inf_1", log.enrol(user), log.hold("inf_1"))
        return _of(log, folder, {"V14": at(entry.index)})

    return make


# -- time -------------------------------------------------------------------------------------------------------------


def _dated(hours: int) -> Callable[[Path], Evidence]:
    """An approval with a time of the operator's choosing, in a log whose heads around it a witness cosigned."""

    def make(folder: Path) -> Evidence:
        log = LogBuilder()
        doctor = log.enrol("dr-rivera")
        text = log.hold("inf_1")
        # Dated back, the witness saw the head before it later than it claims to be: so it would have, shown it late.
        earlier = cosigned(log, late_by=3600 * max(0, -hours) + 1)
        log.clock += timedelta(hours=max(0, hours))
        entry = log.sign("inf_1", doctor, text)
        seen = seconds_of(log, entry.index) - 3600 * max(0, hours) + 1
        path = log.full(folder / "bundle.attending", checkpoint_note=log.checkpoint(cosigned_at=seen))
        anchors = log.anchors(witnesses=(witness_of(log),), pinned=(earlier,))
        fails: Failures = {"V15": at(entry.index)} if hours > 0 else {}
        return Evidence(path, anchors, fails, frozenset(() if fails else {"V15"}))

    return make


def _dated_back(folder: Path) -> Evidence:
    """An approval with a time before that of the entry before it."""
    log = LogBuilder()
    doctor = log.enrol("dr-rivera")
    text = log.hold("inf_1")
    earlier = cosigned(log)
    log.clock -= timedelta(hours=2)
    entry = log.sign("inf_1", doctor, text)
    path = log.full(folder / "bundle.attending", checkpoint_note=cosigned(log, late_by=2 * 3600 + 1))
    anchors = log.anchors(witnesses=(witness_of(log),), pinned=(earlier,))
    return Evidence(path, anchors, {"V7": at(entry.index)}, frozenset({"V15"}))


# -- forms ------------------------------------------------------------------------------------------------------------

FORMS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "a name twice": lambda data: data.replace(b'"body":{', b'"body":{"tokens":1,', 1),
    "a name twice, the other way round": lambda data: data.replace(
        b',"time":', b',"subject":null,"time":', 1
    ),
    "an escape for a letter": lambda data: data.replace(b'"app:test"', b'"\\u0061pp:test"', 1),
    "white space": lambda data: data.replace(b'"v":1', b'"v": 1'),
    "a fraction": lambda data: data.replace(b'"v":1', b'"v":1.0'),
    "an exponent": lambda data: data.replace(b'"v":1', b'"v":1e0'),
    "minus nothing": lambda data: data.replace(b'"tokens":12', b'"tokens":-0'),
    "a number that a double rounds": lambda data: data.replace(b'"tokens":12', b'"tokens":9007199254740993'),
    "half a character": lambda data: data.replace(b'"app:test"', b'"app:\\ud800"', 1),
    "bytes that are no text": lambda data: data.replace(b'"app:test"', b'"app:\xff"', 1),
    "a byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "a line that ends otherwise": lambda data: data + b"\r",
    "an order of names": lambda data: b'{"v":1,' + data[1:].replace(b',"v":1}', b"}"),
    "a time that is none": lambda data: data.replace(b'"time":"2026-11-', b'"time":"2026-13-'),
    "a field more": lambda data: data.replace(b',"v":1}', b',"v":1,"w":1}'),
    "a digit of another script": lambda data: data.replace(b'"time":"2026', '"time":"\u0662026'.encode()),
}


def _in_form(change: Callable[[bytes], bytes]) -> Callable[[Path], Evidence]:
    """The operator commits to an entry that two readers could read in two ways."""

    def make(folder: Path) -> Evidence:
        return _odd(honest_day(), CHOSEN, change, folder, {"V5": at(CHOSEN)}, opens=("V20",))

    return make


def _odd(
    log: LogBuilder,
    number: int,
    change: Callable[[bytes], bytes],
    folder: Path,
    fails: Failures,
    *,
    opens: Sequence[str] = (),
) -> Evidence:
    """A log with one entry in another form, every hash and signature over it right."""
    stated = counted([parse_entry(data) for data in log.entries])
    whole, before = log.entries[number], log.entries[:number]
    odd = change(whole)
    assert odd != whole
    after: list[bytes] = []
    for data in log.entries[number + 1 :]:
        prev = leaf_hash(after[-1] if after else odd).hex()
        after.append(encode({**json.loads(data), "prev": prev}))
    log.entries = [*before, odd, *after]
    path = log.full(folder / "bundle.attending", statistics=stated)
    return Evidence(path, log.anchors(), fails, frozenset(opens))


def _later_version(folder: Path) -> Evidence:
    later = lambda data: data.replace(b'"v":1', b'"v":2')  # noqa: E731 - one of several such changes
    return _odd(honest_day(), CHOSEN, later, folder, {}, opens=("V5", "V20"))


def _later_type(folder: Path) -> Evidence:
    log = honest_day()
    log.append("access.viewed", "s", {})
    later = changed(log.entries.pop(), lambda entry: entry.update(type="telepathy.used"))
    log.entries.append(later)
    return _of(log, folder, {}, opens=frozenset({"V5"}))


def _later_bundle(folder: Path) -> Evidence:
    log = honest_day()

    def later(data: bytes) -> bytes:
        manifest = json.loads(data)
        return json.dumps(
            {**manifest, "format": "attending-bundle/2"}, sort_keys=True, separators=(",", ":")
        ).encode()

    path = log.tamper(log.full(folder / "bundle.attending"), "manifest.json", later)
    return Evidence(path, log.anchors(), {}, _nothing_reached(("V1",)))


def _nothing_reached(checks: Sequence[str]) -> frozenset[str]:
    from attending.ledger.verify.report import CHECKS

    return frozenset({*checks, *CHECKS})


def _no_anchor(folder: Path) -> Evidence:
    log = honest_day()
    path = log.full(folder / "bundle.attending", verifier_keys=[str(log.vkey)])
    return Evidence(path, Anchors(), {}, frozenset({"V1", "V8"}))


# -- figures ----------------------------------------------------------------------------------------------------------


def _counted_otherwise(folder: Path) -> Evidence:
    log = honest_day()
    path = log.full(folder / "bundle.attending", figures=True)
    log.tamper(
        path,
        "statistics.json",
        lambda data: data.replace(b'"released_by_policy":3', b'"released_by_policy":4'),
        resign=True,
    )
    return Evidence(path, log.anchors(), {"V20": at(None)}, says=("released_by_policy",))


def _another_version_in_force(folder: Path) -> Evidence:
    log = honest_day()
    log.append("policy.activated", "policy:p", {"name": "p", "policy_hash": "11" * 32})
    path = log.full(folder / "bundle.attending", figures=True)
    log.tamper(path, "registries.json", lambda data: data.replace(b"11" * 32, b"22" * 32), resign=True)
    return Evidence(path, log.anchors(), {"V20": at(None)}, says=("in_force / policy / p / version",))


def _fhir_of_another_signer(folder: Path) -> Evidence:
    log = honest_day()
    path = log.full(folder / "bundle.attending", fhir=True)
    log.tamper(path, "fhir.ndjson", lambda data: data.replace(b'"dr-rivera"', b'"dr-chen"'), resign=True)
    return Evidence(path, log.anchors(), {"V20": at(None)}, says=("fhir.ndjson",))


def _not_erased(folder: Path) -> Evidence:
    from attending.ledger.verify.payloads import Erased

    log = honest_day()
    number, item = next(
        (entry.index, entry.commitments[0]) for entry in map(parse_entry, log.entries) if entry.commitments
    )
    path = log.full(folder / "bundle.attending", payloads=[Erased(item.record, item.kind)])
    return Evidence(path, log.anchors(), {"V19": at(number)})


def _other_content(folder: Path) -> Evidence:
    log = honest_day()
    number, item = next(
        (entry.index, entry.commitments[0]) for entry in map(parse_entry, log.entries) if entry.commitments
    )
    shown = replace(log.openings[item.record], content=b"something else")
    path = log.full(folder / "bundle.attending", payloads=[shown])
    return Evidence(path, log.anchors(), {"V19": at(number)})


LIES: Final[tuple[Lie, ...]] = (
    Lie(rows.TAMPERED, "one entry", ("V6",), _entries(_one_altered, {"V6": at(CHOSEN)})),
    Lie(rows.TAMPERED, "by who has no key", ("V1", "V6"), _altered_by_an_outsider),
    Lie(rows.TAMPERED, "and those after it chained anew", ("V6",), _altered_and_chained),
    Lie(rows.TAMPERED, "in a subset", ("V6",), _altered_and_counted_as_included),
    Lie(rows.TAMPERED, "a payload disclosed with another content", ("V19",), _other_content),
    Lie(
        rows.MISSING,
        "missing",
        ("V7",),
        _entries(lambda e: e[:CHOSEN] + e[CHOSEN + 1 :], {"V7": span(CHOSEN, SIZE)}, ["V6"]),
    ),
    Lie(
        rows.MISSING,
        "the last one missing",
        ("V7",),
        _entries(lambda e: e[:-1], {"V7": at(SIZE - 1)}, ["V6"]),
    ),
    Lie(
        rows.MISSING,
        "duplicated",
        ("V7",),
        _entries(lambda e: [*e[: CHOSEN + 1], *e[CHOSEN:-1]], {"V7": span(CHOSEN + 1, SIZE)}, ["V6"]),
    ),
    Lie(
        rows.MISSING,
        "two in each other's place",
        ("V7",),
        _entries(
            lambda e: [*e[:CHOSEN], e[CHOSEN + 1], e[CHOSEN], *e[CHOSEN + 2 :]],
            {"V7": at(CHOSEN, CHOSEN + 1)},
            ["V6"],
        ),
    ),
    Lie(
        rows.MISSING,
        "counted twice by its emitter",
        ("V7",),
        _twice_by_its_emitter,
    ),
    Lie(rows.MISSING, "issued and never arrived", (), _never_arrived),
    Lie(
        rows.MISSING,
        "called erased, without certificate",
        ("V19",),
        _not_erased,
    ),
    Lie(rows.TRUNCATED, "a newer checkpoint was kept", ("V9",), lambda f: _truncated(f, newer=True)),
    Lie(rows.TRUNCATED, "no newer checkpoint was kept", (), lambda f: _truncated(f, newer=False)),
    Lie(rows.FORKED, "below the head", ("V9",), lambda f: _forked(f, 20)),
    Lie(rows.FORKED, "two heads of one size", ("V9",), lambda f: _forked(f, SIZE)),
    Lie(
        rows.REWRITTEN,
        "the witness saw another one",
        ("V8",),
        _unseen_by_the_witness,
    ),
    Lie(
        rows.REWRITTEN,
        "under the witness's line of another head",
        ("V8",),
        _with_the_cosignature_of_another,
    ),
    Lie(rows.REWRITTEN, "with another key", ("V1", "V8"), _by_another_key),
    Lie(
        rows.SIGNATURE,
        "two signatures swapped",
        ("V11",),
        _swapped_signatures,
    ),
    Lie(
        rows.SIGNATURE,
        "of another log",
        ("V11",),
        _signed("V11", origin="log.example/other"),
    ),
    Lie(
        rows.SIGNATURE,
        "meaning changed after signing",
        ("V11",),
        _changed_after_signing(meaning=Meaning.REJECTED),
    ),
    Lie(
        rows.SIGNATURE,
        "edited, over the text as generated",
        ("V13",),
        _signed("V13", meaning=Meaning.APPROVED_WITH_EDITS),
    ),
    Lie(
        rows.SIGNATURE,
        "a role that nobody asked for",
        ("V13",),
        _signed("V13", role="pharmacist"),
    ),
    Lie(
        rows.SIGNATURE,
        "by another's key",
        ("V11",),
        _signed_with_the_key_of,
    ),
    Lie(
        rows.SIGNATURE,
        "in another's name",
        ("V12",),
        _signed("V12", lambda log: log.enrol("dr-chen"), signer="dr-chen"),
    ),
    Lie(rows.KEY, "expired", ("V12",), _expired),
    Lie(rows.KEY, "revoked", ("V12",), _revoked),
    Lie(rows.KEY, "before enrolment", ("V12",), _before_enrolment),
    Lie(rows.DATED, "dated before the entry before it", ("V7",), _dated_back),
    Lie(rows.DATED, "dated before a witness saw the head before it, or shown it late", (), _dated(-2)),
    Lie(rows.DATED, "dated after a witness had seen it", ("V15",), _dated(2)),
    Lie(rows.LATE, "signed after release", ("V14", "V16"), _signed_late),
    Lie(rows.LATE, "never signed", ("V16",), _never_signed),
    Lie(rows.LATE, "by the author", ("V14",), _approved_by("nurse-li")),
    Lie(rows.LATE, "by the application", ("V14",), _approved_by("portal")),
    *(Lie(rows.TRICKS, what, ("V5",), _in_form(change)) for what, change in FORMS.items()),
    Lie(
        rows.TRICKS,
        "a passkey's key without the person",
        ("V11",),
        _downgraded_passkey,
    ),
    *(
        Lie(
            rows.TRICKS,
            f"algorithm `{name}`",
            ("V11",),
            _algorithm(name),
        )
        for name in ("none", "es256", "webauthn-ed25519", "Ed25519")
    ),
    Lie(rows.FIGURES, "in the bundle's file of figures", ("V20",), _counted_otherwise),
    Lie(rows.FIGURES, "in its registry snapshot", ("V20",), _another_version_in_force),
    Lie(rows.FIGURES, "in its FHIR resources", ("V20",), _fhir_of_another_signer),
    Lie(rows.UNKNOWN, "an entry of a later version", (), _later_version),
    Lie(rows.UNKNOWN, "a type of a later version", (), _later_type),
    Lie(rows.UNKNOWN, "a bundle of a later version", (), _later_bundle),
    Lie(rows.UNKNOWN, "no key of the log", (), _no_anchor),
)
