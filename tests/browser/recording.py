"""A pytest plugin that writes down every bundle and sealed report that a test run verifies, its anchors and the report
of the verifier; and, of each test that builds a log and asks only some rules about it, a bundle of that log.

    ATTENDING_RECORD=cases.jsonl python -m pytest -p tests.browser.recording tests/ledger/verify

One JSON object a line: {test, files: [{name, data (base64), inFolder}], anchors (as the page takes them), report}.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import attending.ledger.verify as package
import attending.ledger.verify.bundle as module
import attending.ledger.verify.pdf.verify as reports
import pytest
from attending.ledger.errors import VerificationError
from attending.ledger.verify.bundle import Anchors, Progress
from attending.ledger.verify.pdf.seal import SealAnchors
from attending.ledger.verify.report import Report
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

_verify, _verify_report = module.verify_bundle, reports.verify_report
MOST_BYTES: Final = 8 << 20
"""A report that is refused for its size is not told to a browser."""


def files_of(path: Path) -> list[dict[str, Any]]:
    """The files of a bundle, as the page's worker is given them."""
    folder = path.is_dir()
    return [
        {"name": one.name, "data": base64.b64encode(one.read_bytes()).decode(), "inFolder": folder}
        for one in (sorted(path.iterdir()) if folder else [path])
    ]


def anchors_of(anchors: Anchors, seal: SealAnchors | None = None) -> dict[str, Any]:
    """Anchors as a person enters them into the page."""
    roots = SealAnchors() if seal is None else seal
    return {
        "keys": "\n".join(map(str, anchors.keys)),
        "witnesses": "\n".join(map(str, anchors.witnesses)),
        "quorum": "" if anchors.quorum is None else str(anchors.quorum),
        "pinned": list(anchors.pinned),
        "requireTime": anchors.require_time,
        "requireFreshness": anchors.require_freshness,
        "requireComplete": anchors.require_complete,
        "sealRoots": _pem(roots.seal_roots),
        "stampRoots": _pem(roots.stamp_roots),
        "lists": [base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in roots.lists],
    }


def _pem(certificates: Iterable[x509.Certificate]) -> str:
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in certificates)


def record(out: Path, *tests: str) -> list[dict[str, Any]]:
    """What the tests named verify when they are run, each case once; `out` is a file for it."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", __name__, *tests]
    result = subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "ATTENDING_RECORD": str(out)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-2000:]
    found: dict[str, dict[str, Any]] = {}
    with out.open(encoding="utf-8") as lines:
        for line in lines:
            case = json.loads(line)
            found.setdefault(json.dumps([case["files"], case["anchors"]]), case)
    return list(found.values())


def _recorded(path: Path, anchors: Anchors, progress: Progress | None = None) -> Report:
    report = _verify(path, anchors, progress)
    _write(files_of(path), anchors_of(anchors), report)
    return report


def _recorded_report(
    path: Path, anchors: Anchors, seal: SealAnchors, *, bundle: Path | None = None, **more: Any
) -> Report:
    report = _verify_report(path, anchors, seal, bundle=bundle, **more)
    paths = [one for one in (path, bundle) if one is not None]
    if all(one.is_file() and one.stat().st_size < MOST_BYTES for one in paths):
        _write([one for each in paths for one in files_of(each)], anchors_of(anchors, seal), report)
    return report


def _write(files: list[dict[str, Any]], anchors: dict[str, Any], report: Report) -> None:
    case = {
        "test": os.environ.get("PYTEST_CURRENT_TEST", ""),
        "files": files,
        "anchors": anchors,
        "report": report.to_json(),
    }
    with Path(os.environ["ATTENDING_RECORD"]).open("a", encoding="utf-8") as out:
        out.write(json.dumps(case) + "\n")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Verifies the log that a test leaves behind, as a whole."""
    log: Any = getattr(item, "funcargs", {}).get("log")
    if log is None or not log.entries or "ATTENDING_RECORD" not in os.environ:
        return
    with TemporaryDirectory() as folder, suppress(VerificationError):
        # An entry that is none cannot be counted, and so not be exported.
        _recorded(log.full(Path(folder) / "log.attending"), log.anchors())


if "ATTENDING_RECORD" in os.environ:
    # A report's own bundle is verified as a part of it, and not told again.
    module.verify_bundle = _recorded
    package.verify_bundle = _recorded
    reports.verify_report = _recorded_report
