"""`python -m attending.server.reports.make`: makes one report's PDF in a process of its own.

How the order comes and how far it is goes out, `process` says.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from attending.ledger.verify.registers import Asked
from attending.server.reports.particulars import Compared, Kind, Particulars, SignedOff
from attending.server.reports.process import MOST_MEMORY_BYTES, carry_out, take_order, tell
from attending.server.reports.verdict import VERDICT


async def make_in_process(
    bundle: Path,
    out: Path,
    about: Particulars,
    inference: str | None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    *,
    memory_bytes: int = MOST_MEMORY_BYTES,
) -> None:
    """Returns when `out` is the finished PDF of the report over `bundle`, whole and durable, its verdict beside it.

    Raises Unavailable (REPORT_NOT_MADE) where the process did not come to its end; nothing is left of it then.
    """
    order = {"bundle": str(bundle), "out": str(out), "inference": inference, "about": asdict(about)}
    await carry_out("attending.server.reports.make", order, progress, memory_bytes=memory_bytes)


def main() -> int:
    """Carries out the order on standard input."""
    from attending.server.reports.pdf import make_pdf

    order = take_order()
    about = order["about"]
    signed = about.pop("signed_off")
    scope = tuple((name, value) for name, value in about.pop("scope"))
    asked = about.pop("asked")
    compared = tuple(Compared(**one) for one in about.pop("compared"))
    particulars = Particulars(
        **{**about, "kind": Kind(about["kind"])},
        scope=scope,
        compared=compared,
        asked=Asked(**{**asked, "subjects": tuple(asked["subjects"])}),
        signed_off=None if signed is None else SignedOff(**signed),
    )
    out = Path(order["out"])
    work = Path(tempfile.mkdtemp(dir=out.parent))
    partial = out.with_name(out.name + ".partial")
    try:
        pdf = make_pdf(Path(order["bundle"]), particulars, work, inference=order["inference"], progress=tell)
        (work / VERDICT).replace(out.with_name(VERDICT))
        with partial.open("wb") as file:
            file.write(pdf)
            file.flush()
            os.fsync(file.fileno())
        # A kill before this leaves a partial file, never half a report under its name.
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
        shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
