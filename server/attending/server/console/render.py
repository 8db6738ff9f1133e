"""Pages from templates: every value is escaped, wherever it comes from, and times are shown as people read them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from attending.server import clock
from attending.server.console import words
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

FOLDER: Final = Path(str(files("attending.server.console")))
STATIC: Final = FOLDER / "static"


class Pages:
    """Renders templates; one instance a server."""

    def __init__(self, now: Callable[[], datetime], *, embedded: bool) -> None:
        self.now = now
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            # Everything, whatever a template is called: what is shown was written by a model.
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals |= {"embedded": embedded, "words": words, "asset": _asset}
        self._environment.filters |= {"moment": moment, "span": span, "minutes": minutes}

    def page(
        self, template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
    ) -> HTMLResponse:
        """The page; a value that a template needs and does not get is an error, never an empty place."""
        visit = values.setdefault("visit", None)
        values.setdefault("framed", visit is not None and visit.session.framed)
        values["now"] = clock.stamp(self.now())
        text = self._environment.get_template(template).render(**values)
        return HTMLResponse(text, status, headers=dict(headers or {}))


def _asset(name: str) -> str:
    """The address of a static file, with a digest: a new version is another address."""
    digest = _DIGESTS.get(name)
    if digest is None:
        digest = _DIGESTS[name] = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


_DIGESTS: dict[str, str] = {}


def moment(stamp: str | None) -> str:
    """`27 Nov 2026, 22:41 UTC` of the ledger's text form; a script turns it into local time."""
    return "" if stamp is None else f"{clock.parse(stamp):%-d %b %Y, %H:%M} UTC"


def span(seconds: float) -> str:
    """A length of time in words, rounded down: `45 s`, `12 min`, `3 h 05 min`, `4 d 2 h`."""
    whole = int(abs(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def minutes(length: timedelta) -> int:
    return round(length.total_seconds() / 60)
