"""`attending validation`: what the software promises, and a signed pack of the tests that prove it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attending.server.cli.examples import examples
from attending.server.cli.outcome import CommandError, Exit
from attending.server.cli.validation_record import install, record

if TYPE_CHECKING:
    from attending.ledger.note import SignerKey
    from attending.server.validation.requirements import Requirements

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object.")


@click.group(
    epilog=examples(
        "attending validation list",
        "attending verify 0.1.0.validation --key release.vkey",
        "attending validation record 0.1.0.validation --key release.vkey",
    )
)
def validation() -> None:
    """What the software promises, the tests that prove it, and a signed pack of a run."""


@validation.command(
    "list",
    short_help="List the requirements.",
    epilog=examples("attending validation list", "attending validation list --json"),
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_requirements(as_json: bool) -> None:
    """List every requirement: id, statement, where it comes from, and the tests that prove it."""
    for one in _requirements().each:
        if as_json:
            click.echo(json.dumps(one.to_json()))
            continue
        click.echo(f"{one.id}  {one.statement}")
        sources = [*one.checks, *one.controls, *(f"hazards of {name}" for name in one.hazards)]
        click.echo(f"    from {', '.join((*sources, *(f'docs/{page}' for page in one.docs)))}")
        for test in one.tests:
            click.echo(f"    {test}")


@validation.command(
    short_help="Make a signed pack of a run of the tests.",
    epilog=examples(
        "attending validation pack --junit build/tests.xml --sbom build/sbom.cdx.json --key release.pem"
        " --signer validation.example --out 0.1.0.validation",
        after="`make validation-pack` runs the tests and this; `attending keys signing` makes a key. Exit code 1 when "
        "a requirement failed; the pack is written all the same, and says so.",
    ),
)
@click.option(
    "--junit",
    "results",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    multiple=True,
    help="Results of a run, as `pytest --junitxml` writes them; may be repeated.",
)
@click.option(
    "--sbom",
    "bill",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="Bill of materials, as `make sbom` writes it.",
)
@click.option(
    "--key",
    "key_path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="Your signing key (PEM, Ed25519); it stays on this machine.",
)
@click.option("--signer", required=True, help="Name of your key, such as validation.example; no space, no +.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    show_default=True,
    help="Checkout in which the tests ran.",
)
@click.option(
    "--out", "out_path", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write."
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@json_option
def pack(
    results: tuple[Path, ...],
    bill: Path,
    key_path: Path,
    signer: str,
    root: Path,
    out_path: Path,
    force: bool,
    as_json: bool,
) -> int:
    """Write what a run of the tests proves, signed: requirements, results, environment, bill of materials."""
    from attending.server import clock
    from attending.server.validation import ValidationFileError
    from attending.server.validation.pack import write_pack
    from attending.server.version import version

    if out_path.exists() and not force:
        raise click.UsageError(f"`{out_path}` exists; give --force to replace it")
    key = _signer(key_path, signer)
    try:
        made = write_pack(
            out_path,
            requirements=_requirements(),
            results=results,
            bill=bill,
            root=root,
            release=version(),
            signer=key,
            now=clock.now(),
        )
    except ValidationFileError as err:
        raise CommandError(str(err), "give what `make validation-pack` makes; nothing was written") from err
    said = made.pack
    if as_json:
        found: dict[str, Any] = {
            "file": str(out_path),
            "sha256": made.sha256,
            "release": said.release,
            "commit": said.commit,
            "requirements": said.counts,
            "tests": dict(said.tests),
            "verifier_key": str(key.verifier),
        }
        click.echo(json.dumps(found))
    else:
        click.echo(
            f"{out_path}: {_words(said.counts)} of {len(said.outcomes)} requirements; {_words(said.tests)} tests"
        )
        for name, outcome in said.outcomes.items():
            if outcome != "proved":
                click.echo(f"  {outcome.replace('_', ' ')}: {name}")
        click.echo(f"release {said.release}, commit {said.commit or 'not known'}")
        click.echo(f"verify it with --key '{key.verifier}'")
    return Exit.FAILED if said.counts["failed"] else Exit.OK


def _words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())


def _requirements() -> Requirements:
    from attending.server.shipped import package_policies
    from attending.server.validation.requirements import load_requirements

    return load_requirements(package_policies())


def _signer(path: Path, name: str) -> SignerKey:
    from attending.ledger.errors import VerificationError
    from attending.ledger.note import SignerKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise CommandError(
            f"`{path}` holds no Ed25519 key without a passphrase",
            "make one with `attending keys signing`",
            Exit.USAGE,
        )
    try:
        return SignerKey(name, key)
    except VerificationError as err:
        raise click.UsageError(f"--signer: {err.detail}") from err


validation.add_command(record)
validation.add_command(install)
command = validation
