"""Writing an export to a file, whole or not at all; a call that is cut goes on where it stopped, with the same bytes.

Beside the file that is being written lies the order, so that another run of the command can go on with it: the server
makes the same file again for the same order, and says its hash before its bytes.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path
from typing import Final

import click
import grpc
from attending.client import Client
from attending.client.errors import translate
from attending.server.cli.outcome import CommandError
from attending.v1 import report_pb2
from google.protobuf import json_format

RESUMED: Final = 5
"""Times that one run goes on by itself after a cut."""
WAIT_SECONDS: Final = 2.0
_CUT: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN})


def download(client: Client, request: report_pb2.ExportRequest, out_path: Path) -> int:
    """Writes what `request` asks for and returns the number of its entries. What a cut leaves stays beside
    `out_path`, for `resumed_order`; of a refusal nothing stays. Raises AttendingApiError, CommandError, OSError.
    """
    partial, order = partial_of(out_path), order_of(out_path)
    written = json_format.MessageToJson(request)
    if not order.exists() or order.read_text(encoding="utf-8") != written:
        partial.unlink(missing_ok=True)
        _private(order, os.O_TRUNC).write_text(written, encoding="utf-8")
    for attempt in range(RESUMED + 1):
        try:
            entries = _attempt(client, request, partial)
        except grpc.RpcError as err:
            cause = translate(err)
            if cause.code not in _CUT or not partial.stat().st_size:
                _forget(out_path)
                raise cause from None
            if attempt == RESUMED:
                raise CommandError(
                    f"the download was cut ({cause.reason})",
                    f"go on with `attending export --out {out_path} --resume`",
                ) from None
            time.sleep(WAIT_SECONDS)
        else:
            partial.replace(out_path)
            order.unlink(missing_ok=True)
            return entries
    raise AssertionError("the last attempt returns or raises")


def resumed_order(out_path: Path) -> report_pb2.ExportRequest:
    """The order of a download to `out_path` that was cut. Raises CommandError where there is none."""
    order = order_of(out_path)
    try:
        return json_format.Parse(order.read_text(encoding="utf-8"), report_pb2.ExportRequest())
    except (OSError, UnicodeDecodeError, json_format.ParseError):
        raise CommandError(f"`{order}` holds no order to go on with", "ask anew, without --resume") from None


def partial_of(out_path: Path) -> Path:
    return out_path.with_name(out_path.name + ".partial")


def order_of(out_path: Path) -> Path:
    return out_path.with_name(out_path.name + ".order")


def _private(path: Path, flags: int = 0) -> Path:
    """The file, there for its owner alone: it may hold personal content, and its order names a person."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o600))
    return path


def _forget(out_path: Path) -> None:
    partial_of(out_path).unlink(missing_ok=True)
    order_of(out_path).unlink(missing_ok=True)


def _attempt(client: Client, request: report_pb2.ExportRequest, partial: Path) -> int:
    entries, promised = 0, report_pb2.ExportResponse.File()
    asked = report_pb2.ExportRequest()
    asked.CopyFrom(request)
    asked.resume_from = partial.stat().st_size if partial.exists() else 0
    with _private(partial).open("ab") as file:
        for event in client.reports.Export(asked):
            match event.WhichOneof("event"):
                case "progress":
                    entries = event.progress.entries
                    _tell(f"{entries} of {event.progress.total} entries")
                case "file":
                    promised = event.file
                    _tell(f"{file.tell()} of {promised.size_bytes} bytes")
                case "chunk":
                    file.write(event.chunk)
    if sys.stderr.isatty():
        click.echo("", err=True)
    with partial.open("rb") as written:
        digest = hashlib.file_digest(written, "sha256").digest()
    if digest != promised.sha256:
        # The key was rotated, or content erased, since the part that is here was given.
        partial.unlink()
        order_of(partial.with_suffix("")).unlink(missing_ok=True)
        raise CommandError("what was downloaded before is not of the file as it is now", "export it anew")
    return entries


def _tell(how_far: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{how_far}", nl=False, err=True)
