"""Two server processes, a console each, one address: who is sent to the wrong one is told, and loses nothing."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import pytest
from attending.ledger.store import postgres_admin
from attending.server import projections

from tests.e2e.configured_server import ConfiguredServer
from tests.e2e.conftest import REPLAYED
from tests.e2e.lying_provider import LyingProvider
from tests.e2e.server_process import ended
from tests.postgres_cluster import Cluster
from tests.server.console.ehr import CLIENT, Ehr, running

pytestmark = [pytest.mark.kill, pytest.mark.xdist_group("several"), pytest.mark.timeout(300)]

DATABASE = "attending"
HOST = "localhost:18443"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@dataclass
class Consoles:
    a: ConfiguredServer
    b: ConfiguredServer

    def ask(self, server: ConfiguredServer, path: str, cookies: str = "", **headers: str) -> httpx.Response:
        """What that process answers, as a proxy in front of both asks it."""
        sent = {"Host": HOST, "Cookie": cookies, "Sec-Fetch-Dest": "document", **headers}
        return httpx.get(f"http://127.0.0.1:{server.console_port}{path}", headers=sent, timeout=30)

    def sign_in(self, server: ConfiguredServer) -> str:
        """Signs in at that process; the session's cookie."""
        away = self.ask(server, "/smart/begin/ward")
        state = away.headers["set-cookie"].partition(";")[0]
        back = httpx.get(away.headers["location"]).headers["location"].removeprefix(f"http://{HOST}")
        done = self.ask(server, back, state)
        assert done.status_code == 303, done.text
        [cookie] = [one for one in done.headers.get_list("set-cookie") if one.startswith("attending=")]
        return cookie.partition(";")[0]


@pytest.fixture(scope="module")
def consoles(tmp_path_factory: pytest.TempPathFactory, lying_provider: LyingProvider) -> Iterator[Consoles]:
    cluster = Cluster()
    with ExitStack() as stack:
        stack.callback(cluster.destroy)
        cluster.start()
        cluster.execute("CREATE ROLE app LOGIN", f"CREATE DATABASE {DATABASE}")
        postgres_admin.prepare(cluster.conninfo(DATABASE), [projections.metadata], grant_to=["app"])
        ehr = stack.enter_context(running(Ehr(user="u-osei")))
        a = ConfiguredServer(
            tmp_path_factory.mktemp("consoles") / "shared",
            REPLAYED,
            lying_provider.url,
            storage=(f'database = "{cluster.conninfo(DATABASE, "app")}"', "owner_lease_seconds = 2.0"),
            process="a",
            console_port=free_port(),
        )
        a.prepare()
        with (a.folder / "attending.toml").open("a") as file:
            file.write(
                f'\n[[oidc]]\nname = "idp"\nissuer = "{ehr.url}"\naudience = "attending-api"\n'
                '[[identities]]\nname = "osei"\ntenant = "north"\nkind = "human"\nroles = ["clinician"]\n'
                'oidc = [{ issuer = "idp", subject = "u-osei" }]\n'
                f'[console]\ntls = false\norigin = "http://{HOST}"\n'
                f'[[console.smart]]\nname = "ward"\nfhir_base = "{ehr.fhir}"\nprovider = "idp"\n'
                f'tenant = "north"\nclient_id = "{CLIENT}"\nallow_private = true\n'
            )
        b = a.twin("b")
        b.console_port = free_port()
        stack.enter_context(ended(a, b))
        a.start()
        b.start()
        yield Consoles(a, b)
        assert [server.stop() for server in (a, b) if server.running] in ([0], [0, 0])


def test_who_comes_to_the_wrong_process_is_told_and_stays_signed_in(consoles: Consoles) -> None:
    cookie = consoles.sign_in(consoles.a)
    for _ in range(2):
        assert consoles.ask(consoles.a, "/", cookie).status_code == 200
        stray = consoles.ask(consoles.b, "/", cookie, Accept="application/json")
        assert (stray.status_code, stray.json()["reason"]) == (503, "SESSION_ELSEWHERE")
        assert "set-cookie" not in stray.headers
    page = consoles.ask(consoles.b, "/", cookie, Accept="text/html")
    assert (page.status_code, "another process" in page.text) == (503, True)
    assert consoles.b.log.read_text().count("console.session_elsewhere") == 1
    # One that is nobody's anywhere is sent to sign in.
    for guess in ("attending=guess", re.sub(r"\..*", ".guess", cookie).replace("attending=", "attending=0")):
        assert consoles.ask(consoles.b, "/", guess).headers["location"].startswith("/sign-in")


def test_a_sign_in_that_comes_back_to_the_wrong_process_begins_again(consoles: Consoles) -> None:
    away = consoles.ask(consoles.a, "/smart/begin/ward")
    state = away.headers["set-cookie"].partition(";")[0]
    back = httpx.get(away.headers["location"]).headers["location"].removeprefix(f"http://{HOST}")
    stray = consoles.ask(consoles.b, back, state, Accept="application/json")
    assert (stray.status_code, stray.json()["reason"]) == (409, "CEREMONY_OVER")
    # Nothing was used up: where it began it ends.
    assert consoles.ask(consoles.a, back, state).status_code == 303


def test_when_a_process_dies_its_people_sign_in_at_the_other(consoles: Consoles) -> None:
    cookie = consoles.sign_in(consoles.a)
    consoles.a.kill()
    # While it may yet live they are asked to try again; then they are signed out.
    for _ in range(600):
        answer = consoles.ask(consoles.b, "/", cookie)
        if answer.status_code == 303:
            break
        assert answer.status_code == 503
        time.sleep(0.1)
    assert "ended=1" in answer.headers["location"]
    assert consoles.ask(consoles.b, "/", consoles.sign_in(consoles.b)).status_code == 200
