"""`python -m attending.ledger.verify`: checks a bundle or a sealed report offline, against keys given separately.

Exit codes: 0 everything asked for is proved, 1 something is wrong, 3 something asked for cannot be decided (a
key or a newer checkpoint is missing, a later format), 4 wrong usage.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from attending.ledger.errors import VerificationError
from attending.ledger.note import COSIGNATURE, ED25519, VerifierKey
from attending.ledger.verify.bundle import Anchors, Progress, verify_bundle
from attending.ledger.verify.deidentified import is_deidentified, verify_deidentified
from attending.ledger.verify.pdf.seal import MAX_LIST_BYTES, SealAnchors
from attending.ledger.verify.pdf.verify import is_pdf, verify_report
from attending.ledger.verify.report import CheckResult, Kind, Report, Status, verdict_of
from attending.ledger.verify.validation import is_validation, verify_validation
from cryptography import x509

EXIT_CODES = {Status.PASSED: 0, Status.FAILED: 1, Status.INDETERMINATE: 3}
EXIT_USAGE = 4
_MARKS = {
    Status.PASSED: "ok",
    Status.FAILED: "FAILED",
    Status.INDETERMINATE: "open",
    Status.NOT_APPLICABLE: "-",
}
_COLOURS = {
    Status.PASSED: "32",
    Status.FAILED: "31;1",
    Status.INDETERMINATE: "33",
    Status.NOT_APPLICABLE: "2",
}
_KINDS = {
    Kind.DEIDENTIFIED: "a de-identified document, in which no entry of the log is proved",
    Kind.VALIDATION: "a validation pack, in which no entry of a log is proved",
}
"""What is verified and holds no entries: the verdict says so."""
_MAX_KEY_FILE_BYTES = 1 << 16


class _UsageError(Exception):
    """What the user must change, as one line."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"error: {message}; next: {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with `argv` (the process's arguments when None) and returns its exit code."""
    parser = _parser()
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else EXIT_USAGE
    try:
        if arguments.page is not None:
            return _write_page(arguments)
        if arguments.bundle is None:
            raise _UsageError("the arguments name no bundle")
        anchors = _anchors(arguments)
        seal = _seal_anchors(arguments)
        progress = _Progress() if sys.stderr.isatty() and not arguments.json else None
        report = _verify(arguments, anchors, seal, progress)
        if progress is not None:
            progress.clear()
    except (_UsageError, OSError) as err:
        detail = f"{err.filename}: {err.strerror}" if isinstance(err, OSError) else str(err)
        print(f"error: {detail}; next: {parser.prog} --help", file=sys.stderr)
        return EXIT_USAGE
    if arguments.json:
        print(json.dumps(report.to_json(), indent=2))
    else:
        _print(report, colour=sys.stdout.isatty())
    return EXIT_CODES[report.verdict]


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="attending verify",
        description="Check an exported bundle, or a sealed report (PDF), offline. Needs no server and no network.",
        epilog="example: attending verify march.attending --key clinic.vkey --pinned february.checkpoint; "
        "attending verify march.pdf --key clinic.vkey --seal-root seal-root.pem --tsa-root tsa-root.pem",
    )
    bundle_help = (
        "a .attending file, a folder with its files, a de-identified document, a validation pack, or a PDF"
    )
    parser.add_argument("bundle", type=Path, nargs="?", help=bundle_help)
    key_help = (
        "verifier key of the log (of a validation pack: its signer's), or a file of them; from elsewhere"
    )
    parser.add_argument("--key", action="append", default=[], metavar="KEYFILE|VKEY", help=key_help)
    witness_help = "verifier key of a witness that must have cosigned, or a file of them"
    parser.add_argument("--witness", action="append", default=[], metavar="KEYFILE|VKEY", help=witness_help)
    parser.add_argument("--quorum", type=int, help="how many of the witnesses are enough (default: all)")
    pinned_help = "a checkpoint of the log that you kept earlier"
    parser.add_argument(
        "--pinned", action="append", default=[], type=Path, metavar="CHECKPOINT", help=pinned_help
    )
    root_help = "root of the seal's certificate, a PEM file; get it from elsewhere than the report"
    parser.add_argument("--seal-root", action="append", default=[], type=Path, metavar="PEM", help=root_help)
    tsa_help = "root of the time stamp authority, a PEM file"
    parser.add_argument("--tsa-root", action="append", default=[], type=Path, metavar="PEM", help=tsa_help)
    crl_help = "revocation list of an authority of the seal or the stamp, PEM or DER"
    parser.add_argument("--crl", action="append", default=[], type=Path, metavar="CRL", help=crl_help)
    beside_help = "bundle that was given beside a report because it is too large to attach"
    parser.add_argument("--bundle", dest="beside", type=Path, metavar="FILE", help=beside_help)
    parser.add_argument("--require-time", action="store_true", help="exit 3 unless the time is bounded")
    fresh_help = "exit 3 unless a pinned checkpoint shows that the bundle is not truncated"
    parser.add_argument("--require-freshness", action="store_true", help=fresh_help)
    complete_help = "exit 3 unless every emitter declared its end and all that it issued is there"
    parser.add_argument("--require-complete", action="store_true", help=complete_help)
    deidentified_help = (
        "expect a de-identified document, in which no entry is proved; exit 3 for one without this"
    )
    parser.add_argument("--deidentified", action="store_true", help=deidentified_help)
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    page_help = "write the second verifier, one HTML file for a browser without network, and verify nothing"
    parser.add_argument("--page", type=Path, metavar="OUT.html", help=page_help)
    return parser


def _write_page(arguments: argparse.Namespace) -> int:
    # Only here: whoever verifies has no need of it.
    from attending.ledger.verify.page import verifier_page

    if arguments.bundle is not None:
        raise _UsageError("--page takes no bundle: open the page and drop the bundle on it")
    page = verifier_page()
    arguments.page.write_bytes(page)
    print(f"wrote {arguments.page}: {len(page)} bytes, sha256 {hashlib.sha256(page).hexdigest()}")
    return 0


def _anchors(arguments: argparse.Namespace) -> Anchors:
    keys = _keys(arguments.key, ED25519)
    witnesses = _keys(arguments.witness, COSIGNATURE)
    quorum = arguments.quorum
    if quorum is not None and not 0 <= quorum <= len(witnesses):
        raise _UsageError(f"--quorum {quorum} with {len(witnesses)} witnesses")
    pinned = tuple(_read_text(path) for path in arguments.pinned)
    return Anchors(
        keys=keys,
        witnesses=witnesses,
        quorum=quorum,
        pinned=pinned,
        require_time=arguments.require_time,
        require_freshness=arguments.require_freshness,
        require_complete=arguments.require_complete,
    )


def _seal_anchors(arguments: argparse.Namespace) -> SealAnchors:
    return SealAnchors(
        seal_roots=tuple(item for path in arguments.seal_root for item in _certificates(path)),
        stamp_roots=tuple(item for path in arguments.tsa_root for item in _certificates(path)),
        lists=tuple(_revocation_list(path) for path in arguments.crl),
    )


def _verify(
    arguments: argparse.Namespace, anchors: Anchors, seal: SealAnchors, progress: Progress | None
) -> Report:
    if is_pdf(arguments.bundle):
        report = verify_report(arguments.bundle, anchors, seal, bundle=arguments.beside, progress=progress)
        if report.kind is Kind.DEIDENTIFIED:
            return report if arguments.deidentified else _not_asked_for(report)
        if arguments.deidentified:
            raise _UsageError(f"`{arguments.bundle}` is no report over a de-identified document")
        return report
    if seal != SealAnchors() or arguments.beside is not None:
        raise _UsageError("--seal-root, --tsa-root, --crl and --bundle are for a report, a PDF")
    if is_deidentified(arguments.bundle):
        if anchors.of_entries:
            raise _UsageError(
                "a de-identified document has no entries for --pinned, --require-time, --require-freshness and "
                "--require-complete to hold against"
            )
        report = verify_deidentified(arguments.bundle, anchors, progress)
        return report if arguments.deidentified else _not_asked_for(report)
    if arguments.deidentified:
        raise _UsageError(f"`{arguments.bundle}` is no de-identified document")
    if is_validation(arguments.bundle):
        if anchors != Anchors(keys=anchors.keys):
            raise _UsageError("a validation pack has no log: of the anchors only --key is for it")
        return verify_validation(arguments.bundle, anchors.keys)
    return verify_bundle(arguments.bundle, anchors, progress)


def _not_asked_for(report: Report) -> Report:
    """Undecided as long as nobody said that a de-identified document is what they want verified: who expects a bundle
    would take its verdict for one over entries.
    """
    detail = "no entry is in this document: say --deidentified where such a document is what is expected"
    results = (*report.results, CheckResult("V7", Status.INDETERMINATE, detail))
    ordered = tuple(sorted(results, key=lambda item: int(item.check[1:])))
    return replace(report, results=ordered, verdict=verdict_of(ordered))


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read_bytes(path, _MAX_KEY_FILE_BYTES))
    except ValueError:
        raise _UsageError(f"`{path}` holds no PEM certificate") from None


def _revocation_list(path: Path) -> x509.CertificateRevocationList:
    data = _read_bytes(path, MAX_LIST_BYTES)
    try:
        return x509.load_pem_x509_crl(data) if data[:5] == b"-----" else x509.load_der_x509_crl(data)
    except ValueError:
        raise _UsageError(f"`{path}` is no revocation list") from None


def _read_bytes(path: Path, limit_bytes: int) -> bytes:
    with path.open("rb") as file:
        data = file.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise _UsageError(f"`{path}` exceeds {limit_bytes} bytes")
    return data


def _keys(values: Sequence[str], kind: int) -> tuple[VerifierKey, ...]:
    keys = []
    for value in values:
        texts = _key_lines(Path(value)) if Path(value).is_file() else [value]
        for text in texts:
            try:
                key = VerifierKey.parse(text)
            except VerificationError as err:
                where = (
                    "is neither a file nor a verifier key" if texts == [value] else "holds no verifier key"
                )
                raise _UsageError(f"`{value}` {where}: {err.detail}") from err
            if key.type != kind:
                wanted = "log" if kind == ED25519 else "witness"
                raise _UsageError(f"`{value}` is not the key of a {wanted}")
            keys.append(key)
    return tuple(dict.fromkeys(keys))


def _key_lines(path: Path) -> list[str]:
    lines = [line.strip() for line in _read_text(path).splitlines()]
    return [line for line in lines if line and not line.startswith("#")] or [""]


def _read_text(path: Path) -> str:
    try:
        return _read_bytes(path, _MAX_KEY_FILE_BYTES).decode("utf-8")
    except UnicodeDecodeError:
        raise _UsageError(f"`{path}` is not text") from None


def _plain(text: str) -> str:
    """`text` with what a terminal would obey, or show in another order, written as an escape."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape", "surrogatepass").decode() for one in text
    )


class _Progress:
    """One line on standard error, rewritten once per percent."""

    def __init__(self) -> None:
        self._percent = -1

    def __call__(self, done: int, total: int) -> None:
        percent = 100 * done // total if total else 100
        if percent != self._percent:
            self._percent = percent
            print(
                f"\rverifying entries {done:,} of {total:,} ({percent} %)",
                end="",
                file=sys.stderr,
                flush=True,
            )

    def clear(self) -> None:
        """Removes the line."""
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _print(report: Report, *, colour: bool) -> None:
    def paint(status: Status, text: str) -> str:
        text = _plain(text)
        return f"\x1b[{_COLOURS[status]}m{text}\x1b[0m" if colour else text

    if report.kind in _KINDS:
        print(f"this is {_KINDS[report.kind]}")
    if report.origin is not None:
        print(f"log    {_plain(report.origin)}")
        if report.scope is not None:
            scope = report.scope
            print(f"scope  {scope['kind']}, entries {scope['from']} to {scope['to']} (end exclusive)")
        print()
    previous = None
    for item in report.results:
        if item.check != previous:
            print(f"{item.check:>4}  {report.sentences[item.check]}")
            previous = item.check
        mark = "note" if item.advisory else _MARKS[item.status]
        where = "" if item.index is None else f"entry {item.index}: "
        print(f"      {paint(item.status, f'{mark:<6}')} {where}{_plain(item.detail)}")
    print()
    reasons = "; ".join(f"{checks}: {reason}" for checks, reason in report.not_checked.items())
    print(f"not checked: {reasons}")
    words = {
        Status.PASSED: "VERIFIED: all that was asked for is proved",
        Status.FAILED: "FAILED",
        Status.INDETERMINATE: "INDETERMINATE: something asked for cannot be decided; see `open` above",
    }
    text = words[report.verdict]
    if report.kind in _KINDS:
        text = text.replace("VERIFIED", f"VERIFIED, {_KINDS[report.kind]}")
    if report.failures:
        first = min(report.failures, key=lambda item: (item.index is None, item.index or 0))
        where = "" if first.index is None else f" at entry {first.index}"
        text = f"FAILED{where}: {first.detail}"
    print(paint(report.verdict, text))


if __name__ == "__main__":
    raise SystemExit(main())
