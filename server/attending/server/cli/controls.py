"""`attending controls`: the control matrix, and what a log or a bundle says to it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.message import word
from attending.server.cli.outcome import CommandError, Exit
from attending.server.cli.verifier_key import verifier_key

if TYPE_CHECKING:
    from attending.client import Connection
    from attending.ledger.verify.report import Report
    from attending.server.controls.matrix import Matrix

AUDITOR: Final = "demo-auditor"

matrix_option = click.option(
    "--matrix",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of control files; the package's own when left out.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


@click.group(
    epilog=examples(
        "attending controls list",
        "attending controls evaluate --bundle november.attending --key log.vkey",
    )
)
def controls() -> None:
    """What regulators ask, as data, and what a log or a bundle says to it."""


@controls.command(
    "list",
    short_help="List the matrix.",
    epilog=examples("attending controls list --framework hipaa", "attending controls list --markdown"),
)
@click.option("--framework", default="", help="Only this framework, by its file's name.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Tables for docs/controls.md.")
@matrix_option
@json_option
def list_controls(framework: str, as_markdown: bool, folder: Path | None, as_json: bool) -> None:
    """List every control: id, status, what its evidence is, reference and requirement."""
    from attending.server.controls.listing import STATUS_WORDS, evidence_words, markdown

    matrix = _matrix(folder)
    if as_markdown:
        click.echo("\n".join(markdown(matrix)))
        return
    chosen = [one for one in matrix.frameworks if framework in ("", one.framework)]
    if not chosen:
        known = ", ".join(one.framework for one in matrix.frameworks)
        raise click.UsageError(f"no framework `{framework}`; the matrix has {known}")
    for one in chosen:
        for control in one.controls:
            if as_json:
                click.echo(json.dumps(control.model_dump(mode="json", by_alias=True, exclude_none=True)))
                continue
            click.echo(f"{control.id}  {control.reference}  {STATUS_WORDS[control.status]}")
            click.echo(f"    {control.requirement}")
            click.echo(f"    evidence: {evidence_words(control)}")


@controls.command(
    short_help="Show a control with its query.",
    epilog=examples("attending controls show hipaa-164.312-a-2-ii"),
)
@click.argument("control_id")
@matrix_option
@json_option
def show(control_id: str, folder: Path | None, as_json: bool) -> None:
    """Show CONTROL_ID as its file has it, query included."""
    import yaml

    control = _matrix(folder).get(control_id)
    if control is None:
        raise CommandError(
            f"no control `{control_id}`", "`attending controls list` shows the ids", Exit.USAGE
        )
    said = control.model_dump(mode="json", by_alias=True, exclude_unset=True)
    click.echo(json.dumps(said) if as_json else yaml.safe_dump(said, sort_keys=False, width=110).rstrip())


@controls.command(
    short_help="Evaluate the matrix.",
    epilog=examples(
        "attending controls evaluate --from 2026-11-01 --to 2026-12-01",
        "attending controls evaluate --bundle november.attending --key log.vkey --json",
        after="Exit codes: 0 nothing failed, 1 a control failed or the bundle does not verify, 3 without its key.",
    ),
)
@click.option(
    "--bundle",
    "bundle_path",
    type=click.Path(path_type=Path, exists=True),
    help="Over this bundle, offline; without it a server is asked.",
)
@click.option(
    "--key", "keys", multiple=True, help="Verifier key of the log, or a file with it; for --bundle."
)
@click.option("--from", "from_time", help="From this time on (ISO 8601, UTC unless it says else).")
@click.option("--to", "to_time", help="Before this time.")
@matrix_option
@json_option
@connection_options(AUDITOR, offline_with="bundle_path")
def evaluate(
    bundle_path: Path | None,
    keys: tuple[str, ...],
    from_time: str | None,
    to_time: str | None,
    folder: Path | None,
    as_json: bool,
    connection: Connection | None,
) -> int:
    """Say of each control whether the entries evidence it. Exit code 1 where one failed."""
    if bundle_path is None:
        assert connection is not None
        if keys or folder is not None:
            raise click.UsageError("--key and --matrix go with --bundle: a server has a matrix of its own")
        return _show(_of_server(connection, from_time, to_time), as_json=as_json)
    if from_time is not None or to_time is not None:
        raise click.UsageError("--from and --to are of a server: a bundle has its period")
    return _of_bundle(bundle_path, keys, folder, as_json=as_json)


def _matrix(folder: Path | None) -> Matrix:
    from attending.server.controls.matrix import FOLDER, load_matrix
    from attending.server.shipped import package_policies

    return load_matrix(folder or package_policies() / FOLDER)


def _of_bundle(path: Path, keys: tuple[str, ...], folder: Path | None, *, as_json: bool) -> int:
    from attending.ledger.verify.report import Status
    from attending.server.controls.bundle import evaluate_bundle

    matrix, report = _matrix(folder), _verified(path, keys)
    if report.verdict is Status.FAILED:
        first = report.failures[0]
        raise CommandError(
            f"the bundle does not verify: {first.check}: {first.detail}",
            "`attending verify` says everything; nothing was evaluated",
        )
    code = _show((one.to_json() for one in evaluate_bundle(matrix, path, report)), as_json=as_json)
    if not keys:
        click.echo(
            "no key was given: the entries may be anybody's; next: give the log's key with --key", err=True
        )
        return code or Exit.INDETERMINATE
    return code


def _verified(path: Path, keys: tuple[str, ...]) -> Report:
    from attending.ledger.verify.bundle import Anchors, verify_bundle

    return verify_bundle(path, Anchors(keys=tuple(map(verifier_key, keys))))


def _of_server(
    connection: Connection, from_time: str | None, to_time: str | None
) -> Iterable[Mapping[str, Any]]:
    from attending.client import ReportClient
    from attending.server.cli.export import moment
    from attending.v1 import report_pb2

    period = report_pb2.EvaluateControlsRequest()
    for field, text in (("from", from_time), ("to", to_time)):
        if text is not None:
            getattr(period, field).FromDatetime(moment(text, field))
    with ReportClient(connection) as client:
        for one in client.evaluate_controls(period):
            yield {
                "id": one.control_id,
                "reference": one.reference,
                "requirement": one.requirement,
                "status": word(report_pb2.ControlStatus, one.status).replace(" ", "_"),
                "as_of": one.as_of,
                "wording": "from_memory" if one.wording_from_memory else "looked_up",
                "result": word(report_pb2.ControlResult, one.result).replace(" ", "_"),
                "met": one.met,
                "failed": one.failed,
                "undecided": one.undecided,
                "evidence": list(one.evidence),
                "failures": list(one.failures),
                "undecided_at": list(one.undecided_at),
                "checks": dict.fromkeys(one.checks, "not_run"),
                "note": one.note,
                "limits": one.limits,
            }


def _show(found: Iterable[Mapping[str, Any]], *, as_json: bool) -> int:
    from attending.server.controls.evaluation import WORDS, Result

    counted: dict[str, int] = {}
    for one in found:
        counted[one["result"]] = counted.get(one["result"], 0) + 1
        if as_json:
            click.echo(json.dumps(one))
        else:
            click.echo(_line(one, WORDS[Result(one["result"])]))
    if not as_json:
        click.echo(", ".join(f"{counted[one]} {WORDS[one]}" for one in Result if one in counted))
    return Exit.FAILED if counted.get(Result.FAILED) else Exit.OK


def _line(one: Mapping[str, Any], words: str) -> str:
    counts = f"  {one['met']} for, {one['failed']} against, {one['undecided']} open"
    said = f"{one['id']:<30} {words}"
    if one["met"] or one["failed"] or one["undecided"]:
        said += counts
    if one["failures"]:
        said += f"; entries {', '.join(map(str, one['failures']))}"
    if one["undecided_at"]:
        said += f"; undecided: entries {', '.join(map(str, one['undecided_at']))}"
    undone = [
        f"{name} {status.replace('_', ' ')}" for name, status in one["checks"].items() if status != "passed"
    ]
    return f"{said}; {', '.join(undone)}" if undone else said


command = controls
