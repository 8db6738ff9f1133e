"""`attending validation record` and `install`: a pack, and what a site found when it installed, put on record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attending.client import Client, Connection, Event
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.outcome import CommandError, Exit
from attending.server.cli.verifier_key import verifier_key

if TYPE_CHECKING:
    from attending.ledger.verify.validation import Pack

OPERATOR = "demo-operator"
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object.")


@click.command(
    short_help="Put a validation pack on record.",
    epilog=examples(
        "attending validation record 0.1.0.validation --key release.vkey",
        after="Exit codes: 1 the pack does not verify, and nothing is recorded; 3 no key of its signer was given.",
    ),
)
@click.argument("pack_path", metavar="PACK", type=_FILE)
@click.option(
    "--key",
    "keys",
    multiple=True,
    required=True,
    metavar="VKEY",
    help="Verifier key of its signer, from elsewhere.",
)
@_json_option
@connection_options(OPERATOR)
def record(pack_path: Path, keys: tuple[str, ...], as_json: bool, connection: Connection) -> None:
    """Verify PACK under the key of its signer, and record what it says of each requirement. Keep the file: the entry
    names it by its hash. The same pack again records nothing twice.
    """
    from attending.server.validation.record import recorded_body

    pack, files, key_id = _verified(pack_path, keys)
    digest = _sha256(pack_path.read_bytes())
    body = recorded_body(pack, files, digest, key_id)
    index = _append(connection, f"validation-{digest[:40]}", Event("validation.recorded", body))
    if as_json:
        click.echo(json.dumps({"entry": index, **body}))
        return
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in pack.counts.items())
    click.echo(f"release {pack.release}: {counts} of {len(pack.outcomes)} requirements")
    click.echo(f"on record: entry {index}")


@click.command(
    short_help="Put an installation on record.",
    epilog=examples(
        "attending validation install --doctor doctor.json --verified verified.json --pack 0.1.0.validation"
        " --key release.vkey",
        after="Run it where the server is installed, after `attending doctor --json > doctor.json`, `attending export"
        " --out log.attending` and `attending verify log.attending --key log.vkey --json > verified.json`. Exit codes, "
        "all on record: 1 something is not in order, 3 something could not be judged.",
    ),
)
@click.option(
    "--doctor", "doctor_path", type=_FILE, required=True, help="What `attending doctor --json` printed."
)
@click.option(
    "--verified",
    "verified_path",
    type=_FILE,
    help="What `attending verify --json` printed of an export of this log; left out, the log is not verified.",
)
@click.option(
    "--pack",
    "pack_path",
    type=_FILE,
    help="Validation pack of the release; left out, packages are not compared.",
)
@click.option("--key", "keys", multiple=True, metavar="VKEY", help="Verifier key of the pack's signer.")
@_json_option
@connection_options(OPERATOR)
def install(
    doctor_path: Path,
    verified_path: Path | None,
    pack_path: Path | None,
    keys: tuple[str, ...],
    as_json: bool,
    connection: Connection,
) -> int:
    """Record what is installed here: the release, the checks of the doctor, the packages against those of the pack, and
    whether the log verifies.
    """
    from attending.server.validation import ValidationFileError
    from attending.server.validation.record import installed_body, outcome_of

    bill, digest = None, None
    if pack_path is not None:
        _pack, files, _key_id = _verified(pack_path, keys)
        bill, digest = files["sbom.cdx.json"], _sha256(pack_path.read_bytes())
    doctor = doctor_path.read_bytes()
    verified = None if verified_path is None else verified_path.read_bytes()
    with Client(connection) as client:
        from attending.v1 import ledger_pb2

        head = client.ledger.GetCheckpoint(ledger_pb2.GetCheckpointRequest()).checkpoint
    try:
        body = installed_body(doctor, verified, head, bill, digest)
    except ValidationFileError as err:
        raise CommandError(
            str(err), "make it again as the help says; nothing was recorded", Exit.USAGE
        ) from err
    emitter = f"installation-{_sha256(doctor + (verified or b'') + (digest or '').encode())[:40]}"
    index = _append(connection, emitter, Event("validation.installed", body, payloads={"report": doctor}))
    code = outcome_of(body)
    if as_json:
        click.echo(json.dumps({"entry": index, **body}))
        return code
    click.echo(f"release {body['release']}: {_words(body)}")
    for name in (*body.get("findings", ()), *(f"package {one}" for one in body.get("differ", ()))):
        click.echo(f"  {name}")
    click.echo(f"on record: entry {index}")
    return code


def _words(body: Mapping[str, Any]) -> str:
    said = [f"{body['checks']} findings of the doctor"]
    said += [f"{body[name]} {name}" for name in ("red", "unknown", "warnings")]
    said.append(f"{body['packages_other']} of {body['packages']} packages other than in the pack")
    said.append(f"log {body['log'].replace('_', ' ')}")
    return ", ".join(said)


def _verified(path: Path, keys: tuple[str, ...]) -> tuple[Pack, dict[str, bytes], str]:
    """The pack, its files, and the id of the key that signed it."""
    from attending.ledger.verify.report import Status
    from attending.ledger.verify.validation import read_pack, verify_validation

    known = [verifier_key(one) for one in keys]
    report = verify_validation(path, known)
    if report.verdict is not Status.PASSED:
        wrong = next((one.detail for one in report.results if one.status is not Status.PASSED), "")
        code = Exit.FAILED if report.verdict is Status.FAILED else Exit.INDETERMINATE
        raise CommandError(
            f"`{path}` does not verify: {wrong}",
            "`attending verify` shows all of it; nothing was recorded",
            code,
        )
    pack, files = read_pack(path)
    # Where two keys of that name are known and both signed, either stands for it.
    signed = next(key for key in known if key.name == pack.signer and _signs(path, key))
    return pack, files, signed.key_id.hex()


def _signs(path: Path, key: Any) -> bool:
    from attending.ledger.verify.report import Status
    from attending.ledger.verify.validation import verify_validation

    return verify_validation(path, [key]).verdict is Status.PASSED


def _append(connection: Connection, emitter: str, event: Event) -> int:
    """The index of the event's entry, with its emitter closed: there is no other event of it."""
    from attending.client import Acknowledged

    found: list[Acknowledged] = []
    with Client(connection) as client:
        stream = client.event_stream(emitter, on_acknowledged=found.append)
        try:
            stream.append(event)
            stream.close()
        finally:
            stream.stop()
    return found[0].index


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
