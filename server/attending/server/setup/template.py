"""A commented configuration, made from the models of `config` so that no key is missing and no comment is stale.

Every key stands there with its meaning: with a value where one was given, and commented out with its default
elsewhere.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, get_origin

from attending.server.config import Config, Section, section_of
from attending.server.config.reference import type_words
from pydantic.fields import FieldInfo

_WIDTH: Final = 110


def commented(values: Mapping[str, Any], head: str) -> str:
    """The TOML of a configuration with these values by section; `head` is its first comment."""
    lines = list(_comment(head))
    for name, field in Config.model_fields.items():
        section = section_of(field.annotation)
        assert section is not None, name
        lines.append("")
        if get_origin(field.annotation) is list:
            lines += _tables(name, section, values.get(name, []))
        else:
            lines += _table(name, section, values.get(name))
    return "\n".join(lines) + "\n"


def _table(name: str, section: type[Section], given: Mapping[str, Any] | None) -> Iterator[str]:
    """One section. Without any value all of it is commented out, its name too: an empty one may switch things on."""
    yield from _comment(section.__doc__ or "")
    yield f"[{name}]" if given is not None else f"# [{name}]"
    nested = []
    for key, field in section.model_fields.items():
        inner = section_of(field.annotation)
        if inner is not None and not (given and key in given):
            many = get_origin(field.annotation) is list
            nested.append((f"[[{name}.{key}]]" if many else f"[{name}.{key}]", inner))
            continue
        yield ""
        yield from _key(key, field, given)
    for title, inner in nested:
        yield ""
        yield from _comment(inner.__doc__ or "")
        yield f"# {title}"
        for inner_key, field in inner.model_fields.items():
            yield "#"
            yield from _key(inner_key, field, None)


def _tables(name: str, section: type[Section], given: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A list of sections: what its keys mean once, then each of them with its values."""
    yield from _comment(section.__doc__ or "")
    yield "#"
    yield f"# [[{name}]]"
    for key, field in section.model_fields.items():
        yield "#"
        yield from _key(key, field, None)
    for one in given:
        yield ""
        yield f"[[{name}]]"
        for key, value in one.items():
            yield f"{key} = {toml(value)}"


def _key(key: str, field: FieldInfo, given: Mapping[str, Any] | None) -> Iterator[str]:
    needed = field.is_required() and not (given and key in given)
    yield from _comment(f"{field.description} ({'required, ' if needed else ''}{type_words(field)})")
    if given is not None and key in given:
        yield f"{key} = {toml(given[key])}"
    elif field.is_required() or field.default is None:
        yield f"# {key} ="
    else:
        yield f"# {key} = {toml(field.default)}"


def _comment(text: str) -> Iterator[str]:
    for line in textwrap.wrap(
        " ".join(text.split()), _WIDTH - 2, break_long_words=False, break_on_hyphens=False
    ):
        yield f"# {line}"


def toml(value: Any) -> str:
    """A value in TOML 1.0; tables inline. ValueError for what has no such form."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, str | Path):
        # JSON's escapes are among those of a basic string; U+007F must be escaped there, and is not in JSON.
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, Sequence):
        return "[" + ", ".join(toml(one) for one in value) + "]"
    raise ValueError(f"no TOML form of {type(value).__name__}")
