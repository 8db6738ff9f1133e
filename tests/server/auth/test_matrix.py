"""The matrix of roles, rpcs and tenants has a row for every rpc; the calls are made in `tests/e2e/test_tenancy.py`."""

from __future__ import annotations

from attending.server.auth.principal import ROLES

from tests.matrix.making import Things, makers
from tests.matrix.methods import methods


def test_every_rpc_has_a_maker() -> None:
    made = {maker.method for maker in makers()}
    missing = [name for name in methods() if name not in made]
    assert not missing, (
        f"no maker for {', '.join(missing)}: add one to the service's file in tests/matrix/makers/ (a new file is "
        "found by itself); what it names comes from tests/matrix/making.py `Things`, made in tests/matrix/furnish.py"
    )
    assert made <= set(methods())


def test_makers_make_messages_of_their_rpc_for_a_role_that_exists() -> None:
    for maker in makers():
        made = maker.make(Things())
        messages = made if isinstance(made, list) else [made]
        method = methods()[maker.method]
        assert {type(one).DESCRIPTOR.full_name for one in messages} == {method.input_type.full_name}
        assert isinstance(made, list) == method.client_streaming, str(maker)
        assert maker.by in ROLES, str(maker)
    assert len({str(maker) + maker.method for maker in makers()}) == len(makers())
