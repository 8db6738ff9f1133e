"""kill -9 of a server that sends notices: every held text is told of after all, under one id each."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from attending.client import AttendingApiError, Client, NoticeClient
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit

from tests.e2e.calls import TIMEOUT, infer_request
from tests.e2e.configured_server import ConfiguredServer
from tests.e2e.conftest import REPLAYED
from tests.e2e.lying_provider import LyingProvider
from tests.e2e.server_process import ended
from tests.matrix.making import TARGET

pytestmark = [pytest.mark.kill, pytest.mark.timeout(300)]

ROUNDS = 3
A_ROUND = 6


class Pager:
    """A receiver that takes what it is told of, or while `down` nothing."""

    def __init__(self) -> None:
        self.down = False
        self.taken: list[tuple[str, str]] = []
        pager = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status = 503 if pager.down else 204
                if not pager.down:
                    pager.taken.append((self.headers["webhook-id"], body["data"].get("ticket", "")))
                with suppress(OSError):  # a killed server reads no answer
                    self.send_response(status)
                    self.end_headers()

            def log_message(self, *_args: object) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def pager() -> Iterator[Pager]:
    made = Pager()
    yield made
    made.close()


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not done():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.05)


def test_no_kill_loses_a_notice(
    tmp_path: Path, lying_provider: LyingProvider, pager: Pager, ends: ExitStack
) -> None:
    hospital = ConfiguredServer(tmp_path / "hospital", REPLAYED, lying_provider.url)
    hospital.prepare()
    with (hospital.folder / "attending.toml").open("a") as file:
        file.write(
            f'\n[[notices.webhook]]\nname = "night"\nurl = "{pager.url}"\nallow_private = true\n'
            'secret_file = "notices.secret"\nevents = ["item.held"]\n'
        )
    ends.enter_context(ended(hospital))
    hospital.start()
    with NoticeClient(hospital.connection("north", "operator")) as operator:
        # From when its place is on record, it is told of everything.
        until(lambda: any(one.name == "night" and one.through for one in operator.notices().targets))
    held: set[str] = set()
    for number in range(ROUNDS):
        # In the middle round nothing is taken before the kill.
        pager.down = number == 1
        with Client(hospital.connection("north", "app")) as app:
            for _ in range(A_ROUND):
                with suppress(AttendingApiError):
                    request = infer_request(policy="patient-message", model="dose")
                    result = app.inference.Infer(request, timeout=TIMEOUT).result
                    held.add(result.ticket.ticket_id)
        hospital.kill()
        hospital.start()
    pager.down = False
    assert len(held) == ROUNDS * A_ROUND
    until(lambda: held <= {ticket for _id, ticket in pager.taken})
    assert len(set(pager.taken)) == len({ticket for _id, ticket in pager.taken}), "one id for each"
    with NoticeClient(hospital.connection("north", "operator")) as operator:
        until(
            lambda: any(
                one.name == "night" and one.delivered == len(held) and not one.waiting
                for one in operator.notices().targets
            )
        )
        assert not [dead for dead in operator.notices().dead if dead.target == "night"]
    assert hospital.stop() == 0


def test_the_command_line_shows_tests_and_retries(
    hospital: ConfiguredServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = tmp_path / "token"
    token.write_text(hospital.tokens[hospital.name("south", "operator")])
    token.chmod(0o600)

    def invoke(*arguments: str) -> tuple[int, str, str]:
        where = (
            "--server",
            f"localhost:{hospital.where['token_port']}",
            "--ca",
            str(hospital.folder / "ca.pem"),
        )
        status = run(["notices", *arguments, *where, "--token-file", str(token)])
        return status, *capsys.readouterr()

    # Its receiver is gone for good.
    status, _out, err = invoke("test", TARGET, "--wait", "60")
    assert (status, "did not take it" in err) == (Exit.FAILED, True)
    status, out, _err = invoke("list")
    assert status == Exit.OK
    assert f"for {TARGET}, test of entry" in out
    assert "STATUS_410" in out
    status, out, _err = invoke("list", "--json")
    newest = json.loads(out)["dead"][0]["notice_id"]
    with NoticeClient(hospital.connection("south", "operator")) as operator:
        given_up = operator.notices(TARGET).targets[0].dead
        status, out, _err = invoke("retry", TARGET, "--notice", newest)
        assert (status, out) == (Exit.OK, f"{newest} will be sent again to {TARGET}\n")
        # Given up once more, under the id that it had.
        until(lambda: operator.notices(TARGET).targets[0].dead == given_up + 1)
        assert newest in [one.notice_id for one in operator.notices(TARGET).dead]
    status, _out, err = invoke("test", "nobody")
    assert (status, "UNKNOWN_TARGET" in err or "attending notices list" in err) == (Exit.FAILED, True)
    assert invoke("retry", TARGET)[0] == Exit.USAGE
