"""The first pages of every report: the verdict, who signed it off, and what it does not prove."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Final

from attending.ledger.reviewer_key import Algorithm
from attending.ledger.verify.checks import Scope
from attending.ledger.verify.report import Status
from attending.server.reports.blocks import Block, code, heading, pairs, points, qr_code, text
from attending.server.reports.compared import bypass
from attending.server.reports.particulars import Particulars
from attending.server.reports.source import Source

BUNDLE: Final = "bundle.attending"
_SEALED: Final = "This file is sealed and time-stamped as a whole: the verifier says by whom, and when."
_NOT_SEALED: Final = "This file is not sealed: nothing in it shows who made it, or that nobody changed it."
_VERIFY_SEAL: Final = (
    "# the seal, and all of this file; both roots come from elsewhere, too",
    'attending-verify REPORT.pdf --key "$KEY" --seal-root seal-root.pem --tsa-root tsa-root.pem',
)
_METHODS: Final = {
    True: "A passkey, whose device verified its person for this signature",
    False: "A key of their own that is no passkey; how it is kept is not on record",
}
_WORDS: Final = {
    Status.PASSED: "The evidence verifies",
    Status.FAILED: "The evidence does not verify",
    Status.INDETERMINATE: "The evidence does not decide everything",
    Status.NOT_APPLICABLE: "There is no evidence",
}


def cover(source: Source, about: Particulars) -> Iterable[Block]:
    """The verdict box, the tree head, and how to verify it without us."""
    report, head = source.report, source.head
    passed = {one.check for one in report.results if one.status is Status.PASSED}
    failed = sorted({one.check for one in report.failures})
    root = base64.b64encode(head.root).decode()
    says = "\n".join(
        ("attending-report/1", about.report_id, head.origin, str(head.size), root, source.sha256)
    )
    lines = [f"{len(passed)} checks passed" + (f"; failed: {', '.join(failed)}" if failed else "")]
    lines.append(f"{_scope(source)}; tree head of {head.size} entries")
    if about.sealed is not None:
        lines.append(_SEALED if about.sealed else _NOT_SEALED)
    lines.append("Made by the server that keeps the log. Do not take its word: verify, see below.")
    yield {
        "kind": "verdict",
        "label": f"Offline verifier, over the bundle {_place(source)}, under the log's key",
        "word": _WORDS[report.verdict],
        "lines": lines,
        "qr": qr_code(says),
        "qr_says": f"QR code: report {about.report_id}, tree size {head.size}, root and bundle hash as below",
    }
    yield pairs(
        [
            ("Report", about.report_id),
            *about.scope,
            ("Purpose", about.purpose.replace("_", " ")),
            ("Asked for by", f"{about.requested_by}, {about.requested_at}"),
        ]
    )
    yield heading("The tree head")
    yield pairs(
        [
            ("Log (origin)", head.origin),
            ("Tree size", head.size),
            ("Root hash", head.root.hex()),
            ("SHA-256 of the bundle", source.sha256),
        ],
        mono=frozenset(("Log (origin)", "Tree size", "Root hash", "SHA-256 of the bundle")),
    )
    yield heading("Verify it without us")
    yield text(
        f"The bundle is {_place(source)}. The key has to come from elsewhere than this file: from the",
        "contract, an earlier audit or a witness. This is the one that the server names.",
        size=9.5,
    )
    yield code(
        [
            "pip install attending",
            f"KEY='{about.verifier_key}'",
            f'attending-verify {BUNDLE} --key "$KEY"',
            *(_VERIFY_SEAL if about.sealed else ()),
        ]
    )


def signature(about: Particulars) -> Iterable[Block]:
    """Printed name, date and time, and meaning (21 CFR 11.50), or that nobody has signed."""
    yield heading("Signature")
    signed = about.signed_off
    rows: list[tuple[str, object]] = []
    if signed is not None:
        rows = [
            ("Signed by", signed.name),
            ("In the role of", signed.role.replace("_", " ")),
            ("Meaning", signed.meaning.replace("_", " ")),
            ("Date and time", signed.time),
            ("Signed with", _METHODS[Algorithm(signed.algorithm).passkey]),
            ("Entry of the log", signed.entry),
            ("Key", f"{signed.key_id} ({signed.algorithm})"),
            ("Signature", signed.signature),
            ("Over the statement", signed.statement),
        ]
    mono = frozenset(("Key", "Signature", "Over the statement"))
    yield {
        # The frame takes some of the line.
        **pairs(rows, mono=mono, characters=74),
        "kind": "signature",
        "none": "Not signed. This is a draft: it is not issued, and no named person stands for it.",
    }


def limits(source: Source, about: Particulars) -> Iterable[Block]:
    """What the reader must not take this report for."""
    manifest = source.manifest
    yield heading("What this does not prove")
    said = []
    if manifest.scope is Scope.SUBSET:
        said.append(
            "That these are all outputs of the scope: each entry is proved to be in the log, and not that none is left"
            " out. What stands in others is not counted: changes of policy, model or knowledge, incidents, halts,"
            " disclosures and erasures may be in the log where these pages say none."
        )
    said.append(bypass(about.compared))
    said += [
        "That a text was right. What was checked, what was found and who signed is on record; whether the checks know"
        " enough, and whether the signer judged well, is not in a log.",
        "That who signed read with care. Reading times are claims of the reader's own machine, bounded by the"
        " server's clock.",
        "That the software which wrote the log is the one that was reviewed.",
    ]
    if about.embedded:
        said.append(
            "Anything against the operator: data, keys and demo identities lie in one folder (embedded mode)."
        )
    for one in source.report.results:
        if one.status is Status.INDETERMINATE:
            where = "" if one.index is None else f" (entry {one.index})"
            said.append(f"{one.check}: {one.detail}{where}.")
    yield points(said)


def _place(source: Source) -> str:
    return "attached to this file" if source.attached else "given beside this file"


def _scope(source: Source) -> str:
    manifest, count = source.manifest, source.gathered.statistics["entries"]["count"]
    if manifest.scope is Scope.FULL:
        return f"All {count} entries of the log"
    if manifest.scope is Scope.RANGE:
        return f"Entries {manifest.begin} to {manifest.end - 1}, without a gap"
    return f"{count} chosen entries"
