"""Templates: strict both ways, one pass, and a name that is the content's hash."""

from __future__ import annotations

import pytest
from attending.server.errors import InvalidRequest
from attending.server.prompts.template import render, variables, version_of
from hypothesis import given
from hypothesis import strategies as st


def test_variables_in_order_of_first_use() -> None:
    assert variables("{{b}} and {{ a }} and {{b}}") == ("b", "a")


@pytest.mark.parametrize("template", ["{{", "}}", "{{1x}}", "{{a", "{{A}}", "{{ a b }}", "{{{a}}}"])
def test_a_stray_brace_pair_is_refused(template: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        variables(template)
    assert caught.value.field_violations[0][0] == "template"


def test_missing_and_unknown_variables_are_both_named() -> None:
    with pytest.raises(InvalidRequest) as caught:
        render("{{a}} {{b}}", {"a": "x", "c": "y"})
    assert len(caught.value.field_violations) == 2


@given(st.text(), st.text())
def test_values_are_never_expanded_again(a: str, b: str) -> None:
    assert render("<{{a}}|{{b}}>", {"a": a, "b": b}) == f"<{a}|{b}>"


def test_the_version_is_the_content() -> None:
    first = version_of("letter", "Dear {{name}}")
    assert first == version_of("letter", "Dear {{name}}")
    assert first != version_of("letter", "Dear  {{name}}")
    assert first != version_of("other", "Dear {{name}}")
    assert first.startswith("sha256:")
    assert len(first) == len("sha256:") + 64
