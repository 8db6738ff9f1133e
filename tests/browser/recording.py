"""A pytest plugin that writes down every bundle that a test run verifies, its anchors and the report of the verifier;
and, of each test that builds a log and asks only some rules about it, a bundle of that log.

    ATTENDING_RECORD=cases.jsonl python -m pytest -p tests.browser.recording tests/ledger/verify

One JSON object a line: {test, files: [{name, data (base64), inFolder}], anchors (as the page takes them), report}.
"""

from __future__ import annotations

import base64
import json
import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attending.ledger.verify as package
import attending.ledger.verify.bundle as module
import pytest
from attending.ledger.errors import VerificationError
from attending.ledger.verify.bundle import Anchors, Progress
from attending.ledger.verify.report import Report

_verify = module.verify_bundle


def files_of(path: Path) -> list[dict[str, Any]]:
    """The files of a bundle, as the page's worker is given them."""
    folder = path.is_dir()
    return [
        {"name": one.name, "data": base64.b64encode(one.read_bytes()).decode(), "inFolder": folder}
        for one in (sorted(path.iterdir()) if folder else [path])
    ]


def anchors_of(anchors: Anchors) -> dict[str, Any]:
    """Anchors as a person enters them into the page."""
    return {
        "keys": "\n".join(map(str, anchors.keys)),
        "witnesses": "\n".join(map(str, anchors.witnesses)),
        "quorum": "" if anchors.quorum is None else str(anchors.quorum),
        "pinned": list(anchors.pinned),
        "requireTime": anchors.require_time,
        "requireFreshness": anchors.require_freshness,
        "requireComplete": anchors.require_complete,
    }


def _recorded(path: Path, anchors: Anchors, progress: Progress | None = None) -> Report:
    report = _verify(path, anchors, progress)
    case = {
        "test": os.environ.get("PYTEST_CURRENT_TEST", ""),
        "files": files_of(path),
        "anchors": anchors_of(anchors),
        "report": report.to_json(),
    }
    with Path(os.environ["ATTENDING_RECORD"]).open("a", encoding="utf-8") as out:
        out.write(json.dumps(case) + "\n")
    return report


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
    module.verify_bundle = _recorded
    package.verify_bundle = _recorded
