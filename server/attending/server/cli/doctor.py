"""`attending doctor`: what a server needs, each green or with the next command to type."""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from attending.server.cli.examples import examples
from attending.server.cli.outcome import CommandError, Exit

if TYPE_CHECKING:
    from attending.server.doctor.check import Finding, Site
    from attending.server.doctor.run import Examined, Listed

DEFAULT_FOLDER: Final = Path("attending-data")
_SHADES: Final = {"green": "green", "warning": "yellow", "red": "red", "unknown": "magenta"}
_MARKS: Final = {"green": "ok", "warning": "warning", "red": "RED", "unknown": "unknown"}


@click.command(
    epilog=examples(
        "attending doctor",
        "attending doctor --config attending.toml",
        "attending doctor --config attending.toml --group providers --json",
        after="Exit codes: 0 nothing is red and all could be judged, 1 something is red, 3 nothing is red and "
        "something could not be judged, 4 usage. Warnings change the exit code with --strict only, to 1.",
    )
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="ATTENDING_CONFIG",
    help="Configuration of a server.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="ATTENDING_DATA",
    help="Data folder of the embedded mode; ./attending-data when nothing is given.",
)
@click.option(
    "--group", "groups", multiple=True, help="Only this group of checks, such as `tls`; may be repeated."
)
@click.option("--all", "show_all", is_flag=True, help="Show what is green in full, too.")
@click.option("--strict", is_flag=True, help="Take a warning for red.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def doctor(
    config_path: Path | None,
    data: Path | None,
    groups: tuple[str, ...],
    show_all: bool,
    strict: bool,
    as_json: bool,
) -> int:
    """Check clock, keys, database, disk, providers, policies, people and limits of a server.

    Changes nothing, and takes no lock: run it before the first start, beside a running server, or by cron. Providers
    are asked for their list of models; no prompt is sent.
    """
    from attending.server import clock
    from attending.server.doctor.check import State
    from attending.server.doctor.run import examine, outcome
    from attending.server.doctor.table import CHECKS
    from attending.server.errors import ConfigurationError

    known = list(dict.fromkeys(listed.group for listed in CHECKS))
    if wrong := [group for group in groups if group not in known]:
        raise click.UsageError(f"no group `{wrong[0]}`, expected one of {', '.join(known)}")
    checks = [listed for listed in CHECKS if not groups or listed.group in groups]
    progress = _Progress(sys.stderr.isatty() and not as_json)
    screen = _Screen(show_all)
    try:
        site = _site(config_path, data)
    except ConfigurationError as err:
        examined: Sequence[Examined] = [_not_loaded(err)]
        if not as_json:
            screen.show(examined[0])
    else:

        def done(one: Examined) -> None:
            progress.clear()
            if not as_json:
                screen.show(one)

        with _quiet():
            examined = examine(site, checks, begun=progress.show, done=done)
    worst = outcome(examined, strict=strict)
    if as_json:
        click.echo(json.dumps(_as_json(examined, clock.stamp(clock.now()), worst), sort_keys=True))
    else:
        screen.summary(examined)
    return {State.RED: Exit.FAILED, State.UNKNOWN: Exit.INDETERMINATE}.get(worst, Exit.OK)


def _site(config_path: Path | None, data: Path | None) -> Site:
    from attending.server.config import load_config
    from attending.server.doctor.check import Site

    if config_path is not None and data is not None:
        source = click.get_current_context().get_parameter_source
        line = click.core.ParameterSource.COMMANDLINE
        given = {name for name in ("config_path", "data") if source(name) is line}
        if given not in ({"config_path"}, {"data"}):
            raise click.UsageError("--config and --data exclude each other")
        config_path, data = (config_path, None) if "config_path" in given else (None, data)
    if config_path is not None:
        option = f" --config {shlex.quote(str(config_path))}"
        return Site(load_config(config_path), config_path, option)
    folder = data or DEFAULT_FOLDER
    if not folder.is_dir():
        raise CommandError(
            f"there is no folder `{folder}`, and no configuration was given",
            "give a configuration with --config, or make one with `attending init FOLDER`",
            Exit.USAGE,
        )
    from attending.server.bootstrap.folder import look

    option = "" if folder == DEFAULT_FOLDER else f" --data {shlex.quote(str(folder))}"
    return Site(look(folder).config, None, option, embedded=True)


def _not_loaded(err: Any) -> Examined:
    from attending.server.doctor.check import red
    from attending.server.doctor.run import Examined, Listed

    # Nothing else can be looked at: every other check asks the configuration where.
    listed = Listed("configuration", "loads", "", 0)
    return Examined(listed, (red(err.reason, err.problem, err.next_step),), 0.0)


@contextmanager
def _quiet() -> Iterator[None]:
    """What libraries and our own parts log while they are looked at belongs to no check."""
    import logging

    import structlog

    before, configured = logging.root.manager.disable, structlog.get_config()
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        logging.disable(before)
        structlog.configure(**configured)


def _as_json(examined: Sequence[Examined], at: str, worst: str) -> dict[str, Any]:
    findings = [
        {
            "group": one.listed.group,
            "check": one.listed.name,
            "state": str(finding.state),
            "reason": finding.reason,
            "detail": finding.detail,
            "next": finding.next_step or None,
        }
        for one in examined
        for finding in one.findings
    ]
    return {
        "format": "attending-doctor/1",
        "checked_at": at,
        "outcome": str(worst),
        "counts": _counts(examined),
        "seconds": {f"{one.listed.group}: {one.listed.name}": round(one.seconds, 3) for one in examined},
        "findings": findings,
    }


def _counts(examined: Sequence[Examined]) -> dict[str, int]:
    found = Counter(str(finding.state) for one in examined for finding in one.findings)
    return {state: found[state] for state in _SHADES}


class _Progress:
    """The check under way, on a terminal's last line of standard error."""

    def __init__(self, on: bool) -> None:
        self._on = on

    def show(self, listed: Listed) -> None:
        if self._on:
            click.echo(f"\r\x1b[K  {listed.group}: {listed.name} ...", nl=False, err=True)

    def clear(self) -> None:
        if self._on:
            click.echo("\r\x1b[K", nl=False, err=True)


class _Screen:
    """One line a check when all of it is green, and one a finding with its next step otherwise."""

    def __init__(self, show_all: bool) -> None:
        self._all = show_all
        self._group = ""
        self._colour = sys.stdout.isatty()

    def show(self, one: Examined) -> None:
        if one.listed.group != self._group:
            self._group = one.listed.group
            click.echo(click.style(self._group, bold=True), color=self._colour)
        well = [finding for finding in one.findings if finding.state == "green"]
        rest = [finding for finding in one.findings if finding.state != "green"]
        if well and (self._all or not rest):
            for finding in well if self._all or len(well) == 1 else well[:1]:
                more = f" (and {len(well) - 1} more)" if not self._all and len(well) > 1 else ""
                self._line(one.listed.name, finding, more)
        for finding in rest:
            self._line(one.listed.name, finding)

    def _line(self, name: str, finding: Finding, more: str = "") -> None:
        state = str(finding.state)
        mark = click.style(f"{_MARKS[state]:<8}", fg=_SHADES[state], bold=state != "green")
        reason = "" if state == "green" else f"{finding.reason}: "
        click.echo(f"  {mark} {name}: {reason}{finding.detail}{more}", color=self._colour)
        if finding.next_step:
            click.echo(f"           next: {finding.next_step}")

    def summary(self, examined: Sequence[Examined]) -> None:
        counts = _counts(examined)
        words = [f"{count} {state}" for state, count in counts.items() if count and state != "green"]
        shade = next((_SHADES[state] for state in ("red", "unknown", "warning") if counts[state]), "green")
        text = ", ".join(words) if words else "all green"
        click.echo()
        click.echo(click.style(f"{len(examined)} checks: {text}", fg=shade, bold=True), color=self._colour)


command = doctor
