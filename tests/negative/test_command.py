"""Every lie of the table is told to the command, and fails at its check, at the entry concerned, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from attending.ledger.verify.__main__ import EXIT_CODES, main
from attending.ledger.verify.bundle import verify_bundle
from attending.ledger.verify.pdf.verify import verify_report
from attending.ledger.verify.report import Report, Status
from cryptography.hazmat.primitives.serialization import Encoding

from tests.negative.evidence import Evidence, Lie
from tests.negative.table import LIES

Failed = Callable[[Report], dict[str, set[int | None]]]


def arguments(evidence: Evidence, folder: Path) -> list[str]:
    """What an auditor types."""
    anchors, words = evidence.anchors, [str(evidence.path)]
    for option, keys in (("--key", anchors.keys), ("--witness", anchors.witnesses)):
        for key in keys:
            words += [option, str(key)]
    for number, note in enumerate(anchors.pinned):
        path = folder / f"{number}.checkpoint"
        path.write_text(note)
        words += ["--pinned", str(path)]
    for option in ("time", "freshness", "complete"):
        words += [f"--require-{option}"] * getattr(anchors, f"require_{option}")
    if evidence.seal is not None:
        roots = (("--seal-root", evidence.seal.seal_roots), ("--tsa-root", evidence.seal.stamp_roots))
        for option, certificates in roots:
            for number, certificate in enumerate(certificates):
                path = folder / f"{number}{option}.pem"
                path.write_bytes(certificate.public_bytes(Encoding.PEM))
                words += [option, str(path)]
    return words


def report_on(evidence: Evidence) -> Report:
    if evidence.seal is None:
        return verify_bundle(evidence.path, evidence.anchors)
    return verify_report(evidence.path, evidence.anchors, evidence.seal)


def undecided(report: Report) -> set[str]:
    return {
        item.check for item in report.results if item.status is Status.INDETERMINATE and not item.advisory
    }


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.id)
def test_it_fails_where_it_has_to_and_nowhere_else(
    lie: Lie, tmp_path: Path, failed: Failed, capsys: pytest.CaptureFixture[str]
) -> None:
    evidence = lie.make(tmp_path)
    report = report_on(evidence)
    assert failed(report) == evidence.fails
    assert tuple(failed(report)) == lie.checks
    assert undecided(report) == evidence.opens
    assert report.verdict is evidence.verdict
    for part in evidence.says:
        assert any(part in item.detail for item in report.results), part
    assert main(arguments(evidence, tmp_path)) == EXIT_CODES[evidence.verdict] in (1, 3)
    said = capsys.readouterr().out
    assert all(f"{check}  " in said for check in lie.checks)
