"""How often one may call: by whom, at what cost, over which door, and from which address credentials are refused."""

from __future__ import annotations

import ssl
from typing import Any

import grpc
import httpx
import pytest
from attending.client.errors import AttendingApiError, translate
from attending.server.auth.actions import ACTIONS
from attending.server.auth.principal import Principal
from attending.server.config import LimitsSection
from attending.server.errors import ResourceExhausted, Unauthenticated
from attending.server.limits.rates import COSTS, HALT, MODEL_COST, Rates, address_of
from attending.server.services.ledger import build as ledger_service
from attending.server.web.component import build as web
from attending.v1 import ledger_pb2, ledger_pb2_grpc

READ = "/attending.v1.LedgerService/GetEntry"
INFER = "/attending.v1.InferenceService/Infer"


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def principal(name: str, tenant: str = "north") -> Principal:
    return Principal(name, tenant, "app", frozenset({"app"}), name, "token")


def refusal(rates: Rates, who: Principal, method: str = READ) -> ResourceExhausted | None:
    try:
        rates.admit(who, method)
    except ResourceExhausted as err:
        return err
    return None


def test_an_identity_is_told_its_limit_and_when_to_come_again() -> None:
    clock = Clock()
    rates = Rates(LimitsSection(caller_rate=2.0, caller_burst=50), now=clock)
    assert [refusal(rates, principal("a")) for _ in range(50)] == [None] * 50
    err = refusal(rates, principal("a"))
    assert err is not None
    assert (err.reason, err.metadata) == ("CALLER_RATE", {"limit": "limits.caller_rate", "value": "2"})
    assert err.retry_after_seconds == pytest.approx(0.5)
    assert refusal(rates, principal("b")) is None
    clock.seconds += 0.5
    assert refusal(rates, principal("a")) is None


def test_many_identities_of_a_tenant_do_not_crowd_out_another_tenant() -> None:
    rates = Rates(LimitsSection(tenant_rate=1.0, tenant_burst=50), now=Clock())
    assert [refusal(rates, principal(f"a{number}")) for number in range(50)] == [None] * 50
    err = refusal(rates, principal("a-new"))
    assert err is not None
    assert err.reason == "TENANT_RATE"
    assert refusal(rates, principal("b", "south")) is None


def test_namesakes_of_two_tenants_share_nothing() -> None:
    rates = Rates(LimitsSection(caller_rate=1.0, caller_burst=50), now=Clock())
    for method in (READ, HALT):
        while refusal(rates, principal("a"), method) is None:
            pass
        assert refusal(rates, principal("a", "south"), method) is None


def test_a_call_that_the_tenant_cannot_afford_costs_its_caller_nothing() -> None:
    clock = Clock()
    rates = Rates(
        LimitsSection(caller_rate=0.001, caller_burst=50, tenant_rate=10.0, tenant_burst=50), now=clock
    )
    for number in range(49):
        assert refusal(rates, principal(f"other{number}")) is None
    for _ in range(100):
        err = refusal(rates, principal("a"), INFER)
        assert err is not None
        assert err.reason == "TENANT_RATE"
    clock.seconds += 10
    assert [refusal(rates, principal("a"), INFER) for _ in range(5)] == [None] * 5


def test_a_model_call_costs_as_much_as_ten_reads() -> None:
    rates = Rates(LimitsSection(caller_rate=1.0, caller_burst=50), now=Clock())
    assert [refusal(rates, principal("a"), INFER) for _ in range(5)] == [None] * 5
    err = refusal(rates, principal("a"), INFER)
    assert err is not None
    assert err.retry_after_seconds == pytest.approx(MODEL_COST)


def test_costs_are_of_methods_that_exist_and_none_is_above_the_least_burst() -> None:
    assert set(COSTS) <= set(ACTIONS)
    assert max(COSTS.values()) <= 50


def test_an_address_that_guesses_waits_before_its_credential_is_looked_at() -> None:
    clock = Clock()
    looked: list[str] = []
    config = LimitsSection(refused_credentials_rate=0.5, refused_credentials_burst=3)
    rates = Rates(config, now=clock)

    def attempt(address: str, *, good: bool = False, token: str = "Bearer x") -> str:
        try:
            with rates.credential(address, [("Authorization", token)]):
                looked.append(address)
                if not good:
                    raise Unauthenticated("INVALID_CREDENTIAL")
        except (Unauthenticated, ResourceExhausted) as err:
            return err.reason
        return "ok"

    assert [attempt("192.0.2.1") for _ in range(4)] == ["INVALID_CREDENTIAL"] * 3 + ["REFUSED_CREDENTIALS"]
    assert len(looked) == 3
    # A good one costs nothing, and another address is another one.
    assert [attempt("192.0.2.3", good=True, token="Bearer y") for _ in range(10)] == ["ok"] * 10
    # Nor can others lock out who was let in before, until that one is refused too.
    assert attempt("192.0.2.2", good=True, token="Bearer good") == "ok"
    assert [attempt("192.0.2.1", good=True, token="Bearer good") for _ in range(9)] == ["ok"] * 9
    assert attempt("192.0.2.1", token="Bearer good") == "INVALID_CREDENTIAL"
    assert attempt("192.0.2.1", token="Bearer good") == "REFUSED_CREDENTIALS"
    clock.seconds += 4
    assert attempt("192.0.2.1", good=True) == "ok"


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("ipv4:192.0.2.7:50051", "192.0.2.7"),
        ("192.0.2.7", "192.0.2.7"),
        ("ipv6:%5B2001:db8:1:2:3:4:5:6%5D:50051", "2001:db8:1:2::/64"),
        ("ipv6:[2001:db8:1:2:ffff::1]:1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("ipv6:%5Bfe80::1%25eth0%5D:7", "fe80::/64"),
        ("ipv6:[::ffff:192.0.2.7]:50051", "192.0.2.7"),
        ("unix:/run/attending", "unix:/run/attending"),
    ],
)
def test_what_counts_as_one_address(peer: str, expected: str) -> None:
    assert address_of(peer) == expected


# --- over a real server --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(start_server: Any) -> Any:
    limits = {
        "caller_rate": 0.01,
        "caller_burst": 50.0,
        "refused_credentials_rate": 0.01,
        "refused_credentials_burst": 3.0,
    }
    return start_server(components=[ledger_service, web], overrides={"limits": limits})


def failure(call: Any) -> AttendingApiError:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return translate(caught.value)


def test_both_doors_draw_from_one_bucket(server: Any) -> None:
    url, ca = server.ready.endpoint["log_urls"]["demo"], str(server.embedded.folder / "tls" / "ca.pem")
    token = {"Authorization": f"Bearer {server.token('demo-auditor')}"}
    stub = ledger_pb2_grpc.LedgerServiceStub(server.channel("demo-auditor"))
    with httpx.Client(verify=ssl.create_default_context(cafile=ca), headers=token) as http:
        for _ in range(25):
            stub.ListEntries(ledger_pb2.ListEntriesRequest(), timeout=30)
            assert http.get(f"{url}/nothing").status_code in (404, 503)
        error = failure(lambda: stub.ListEntries(ledger_pb2.ListEntriesRequest(), timeout=30))
        assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "CALLER_RATE")
        assert error.retry_after_seconds is not None
        assert 0 < error.retry_after_seconds <= 100
        assert error.metadata == {"limit": "limits.caller_rate", "value": "0.01"}
        answer = http.get(f"{url}/nothing")
        assert (answer.status_code, answer.text.split(":")[0]) == (429, "CALLER_RATE")
        assert 1 <= int(answer.headers["Retry-After"]) <= 100


def test_guessing_is_stopped_at_both_doors_and_not_for_a_certificate(server: Any) -> None:
    url, ca = server.ready.endpoint["log_urls"]["demo"], str(server.embedded.folder / "tls" / "ca.pem")
    stub = ledger_pb2_grpc.LedgerServiceStub(server.token_channel())

    def guess() -> str:
        wrong = (("authorization", "Bearer att_aaaaaaaa_" + "A" * 43),)
        return failure(
            lambda: stub.ListEntries(ledger_pb2.ListEntriesRequest(), metadata=wrong, timeout=30)
        ).reason

    assert [guess() for _ in range(4)] == ["INVALID_CREDENTIAL"] * 3 + ["REFUSED_CREDENTIALS"]
    with httpx.Client(verify=ssl.create_default_context(cafile=ca)) as http:
        answer = http.get(f"{url}/checkpoint", headers={"Authorization": "Bearer x"})
    assert (answer.status_code, answer.text.split(":")[0]) == (429, "REFUSED_CREDENTIALS")
    by_certificate = ledger_pb2_grpc.LedgerServiceStub(server.channel("demo-safety-officer"))
    assert by_certificate.ListEntries(ledger_pb2.ListEntriesRequest(), timeout=30) is not None


def test_a_caller_who_used_up_everything_can_still_halt() -> None:
    rates = Rates(
        LimitsSection(caller_rate=0.01, caller_burst=50, tenant_rate=0.01, tenant_burst=50), now=Clock()
    )
    while refusal(rates, principal("a")) is None:
        pass
    assert [refusal(rates, principal("a"), HALT) for _ in range(50)] == [None] * 50
    err = refusal(rates, principal("a"), HALT)
    assert err is not None
    assert err.reason == "CALLER_RATE"
