"""`attending policy new`: a new policy's folder."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import click
from attending.server.cli.examples import examples
from attending.server.cli.outcome import CommandError, Exit
from attending.server.cli.policy.folders import json_option


@click.command(
    "new",
    short_help="Write a new policy's folder, as a draft.",
    epilog=examples(
        "attending policy new referral-letter --title 'Referral letters' --audience clinician --policies policies",
        "attending policy new referral-letter --title 'Referral letters' --audience clinician --json",
    ),
)
@click.argument("name")
@click.option("--title", required=True, help="What its owner calls it.")
@click.option(
    "--audience",
    type=click.Choice(["patient", "clinician"]),
    required=True,
    help="Who reads its texts; a patient is the stricter.",
)
@click.option(
    "--policies",
    "policies_path",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("policies"),
    show_default=True,
    help="Folder of policies that receives it.",
)
@json_option
def command(name: str, title: str, audience: str, policies_path: Path, as_json: bool) -> None:
    """Write policy.yaml, rails, cases, README and hazard log of a policy NAME that holds everything until you say less.

    It is a draft: no server serves it until `registry.status` is active and two people have activated it.
    """
    from attending.guardrails.policy.schema import Audience
    from attending.guardrails.policy.template import write_new

    try:
        home = write_new(policies_path, name, title, cast(Audience, audience), datetime.now(UTC).date())
    except ValueError as err:
        raise CommandError(str(err), "give another name or title", Exit.USAGE) from err
    except FileExistsError as err:
        raise CommandError(
            f"`{policies_path / name}` is there already", "give another name, or edit it", Exit.USAGE
        ) from err
    except OSError as err:
        raise CommandError(
            f"`{policies_path / name}` cannot be written ({type(err).__name__})", "see to the folder's rights"
        ) from err
    files = ("policy.yaml", "rails/config.yml", "cases.jsonl", "README.md", "hazards.tsv")
    if as_json:
        click.echo(json.dumps({"policy": name, "folder": str(home), "files": files}, ensure_ascii=False))
        return
    click.echo(f"wrote {home}: {', '.join(files)}")
    click.echo(f"next: fill in each TODO, then `attending policy lint {name} --policies {policies_path}`")
