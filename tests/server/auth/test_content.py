"""Every rpc says what it gives, and every one that gives personal content asks why."""

from __future__ import annotations

from typing import Any

import pytest
from attending.ledger.entry import ENTRY_TYPES
from attending.server.auth.actions import ACTIONS
from attending.server.phi.content import CONTENT, Gives, GivesNone
from attending.server.phi.purpose import BY_NUMBER, OF_EXPORT, Purpose
from attending.v1 import common_pb2

from tests.matrix.methods import methods

# Fields of answers in which the text, the context or an identifier of a person stands.
PERSONAL = {
    *("output", "text", "prompt", "documents", "patient_json", "view", "chunk", "findings", "pseudonym"),
    *("pseudonyms", "edited_text", "bundle"),
}
# Fields of those names that hold nothing personal, with the reason.
NOT_PERSONAL = {
    "attending.v1.PromptVersion": "templates and their labels are about nobody",
    "attending.v1.Emitter": "names of emitters",
    "attending.v1.DownloadReportResponse": "pages and bundles that hold commitments, and no payload",
}


def _all_fields(message: Any, seen: frozenset[str] = frozenset()) -> set[str]:
    if message.full_name in seen or message.full_name in NOT_PERSONAL:
        return set()
    found = set()
    for field in message.fields:
        found.add(field.name)
        if field.message_type is not None:
            found |= _all_fields(field.message_type, seen | {message.full_name})
    return found


def test_every_rpc_of_the_wire_contract_is_in_the_table_and_nothing_else() -> None:
    assert set(CONTENT) == set(methods())
    assert set(CONTENT) == set(ACTIONS)


def test_every_kind_is_an_entry_type_of_an_access() -> None:
    kinds = {kind for gives in CONTENT.values() if isinstance(gives, Gives) for kind in gives.kinds}
    assert kinds == {"access.viewed", "access.searched", "access.revealed", "access.exported"}
    assert kinds <= ENTRY_TYPES


@pytest.mark.parametrize("name", sorted(CONTENT))
def test_what_gives_none_has_no_field_for_it(name: str) -> None:
    gives, method = CONTENT[name], methods()[name]
    fields = _all_fields(method.output_type) & PERSONAL
    if isinstance(gives, GivesNone):
        assert gives.because
        assert fields == set()
    else:
        assert fields, "this rpc gives nothing that its table says it gives"


@pytest.mark.parametrize("name", sorted(n for n, gives in CONTENT.items() if isinstance(gives, Gives)))
def test_what_gives_personal_content_asks_why(name: str) -> None:
    gives = CONTENT[name]
    message: Any = methods()[name].input_type
    assert isinstance(gives, Gives)
    if " " in gives.where:  # the call itself says why
        assert "RECORDMGT" in gives.where
        return
    *path, last = gives.where.split(".")
    for part in path:
        message = message.fields_by_name[part].message_type
    field = message.fields_by_name[last]
    if name.endswith("/Export"):
        assert set(OF_EXPORT.values()) <= set(Purpose)
    else:
        assert field.enum_type.full_name == common_pb2.PurposeOfUse.DESCRIPTOR.full_name


def test_every_purpose_of_the_wire_has_one_code() -> None:
    numbers = set(common_pb2.PurposeOfUse.values()) - {common_pb2.PURPOSE_OF_USE_UNSPECIFIED}
    assert set(BY_NUMBER) == numbers
    assert len({purpose.value for purpose in Purpose}) == len(numbers)
