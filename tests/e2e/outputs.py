"""Every way by which something leaves a server, and the test that looks for the canary there.

This is the one list. A new output (a port, a page, a service, a connection to a collector of metrics or traces, a file,
a stream) is seen by `observed` and fails `test_every_output_that_exists_is_searched` until it stands here with its
search.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil
from attending.server.auth.actions import ACTIONS, PAGES, PUBLIC_PREFIXES

from tests.e2e.configured_server import ConfiguredServer
from tests.e2e.lying_provider import LyingProvider

_ANSWERS: Final = "test_canary.py::test_no_refusal_quotes_anything"
_EXPORT: Final = "test_canary.py::test_an_export_holds_it_only_where_disclosure_was_asked_for"
_HTTP: Final = "test_canary_process.py::test_over_http_nobody_is_quoted"
_FILES: Final = "test_canary_process.py::test_files_are_written_where_they_belong_and_nowhere_else"
_LOG: Final = "test_canary_process.py::test_the_debug_log_and_both_streams_hold_none_of_it"
_PUBLIC: Final = "test_public_methods.py::test_a_running_server_has_no_service_that_nothing_guards"

OUTPUTS: Final[dict[str, str]] = {
    # What it listens on, and what is answered there.
    "listens: token_port": _ANSWERS,
    "listens: http_port": _HTTP,
    **{
        f"service: attending.v1.{name}": _ANSWERS
        for name in (
            "AdminService",
            "BreakGlassService",
            "CustodyService",
            "EmergencyService",
            "ExaminationService",
            "FhirService",
            "IdentityService",
            "InferenceService",
            "KeyService",
            "KnowledgeService",
            "LedgerService",
            "NoticeService",
            "OversightService",
            "PasskeyService",
            "PolicyService",
            "SimulationService",
            "PromptService",
            "RecallService",
            "ReviewService",
        )
    },
    "service: attending.v1.ReportService": _EXPORT,
    "service: grpc.health.v1.Health": _PUBLIC,
    "service: grpc.reflection.v1alpha.ServerReflection": _PUBLIC,
    "page: /{path:path}": _HTTP,
    # What it connects to: the model, which is meant to be given text without personal data.
    "connects: provider": "test_canary.py::test_what_a_remote_model_is_sent_names_nobody",
    # What it writes.
    "stream: stdout": _LOG,
    "stream: stderr": _LOG,
    "file: ledger/ledger.db": _FILES,
    "file: ledger/ledger.db-shm": _FILES,
    "file: ledger/ledger.db-wal": _FILES,
    "file: ledger/lock": _FILES,
    "file: keys": _FILES,
    "file: published": _FILES,
}

OF_THE_TEST: Final = frozenset(
    {
        "attending.toml",
        "replay.jsonl",
        "api.key",
        "notices.secret",
        "ca.pem",
        "server.pem",
        "server.key",
        "server.log",
        "policies",
    }
)
"""What a test put into the server's folder, its standard error among it."""


def observed(server: ConfiguredServer, provider: LyingProvider, processes: list[int]) -> set[str]:
    """The outputs of a running server, as its processes, its folder and its tables show them."""
    found = set(sockets(server, provider, processes)) | set(_streams(server)) | set(_files(server.folder))
    found |= {f"service: {method.split('/')[1]}" for method in ACTIONS}
    found |= {f"service: {prefix.strip('/')}" for prefix in PUBLIC_PREFIXES}
    return found | {f"page: {path}" for path in PAGES}


def sockets(server: ConfiguredServer, provider: LyingProvider, processes: list[int]) -> Iterator[str]:
    ports = {
        server.where[name]: name for name in ("port", "token_port", "http_port") if server.where.get(name)
    }
    for pid in processes:
        for one in psutil.Process(pid).net_connections("inet"):
            if one.status == psutil.CONN_LISTEN:
                yield f"listens: {ports.get(one.laddr.port, one.laddr.port)}"
            elif not one.laddr or one.laddr.port not in ports:
                # None of a client of ours: it went out from here, or is no connection at all (UDP).
                other = one.raddr.port if one.raddr else "nobody yet"
                yield f"connects: {'provider' if other == provider.port else other}"


def _streams(server: ConfiguredServer) -> Iterator[str]:
    """Descriptors to write to that are neither sockets nor files of the folder."""
    own = {
        os.readlink(f"/proc/{server.pid}/fd/{number}"): name
        for number, name in ((1, "stdout"), (2, "stderr"))
    }
    for name in own.values():
        yield f"stream: {name}"
    for link in Path(f"/proc/{server.pid}/fd").iterdir():
        with suppress(OSError):
            target = os.readlink(link)
            inside = target.startswith(str(server.folder)) or target.removesuffix(" (deleted)") == "/dev/null"
            if target.startswith("/") and not inside and target not in own:
                written = (link.parents[1] / "fdinfo" / link.name).read_text()
                flags = re.search(r"flags:\s*(\d+)", written)
                assert flags is not None
                if int(flags[1], 8) & (os.O_WRONLY | os.O_RDWR):
                    yield f"stream: {target}"


def _files(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if path.is_file() and parts[0] not in OF_THE_TEST:
            yield f"file: {parts[0] if parts[0] in ('keys', 'published') else '/'.join(parts)}"
