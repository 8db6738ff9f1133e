"""The commented configuration: every key of the models, every value as given, whatever the values hold."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_origin

import pytest
from attending.server.config import Config, section_of
from attending.server.setup.template import commented, toml
from hypothesis import given
from hypothesis import strategies as st

VALUES: dict[str, Any] = {
    "server": {"host": "0.0.0.0", "tls_certificate": "tls/server.pem", "tls_key": "tls/server.key"},
    "storage": {"folder": "ledger", "keys_folder": Path("/srv/keys")},
    "tenants": [{"name": "st-mary", "origin": "st-mary.example/attending"}],
    "identities": [
        {
            "name": "a",
            "tenant": "st-mary",
            "kind": "app",
            "roles": ["app"],
            "certificate_uri": ["spiffe://x/a"],
        },
    ],
}


def test_every_key_of_every_section_is_there_and_only_values_given_are_set() -> None:
    text = commented(VALUES, "head")
    lines = text.splitlines()
    for name, field in Config.model_fields.items():
        section = section_of(field.annotation)
        assert section is not None
        listed = f"[[{name}]]" if get_origin(field.annotation) is list else f"[{name}]"
        assert any(line.removeprefix("# ") == listed for line in lines), name
        for key in section.model_fields:
            set_or_not = (f"{key} =", f"# {key} =")
            nested = (f"# [[{name}.{key}]]", f"# [{name}.{key}]")
            assert any(line.startswith(set_or_not) or line in nested for line in lines), (name, key)
    found = tomllib.loads(text)
    assert found == {**VALUES, "storage": {"folder": "ledger", "keys_folder": "/srv/keys"}}
    assert max(map(len, lines)) <= 200


def test_what_is_commented_out_reads_when_it_is_put_in_force() -> None:
    """A default that is shown is one that the file may hold."""
    for line in commented(VALUES, "head").splitlines():
        key, equals, value = line.removeprefix("# ").partition(" = ")
        if line.startswith("# ") and equals and key.isidentifier() and value:
            assert key in tomllib.loads(f"{key} = {value}")


@given(
    st.recursive(
        st.text(st.characters(exclude_categories=["Cs"]))
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.datetimes(min_value=datetime(1, 1, 2)).map(lambda moment: moment.replace(tzinfo=UTC)),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.from_regex(r"\A[a-z_]{1,8}\Z"), inner, max_size=4)
        ),
        max_leaves=8,
    )
)
def test_any_value_comes_back(value: Any) -> None:
    assert tomllib.loads(f"key = {toml(value)}") == {"key": value}


def test_what_toml_cannot_say_is_refused() -> None:
    with pytest.raises(ValueError, match="NoneType"):
        toml(None)
