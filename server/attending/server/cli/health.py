"""`attending health`: whether a server answers and has all that a call needs."""

from __future__ import annotations

import json
from typing import Any

import click
import grpc
from attending.client import Connection
from attending.client.errors import translate
from attending.server.cli.connect import connection_options
from attending.server.cli.examples import examples
from attending.server.cli.outcome import CommandError, Exit
from grpc_health.v1 import health_pb2, health_pb2_grpc


@click.command(
    epilog=examples(
        "attending health --data attending-data",
        "attending health --server gate.example:50052 --ca ca.pem",
    )
)
@click.option(
    "--service",
    default="",
    help="One service, such as attending.v1.InferenceService; the whole server if not.",
)
@click.option(
    "--timeout",
    "timeout_seconds",
    type=click.FloatRange(0, 600, min_open=True),
    default=5.0,
    show_default=True,
    help="Seconds to wait for the answer.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@connection_options("demo-operator", anonymous=True)
def health(service: str, timeout_seconds: float, as_json: bool, connection: Connection) -> int:
    """Ask a server whether it serves, over TLS; needs no credential on the port for bearer tokens.

    Exit code 0 when it serves, 1 when it does not (starting, draining, ledger halted) or does not answer.
    """
    request = health_pb2.HealthCheckRequest(service=service)
    with connection.channel() as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)  # its type stub knows no methods
        try:
            answer = stub.Check(request, timeout=timeout_seconds)
        except grpc.RpcError as err:
            if isinstance(err, grpc.Call) and err.code() is grpc.StatusCode.NOT_FOUND:
                raise CommandError(
                    f"the server has no service `{service}`", "leave --service out", Exit.USAGE
                ) from None
            raise translate(err) from None
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status).lower()
    if as_json:
        click.echo(json.dumps({"status": status, "target": connection.target}))
    else:
        click.echo(f"{connection.target}: {status.replace('_', ' ')}")
    return Exit.OK if answer.status == health_pb2.HealthCheckResponse.SERVING else Exit.FAILED


command = health
