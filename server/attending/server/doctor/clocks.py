"""The clock: entries, leases, certificates and agreements are judged by it.

Against the kernel's own state, the newest entry, and the database's clock. Clocks of providers are compared where a
provider is asked anyway (`providers`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from attending.server import clock
from attending.server.doctor.check import Finding, Site, green, red, unknown, warning

AHEAD_SECONDS: Final = 2.0
"""Entries of a log never go back in time, so an entry this far ahead tells of a clock that was wrong, or is."""
APART_SECONDS: Final = 1.0
FAR_APART_SECONDS: Final = 5.0
_KEEP: Final = "timedatectl set-ntp true (or start chronyd), then timedatectl status"


def kept(site: Site) -> Iterator[Finding]:
    """Whether a service keeps the machine's clock, and whether the time is possible at all."""
    now = site.now()
    # When the package was built or installed, whichever its files tell: a right clock shows no earlier time.
    built = datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)
    if now < built:
        yield red(
            "CLOCK_BEFORE_BUILD",
            f"the clock says {clock.stamp(now)}, before this program was installed",
            _KEEP,
        )
        return
    state = site.machine.clock_state()
    if state is None:
        yield warning(
            "CLOCK_STATE_HIDDEN",
            "the system does not tell whether a service keeps its clock",
            "timedatectl status, on the host when this is a container",
        )
    elif not state.synchronised:
        yield warning(
            "CLOCK_NOT_SYNCHRONISED", "the kernel says that no service keeps the machine's clock", _KEEP
        )
    elif state.max_error_seconds > APART_SECONDS:
        yield warning(
            "CLOCK_UNCERTAIN", f"the clock is kept, to within {state.max_error_seconds:.1f} s only", _KEEP
        )
    else:
        yield green(f"kept, to within {state.max_error_seconds * 1000:.0f} ms")


def newest_entry(site: Site) -> Iterator[Finding]:
    """The clock is not behind the newest entry: then entries would all get that entry's time."""
    with site.ledger() as store:
        heads = [] if store is None else [head for _row, head in store.heads() if head.size]
        now = site.now()
    if not heads:
        yield green("no entry yet to compare with")
        return
    newest = max(heads, key=lambda head: head.time)
    ahead = (clock.parse(newest.time) - now).total_seconds()
    if ahead > AHEAD_SECONDS:
        yield red(
            "CLOCK_BEHIND_LOG",
            f"the newest entry, of log `{newest.log_id}`, is {_span(ahead)} ahead of this clock: one of them is wrong",
            _KEEP,
        )
    else:
        yield green(f"after the newest entry, which is {_span(-ahead)} old")


def database(site: Site) -> Iterator[Finding]:
    """The database's clock, by which processes are told alive from dead."""
    with site.ledger() as store:
        if store is None or store.engine != "postgresql":
            shared = site.config.storage.shared
            yield green(
                "compared once there is a ledger" if shared else "the database has no clock of its own"
            )
            return
        before = site.now()
        ((there,),) = store.rows("SELECT clock_timestamp()")
        after = site.now()
    if after - before > timedelta(seconds=APART_SECONDS):
        yield unknown(
            "CLOCK_NOT_COMPARED",
            "the database took too long to tell its time",
            "run `attending doctor` again when it is less busy",
        )
        return
    apart = (there - (before + (after - before) / 2)).total_seconds()
    if abs(apart) > APART_SECONDS:
        make = red if abs(apart) > FAR_APART_SECONDS else warning
        word = "ahead of" if apart > 0 else "behind"
        yield make(
            "CLOCK_DIFFERS", f"the database's clock is {_span(abs(apart))} {word} this machine's", _KEEP
        )
    else:
        yield green(f"within {max(abs(apart), 0.001):.3f} s of the database's")


def _span(seconds: float) -> str:
    """A length of time in words, rounded."""
    seconds = max(seconds, 0)
    for size, word in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {word}"
    return f"{seconds:.0f} s"
