"""The matrix has a row for every rpc and page, and docs/access.md is what the policies say.

The calls themselves are made in `tests/e2e/test_tenancy.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from attending.server.app import authorization_folder
from attending.server.auth.actions import PAGES, PUBLIC_PREFIXES, is_public
from attending.server.auth.authorize import PolicySet
from attending.server.auth.matrix import markdown
from attending.server.auth.principal import ROLES
from attending.server.web.component import declared, web_app
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection
from starlette.routing import Mount, Route

from tests.matrix.making import Things, makers
from tests.matrix.methods import methods

ROOT = Path(__file__).resolve().parents[3]


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


def test_the_matrix_in_the_documents_is_current() -> None:
    page = (ROOT / "docs" / "access.md").read_text()
    made = markdown(PolicySet.load(authorization_folder()))
    assert page == made, "run: attending policy matrix > docs/access.md"


def test_only_health_and_reflection_are_public() -> None:
    assert not any(is_public(name) for name in methods())
    assert set(PUBLIC_PREFIXES) == {
        f"/{health.SERVICE_NAME}/",
        f"/{reflection.SERVICE_NAME}/",
    }


def test_every_page_has_an_action() -> None:
    schema = (authorization_folder() / "attending.cedarschema").read_text()
    served = {route.path for route in web_app(None).routes}  # type: ignore[arg-type, attr-defined]
    assert served == set(PAGES)
    assert [a for kinds in PAGES.values() for a in kinds.values() if f'"{a}"' not in schema] == []


def test_a_page_without_an_action_is_not_served() -> None:
    with pytest.raises(RuntimeError, match="/console"):
        declared([Route("/console", lambda _request: None)])
    with pytest.raises(RuntimeError, match="/static"):
        declared([Mount("/static", routes=[])])
