"""`attending dev`: an embedded server, and a client to paste."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from attending.server.cli.examples import examples

if TYPE_CHECKING:
    from attending.server.bootstrap.run import Ready

SNIPPET = """from attending.client import Client

client = Client({target!r}, token={token!r}, ca_path={ca!r}, log_key={log_key!r})
prompt = "Write a two-sentence letter to confirm an appointment on Monday at 10:00 in room 4."
model = {{"provider": "embedded", "model": "smollm2-135m-instruct", "tags": {{"team": "try", "feature": "letters"}}}}
result = client.infer("administrative-letter", prompt, **model)
print(result.state, "-", result.output or result.next_step or result.ticket.safe_text)
print("entry", result.message.receipts[-1].index, "receipt verified:", result.verified)
"""


@click.command(epilog=examples("attending dev", "attending dev --data /tmp/try --port 0"))
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="ATTENDING_DATA",
    help="Data folder; ./attending-data when left out.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port for client certificates; 0 takes a free one."
)
@click.option("--as", "identity", default="demo-app", show_default=True, help="Demo identity of the token.")
@click.option("--workers", type=click.IntRange(1, 256), help="Check processes; one a CPU core when left out.")
def dev(data: Path | None, port: int | None, identity: str, workers: int | None) -> int:
    """Run an embedded server and print URL, token and an eight-line client that works when pasted."""
    from attending.server.bootstrap.identities import DEMO_IDENTITIES
    from attending.server.process import confined

    if identity not in {demo.name for demo in DEMO_IDENTITIES}:
        raise click.UsageError(f"there is no demo identity `{identity}`")

    def ready(at: Ready) -> None:
        person = at.endpoint["identities"][identity]
        token = (at.folder / person["token"]).read_text(encoding="ascii").strip()
        colour = sys.stdout.isatty()
        click.echo(f"URL    {at.endpoint['token_target']}")
        click.echo(f"token  {token}")
        click.echo(click.style(f"{at.notice}\n", fg="yellow"), color=colour)
        click.echo(snippet(at, identity))
        sys.stdout.flush()

    with confined():
        from attending.server.bootstrap.run import run_embedded

        return run_embedded(data, port=port, workers=workers, on_ready=ready)


def snippet(at: Ready, identity: str) -> str:
    """The client for one identity of a running embedded server (`bootstrap.run.Ready`)."""
    person = at.endpoint["identities"][identity]
    return SNIPPET.format(
        target=at.endpoint["token_target"],
        token=(at.folder / person["token"]).read_text(encoding="ascii").strip(),
        ca=str(at.folder / at.endpoint["ca"]),
        log_key=at.endpoint["log_keys"][person["tenant"]],
    )


command = dev
