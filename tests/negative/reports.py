"""Lies in a sealed report: about the seal, the stamp, or the pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

import pikepdf
from attending.ledger.verify.bundle import Anchors
from attending.ledger.verify.pdf.seal import SealAnchors

from tests.ledger.verify.conftest import LogBuilder
from tests.negative import rows
from tests.negative.evidence import Evidence, Failures, Lie, at
from tests.negative.logs import changed, honest_day, rewritten
from tests.server.reports.authorities import (
    NOW,
    Office,
    StampAuthority,
    authority,
    revocations,
    sealing,
    stamping,
)
from tests.server.reports.sealing import attachment, edited, forged, unsealed
from tests.server.reports.test_sealed_report import _update

_DAY: Final = timedelta(days=1)
BUNDLE: Final = "bundle.attending"


@cache
def _office() -> Office:
    """Its folder is set by each lie: keys are made once, because one of RSA takes longer than all the rest."""
    return Office.make(Path())


def _report(log: LogBuilder, folder: Path, office: Office, source: Path | None = None) -> Path:
    """Sealed by who holds the seal, without looking at it."""
    source = unsealed(log, folder / "unsealed") if source is None else source
    return forged(replace(office, folder=folder / "office"), source, folder / "report.pdf")


def _sealed(change: Callable[[Office], Office], fails: Failures) -> Callable[[Path], Evidence]:
    """A report of an honest day under a seal that is not what it looks like; V3 is open where no stamp says when."""
    opens = frozenset({"V3"} if "V4" in fails else ())

    def make(folder: Path) -> Evidence:
        log = honest_day()
        path = _report(log, folder, change(_office()))
        return Evidence(path, log.anchors(), fails, opens, seal=_office().anchors)

    return make


def _stamped(time: datetime) -> Callable[[Office], Office]:
    return lambda office: replace(office, stamps=StampAuthority(stamping(office.stamp_root), time=time))


def _updated(folder: Path) -> Evidence:
    log = honest_day()
    path = _report(log, folder, _office())
    path.write_bytes(_update(path.read_bytes()))
    # What no seal covers is not looked into.
    opens = frozenset({"V3", "V4", "V10", "V20"})
    return Evidence(path, log.anchors(), {"V2": at(None)}, opens, seal=_office().anchors)


def _another_day(log: LogBuilder) -> LogBuilder:
    """The same day but for what was seen in a chart: the same figures and exceptions, another head."""
    return rewritten(
        log, lambda entries: [changed(entries[0], lambda e: e["body"].update(tokens=13)), *entries[1:]]
    )


def _swapped(folder: Path, *, pinned: bool) -> Evidence:
    """The attachment is replaced by one of another history, and the file sealed again."""
    log = honest_day()
    other = _another_day(log).full(folder / BUNDLE, figures=True)

    def swap(pdf: pikepdf.Pdf) -> None:
        attachment(pdf, BUNDLE).write(other.read_bytes())

    source = edited(unsealed(log, folder / "unsealed"), folder / "swapped.pdf", swap)
    path = _report(log, folder, _office(), source)
    kept: Failures = {"V9": at(None)} if pinned else {}
    anchors = log.anchors(pinned=(log.checkpoint(20),) if pinned else ())
    fails = {**kept, "V10": at(None)}
    return Evidence(path, anchors, fails, seal=_office().anchors)


def _made_again(folder: Path) -> Evidence:
    """Pages, figures and attachment all tell the other history."""
    log = honest_day()
    path = _report(_another_day(log), folder, _office())
    anchors = log.anchors(pinned=(log.checkpoint(20),))
    fails: Failures = {"V9": at(None)}
    return Evidence(path, anchors, fails, seal=_office().anchors)


def _printed_otherwise(folder: Path) -> Evidence:
    log = honest_day()

    def lying(path: str, value: str) -> str:
        return "0" if path.endswith("released_by_policy") and value == "3" else value

    path = _report(log, folder, _office(), unsealed(log, folder / "unsealed", lying))
    says = ("released_by_policy",)
    return Evidence(path, log.anchors(), {"V20": at(None)}, seal=_office().anchors, says=says)


def _without(log_key: bool, seal: bool, stamp: bool, opens: frozenset[str]) -> Callable[[Path], Evidence]:
    def make(folder: Path) -> Evidence:
        log, office = honest_day(), _office()
        path = _report(log, folder, office)
        anchors = log.anchors() if log_key else Anchors()
        roots = SealAnchors(
            office.anchors.seal_roots if seal else (), office.anchors.stamp_roots if stamp else ()
        )
        return Evidence(
            path,
            anchors,
            {},
            opens,
            seal=roots,
        )

    return make


LIES: Final[tuple[Lie, ...]] = (
    Lie(
        rows.REWRITTEN,
        "its report under the stamp of another one",
        ("V4",),
        _sealed(
            lambda o: replace(o, stamps=replace(o.stamps, imprint=lambda digest: bytes(len(digest)))),
            {"V4": at(None)},
        ),
    ),
    Lie(
        rows.KEY,
        "the seal's certificate expired",
        ("V3",),
        _sealed(lambda o: replace(o, seal=sealing(o.root, ends=NOW - _DAY)), {"V3": at(None)}),
    ),
    Lie(
        rows.KEY,
        "the seal's certificate was revoked",
        ("V3",),
        _sealed(
            lambda o: replace(o, lists=(revocations(o.root, (o.seal.certificate, NOW - _DAY)),)),
            {"V3": at(None)},
        ),
    ),
    Lie(
        rows.DATED,
        "stamped by an authority that nobody named",
        ("V4",),
        _sealed(
            lambda o: replace(o, stamps=StampAuthority(stamping(authority("Stamp root")))), {"V4": at(None)}
        ),
    ),
    Lie(
        rows.DATED,
        "stamped by the authority before its entries",
        ("V15",),
        _sealed(_stamped(NOW - 60 * _DAY), {"V15": at(None)}),
    ),
    Lie(
        rows.STAMP,
        "before it was valid",
        ("V4",),
        _sealed(
            lambda o: replace(
                o, stamps=StampAuthority(stamping(o.stamp_root, begins=NOW + _DAY, ends=NOW + 9 * _DAY))
            ),
            {"V4": at(None)},
        ),
    ),
    Lie(rows.UPDATED, "updated", ("V2",), _updated),
    Lie(rows.UPDATED, "attachment swapped", ("V10",), lambda f: _swapped(f, pinned=False)),
    Lie(
        rows.UPDATED,
        "attachment swapped, against a pinned head",
        ("V9", "V10"),
        lambda f: _swapped(f, pinned=True),
    ),
    Lie(rows.UPDATED, "the whole report made again", ("V9",), _made_again),
    Lie(rows.FIGURES, "on the pages", ("V20",), _printed_otherwise),
    Lie(rows.UNKNOWN, "no root of the seal", (), _without(True, False, True, frozenset({"V3"}))),
    Lie(rows.UNKNOWN, "no root of the stamp", (), _without(True, True, False, frozenset({"V3", "V4"}))),
    Lie(
        rows.UNKNOWN,
        "of a report, no key of the log",
        (),
        _without(False, True, True, frozenset({"V1", "V8"})),
    ),
)
