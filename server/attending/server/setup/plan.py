"""What `attending init` makes: the configuration's values, the files beside it, and what is left to do. Pure.

FOLDER/attending.toml          the configuration, every key commented
FOLDER/ledger/ keys/ published/ the ledger (or what a database leaves to a folder), its keys, its heads
FOLDER/tls/                    server key and certificate or request, authorities of client certificates
FOLDER/identities/<name>/      what the first identities call with
FOLDER/attending.service       a systemd unit (--production)
FOLDER/NEXT-STEPS.md           what is left to do, with the commands
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from attending.server.bootstrap.certificates import (
    Pair,
    issue_client,
    issue_server,
    new_authority,
    request_client,
    request_server,
)
from attending.server.phi.purpose import Purpose
from attending.server.setup.credentials import bearer, signing_key
from attending.server.setup.template import commented
from attending.server.setup.words import Step, next_steps, unit

CONFIG: Final = "attending.toml"
PUBLIC: Final = 0o644
PRIVATE: Final = 0o600
SIGNERS: Final = frozenset({"clinician", "pharmacist"})
LOCAL_IDENTITIES: Final = (
    ("app", "app"),
    ("clinician", "clinician-1"),
    ("clinician", "clinician-2"),
    ("auditor", "auditor"),
    ("privacy_officer", "privacy-officer"),
    ("safety_officer", "safety-officer"),
    ("operator", "operator"),
)


@dataclass(frozen=True, slots=True)
class Choices:
    """What was asked for. `identities` are (role, name); `folder` is absolute."""

    folder: Path
    production: bool
    tenant: str
    origin: str
    host: str
    host_names: tuple[str, ...]
    identities: tuple[tuple[str, str], ...]
    database: str | None = None
    password_file: Path | None = None
    keys_folder: Path | None = None
    published_folder: Path | None = None
    with_authority: bool = False
    user: str = "attending"
    port: int = 50051
    token_port: int = 50052


@dataclass(slots=True)
class Plan:
    """Files by path below the folder, with their modes; folders elsewhere; and the steps that are left."""

    files: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    elsewhere: list[Path] = field(default_factory=list)
    identities: dict[str, dict[str, Any]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)


def plan(choices: Choices, now: datetime, *, embedded_model: bool, program: str) -> Plan:
    """Everything that is to be written. `program` is the path of the `attending` command for the unit.

    Makes keys: each call gives others.
    """
    made = Plan()
    authority = (
        new_authority(f"Attending authority of {choices.tenant}", now) if choices.with_authority else None
    )
    _tls(made, choices, authority, now)
    sections = [_identity(made, choices, role, name, authority, now) for role, name in choices.identities]
    values = _values(choices, sections, embedded_model)
    made.folders += [name for name in ("ledger", "keys", "published") if name in _own_folders(choices)]
    made.elsewhere += [path for path in (choices.keys_folder, choices.published_folder) if path is not None]
    made.files[CONFIG] = (commented(values, _head(choices)).encode(), PUBLIC)
    made.steps += next_steps(choices, made.identities)
    if choices.production:
        made.files["attending.service"] = (unit(choices, program).encode(), PUBLIC)
    steps = "\n\n".join(step.markdown(number) for number, step in enumerate(made.steps, 1))
    text = f"# What is left to do\n\nMade by `attending init`. Begin at the top.\n\n{steps}\n"
    made.files["NEXT-STEPS.md"] = (text.encode(), PUBLIC)
    return made


def _values(choices: Choices, sections: list[dict[str, Any]], embedded_model: bool) -> dict[str, Any]:
    server: dict[str, Any] = {
        "host": choices.host,
        "port": choices.port,
        "token_port": choices.token_port,
        "tls_certificate": "tls/server.pem",
        "tls_key": "tls/server.key",
        "client_ca": "tls/clients-ca.pem",
    }
    storage: dict[str, Any] = {"folder": "ledger"}
    if choices.database is not None:
        storage["database"] = choices.database
        if choices.password_file is not None:
            storage["database_password_file"] = choices.password_file
    storage["keys_folder"] = choices.keys_folder or "keys"
    storage["published_folder"] = choices.published_folder or "published"
    values: dict[str, Any] = {
        "server": server,
        "storage": storage,
        # With what `attending user enrol` may bind to people, once the server runs.
        "tenants": [
            {
                "name": choices.tenant,
                "origin": choices.origin,
                "certificate_uri_prefixes": [f"spiffe://{choices.origin.partition('/')[0]}/"],
            }
        ],
        "identities": sections,
        # The first start puts the policies in force without a second person: on record by whose hand.
    }
    if by := _installer(choices):
        # The first start puts the policies in force without a second person: on record by whose hand.
        values["policies"] = {"installed_by": by}
    if embedded_model and not choices.production:
        values["providers"] = [{"name": "embedded", "kind": "embedded"}]
    return values


def _installer(choices: Choices) -> str | None:
    """The operator, or whoever is named first."""
    names = [name for role, name in choices.identities if role == "operator"]
    return next(iter([*names, *(name for _role, name in choices.identities)]), None)


def _tls(made: Plan, choices: Choices, authority: Pair | None, now: datetime) -> None:
    if authority is None:
        request = request_server(choices.host_names)
        made.files["tls/server.key"] = (request.key, PRIVATE)
        made.files["tls/server.csr"] = (request.request, PUBLIC)
        return
    pair = issue_server(authority, choices.host_names, now)
    made.files["tls/server.key"] = (pair.key, PRIVATE)
    # With its issuer: clients that hold the authority need only the first, others see whom it is of.
    made.files["tls/server.pem"] = (pair.certificate + authority.certificate, PUBLIC)
    made.files["tls/clients-ca.pem"] = (authority.certificate, PUBLIC)
    made.files["authority/ca.pem"] = (authority.certificate, PUBLIC)
    made.files["authority/ca.key"] = (authority.key, PRIVATE)


def _identity(
    made: Plan, choices: Choices, role: str, name: str, authority: Pair | None, now: datetime
) -> dict[str, Any]:
    """Writes what the identity calls with, and returns its section of the configuration."""
    base = f"identities/{name}"
    uri = f"spiffe://{choices.origin.partition('/')[0]}/{name}"
    paths: dict[str, str] = {"key": f"{base}/key.pem"}
    if authority is None:
        request = request_client(name, uri)
        key = request.key
        paths["request"] = f"{base}/request.csr"
        made.files[paths["request"]] = (request.request, PUBLIC)
    else:
        pair = issue_client(authority, name, uri, now)
        key = pair.key
        paths["certificate"] = f"{base}/certificate.pem"
        made.files[paths["certificate"]] = (pair.certificate, PUBLIC)
    made.files[paths["key"]] = (key, PRIVATE)
    section: dict[str, Any] = {
        "name": name,
        "tenant": choices.tenant,
        "kind": "app" if role == "app" else "human",
        "roles": [role],
        "certificate_uri": [uri],
    }
    if not choices.production:
        if role == "app":
            section["purpose_of_use"] = Purpose.TREATMENT.value
        token, kept = bearer()
        paths["token"] = f"{base}/token"
        made.files[paths["token"]] = (token, PRIVATE)
        section["service_keys"] = [kept]
        # A person's own signing key is made by that person; on one machine that everybody shares, here.
        if role in SIGNERS:
            pem, public = signing_key()
            paths["signing_key"] = f"{base}/signing.pem"
            made.files[paths["signing_key"]] = (pem, PRIVATE)
            section["signing_public_key"] = public
    made.identities[name] = {"role": role, **paths}
    return section


def _own_folders(choices: Choices) -> Mapping[str, bool]:
    own = {"ledger": True}
    if choices.keys_folder is None:
        own["keys"] = True
    if choices.published_folder is None:
        own["published"] = True
    return own


def _head(choices: Choices) -> str:
    path = shlex.quote(str(choices.folder / CONFIG))
    return (
        f"Configuration of an Attending server, made by `attending init`. Every key is here; those with a # in front "
        f"have the value that is shown, or none. Paths are relative to this file. After a change: "
        f"attending config check {path}, then attending doctor --config {path}. No secret belongs in this file."
    )
