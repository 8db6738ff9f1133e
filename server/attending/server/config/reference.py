"""docs/configuration.md, made from the models so that it cannot fall behind."""

from __future__ import annotations

import types
import typing
from pathlib import Path
from typing import Any, Final

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from attending.server.config.base import MIB, Section, section_of
from attending.server.config.model import Config
from pydantic import AwareDatetime
from pydantic.fields import FieldInfo

_HEAD: Final = """# Configuration

`attending serve --config FILE` reads one TOML file. Without `--config` the embedded mode needs none.

- An unknown key is refused, with the nearest known one. `attending config check FILE` checks a file alone.
- Relative paths are relative to the file.
- No secret stands in the file: it names files (0600), environment variables, and argon2id hashes of tokens.
- A server speaks TLS only. Callers with a client certificate use `server.port`, callers with a bearer token
  `server.token_port`.

This page is made by `attending config reference`.

## Example

```toml
[server]
host = "0.0.0.0"
tls_certificate = "tls/server.pem"
tls_key = "tls/server.key"
client_ca = "tls/clients-ca.pem"

[storage]
folder = "ledger"
keys_folder = "keys"
published_folder = "published"

[[storage.retention]]
entries = "inference.*"
days = 2190

[[storage.retention]]
entries = "review.*"
days = 3650

[[tenants]]
name = "st-mary"
origin = "st-mary.example/attending"
allowed_residency = ["US"]

[[identities]]
name = "discharge-app"
tenant = "st-mary"
kind = "app"
roles = ["app"]
purpose_of_use = "TREAT"
certificate_uri = ["spiffe://st-mary.example/discharge-app"]

[[identities]]
name = "dr-rivera"
tenant = "st-mary"
kind = "human"
roles = ["clinician"]
display_name = "Dr A. Rivera"
certificate_uri = ["spiffe://st-mary.example/dr-rivera"]
signing_public_key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
licence_expires = 2027-06-30T00:00:00Z

[[providers]]
name = "hospital-llm"
kind = "openai"
base_url = "https://llm.st-mary.example/v1"
api_key_env = "HOSPITAL_LLM_KEY"
phi_agreement = "BAA-2026-014"
phi_agreement_expires = 2027-01-31T00:00:00Z
residency = ["US"]
```

## A database in place of the folder's own

One server process owns `storage.folder`. For several, on one machine or more, put the ledger into PostgreSQL:

```toml
[storage]
folder = "state"
database = "host=db.st-mary.example dbname=attending user=attending_app sslmode=verify-full"
database_password_file = "db.password"
require_replication = true
keys_folder = "/srv/attending/keys"
published_folder = "/srv/attending/published"
```

Logs, payloads and projections then lie in the database; keys and published heads still lie in folders, and every
process must see the same ones. [postgresql.md](postgresql.md) says how to prepare the database and what to watch.

## Limits of a call

A request or response message is at most `server.max_message_bytes`; metadata at most 16 KiB. Beyond the number of
calls at once the answer is UNAVAILABLE with a time to retry, beyond the longest time DEADLINE_EXCEEDED; an inference
that was begun is then still carried through and recorded.
"""


def example() -> str:
    """The TOML of the page's example."""
    return _HEAD.split("```toml\n", 1)[1].split("```", 1)[0]


def markdown() -> str:
    """The whole page."""
    parts = [_HEAD]
    for name, field in Config.model_fields.items():
        parts += _table(name, field, "##")
    return "".join(parts)


def type_words(field: FieldInfo) -> str:
    """The type of a key with its bounds, in words."""
    return _type(field.annotation, field).replace("`", "")


def _table(name: str, field: FieldInfo, mark: str) -> list[str]:
    """The part of one section, with those of the sections inside it."""
    section = section_of(field.annotation)
    assert section is not None, name
    many = typing.get_origin(field.annotation) is list
    # Of a section inside another, its row in the table above says it.
    count = _bounds(field).removeprefix(", ").capitalize() if many and mark == "##" else ""
    words = f"{_first(section)} {count} of them." if count else _first(section)
    parts = [f"\n{mark} {'`[[' + name + ']]`' if many else '`[' + name + ']`'}\n\n{words}\n\n"]
    parts.append("| key | type | default | meaning |\n|---|---|---|---|\n")
    parts += [_row(key, value) for key, value in section.model_fields.items()]
    for key, value in section.model_fields.items():
        if section_of(value.annotation) is not None:
            parts += _table(f"{name}.{key}", value, f"{mark}#")
    return parts


def _first(section: type[Section]) -> str:
    return " ".join((section.__doc__ or "").split())


def _row(key: str, field: FieldInfo) -> str:
    default = "required" if field.is_required() else f"`{_value(field.default)}`"
    if not field.is_required() and field.default is None:
        default = "none"
    meaning = (field.description or "").replace("|", "\\|")
    return f"| `{key}` | {_type(field.annotation, field)} | {default} | {meaning} |\n"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value >= MIB and value % MIB == 0:
        return f"{value} ({value // MIB} MiB)"
    return '""' if value == "" else str(value)


def _type(annotation: Any, field: FieldInfo | None = None) -> str:
    if annotation is AwareDatetime or getattr(annotation, "__name__", "") == "AwareDatetime":
        return "time with zone"
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return "table"
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if origin is typing.Literal:
        return " or ".join(f"`{argument}`" for argument in arguments)
    if origin is typing.Annotated:
        return _type(arguments[0], field)
    if origin is list:
        many = "tables" if section_of(annotation) is not None else _type(arguments[0])
        return f"list of {many}{_bounds(field)}"
    if origin in (types.UnionType, typing.Union):
        return _type(next(a for a in arguments if a is not type(None)), field)
    names: dict[Any, str] = {str: "string", bool: "boolean", Path: "path", int: "integer", float: "number"}
    if annotation is str:
        bounds = _bounds(field)
        unit = "character" if bounds.endswith(" 1") else "characters"
        return f"string{bounds} {unit}" if bounds else "string"
    return names.get(annotation, "time with zone") + _bounds(field)


def _bounds(field: FieldInfo | None) -> str:
    """The least and the greatest value of a number, or length of a string or a list, after a comma."""
    low = high = None
    for item in field.metadata if field is not None else ():
        if isinstance(item, Ge | MinLen):
            low = str(item.ge if isinstance(item, Ge) else item.min_length)
        elif isinstance(item, Gt):
            low = f"above {item.gt}"
        elif isinstance(item, Le | MaxLen):
            high = str(item.le if isinstance(item, Le) else item.max_length)
        elif isinstance(item, Lt):
            high = f"below {item.lt}"
    if low is not None and high is not None:
        return f", {low} to {high}"
    if high is not None:
        return f", {high if high.startswith('below') else f'at most {high}'}"
    if low is not None:
        return f", {low if low.startswith('above') else f'at least {low}'}"
    return ""
