"""Nothing secret in what is printed: every section of the configuration, every object that holds a key, every error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args

import pytest
from attending.ledger.files import write_durably
from attending.ledger.keys import KeyFolder
from attending.ledger.ledger import Ledger
from attending.ledger.submission import Claim
from attending.server.cli.main import run
from attending.server.config import Config, Section, load_config, section_of
from attending.server.database import conninfo_of, ledger_config
from attending.server.errors import ConfigurationError
from attending.server.providers.configure import configure_providers
from attending.server.secrets.configure import root_of

from tests.server.secrets.vault_server import TOKEN, VaultServer

PLANTED = {
    "passphrase": "correct horse battery staple",
    "previous": "the passphrase of last year",
    "api key": "sk-a-provider-key-of-the-tests",
    "password": "pw-of-the-database",
    "token": TOKEN,
}

CONFIG = """
[server]
tls_certificate = "server.pem"
tls_key = "server.key"

[storage]
folder = "ledger"
database = "host=db.example dbname=attending user=attending"
database_password_file = "password"

[secrets]
{root}
[secrets.previous]
kind = "passphrase"
passphrase_file = "previous"

[[tenants]]
name = "clinic"

[[providers]]
name = "hospital"
kind = "openai"
base_url = "https://llm.example/v1"
api_key_file = "api key"
"""

ROOTS = {
    "passphrase": 'kind = "passphrase"\npassphrase_file = "passphrase"\n',
    "vault": 'kind = "vault"\nvault_url = "{url}"\nvault_key = "attending"\nvault_token_file = "token"\n',
    "aws_kms": 'kind = "aws_kms"\naws_key_id = "alias/attending"\naws_region = "eu-central-1"\n'
    'aws_endpoint_url = "http://127.0.0.1:9"\n',
}


@pytest.fixture(params=sorted(ROOTS))
def config(request: pytest.FixtureRequest, tmp_path: Path, vault: VaultServer, aws: None) -> Config:
    for name, text in PLANTED.items():
        write_durably(tmp_path / name, text.encode())
    path = tmp_path / "attending.toml"
    path.write_text(CONFIG.format(root=ROOTS[request.param].format(url=vault.url)))
    return load_config(path)


def told(item: Any) -> str:
    """All that printing can show of an object."""
    if isinstance(item, Section):
        return f"{item!r} {item!s} {item.model_dump_json()}"
    return f"{item!r} {item!s}"


def within(item: Any, depth: int = 0) -> Iterator[Any]:
    """The object and what it is made of, as far as its type names its parts."""
    yield item
    if isinstance(item, Section):
        for name in type(item).model_fields:
            yield from within(getattr(item, name), depth + 1)
    elif is_dataclass(item) and not isinstance(item, type):
        for part in fields(item):
            if part.repr:
                yield from within(getattr(item, part.name), depth + 1)
    elif isinstance(item, list | tuple):
        for one in item:
            yield from within(one, depth + 1)


def test_no_object_made_from_a_configuration_shows_a_secret(config: Config) -> None:
    root = root_of(config.secrets)
    made = [
        config,
        ledger_config(config),
        root,
        root.current,
        root.previous,
        *configure_providers(config.providers).values(),
    ]
    assert PLANTED["password"] in str(conninfo_of(config.storage))  # it is read, and only there
    found = [part for item in made for part in within(item)]
    assert len([part for part in found if isinstance(part, Section)]) > 10
    for part in found:
        for name, secret in PLANTED.items():
            assert secret not in told(part), (name, type(part).__name__)


def test_a_used_root_shows_nothing_either(config: Config) -> None:
    root = root_of(config.secrets)
    assert root.previous is not None
    sealed = root.previous.wrap(b"a key in the clear", {"log": "clinic", "key": "kek"})
    assert root.previous.unwrap(sealed, {"log": "clinic", "key": "kek"}) == b"a key in the clear"
    for part in (root, root.previous):
        assert PLANTED["previous"] not in told(part)


async def test_no_key_object_of_a_ledger_shows_a_key(tmp_path: Path) -> None:
    keys = KeyFolder(tmp_path / "keys")
    found = keys.create_log("clinic")
    secrets = [found.kek, found.lookup, found.fingerprint, found.signing[0].private.private_bytes_raw()]
    async with await Ledger.open(tmp_path) as ledger:
        await ledger.create_log("clinic", "clinic.example/log")
        state = ledger._sequencer.state("clinic")
        secrets.append(ledger._keys.get("clinic", "tenant"))
        shown = [
            *(
                state,
                state.signing,
                ledger,
                ledger.signing,
                ledger._keys,
                ledger.rotation,
                await ledger.claim_keys("clinic"),
            ),
            *(
                found,
                *found.signing,
                *found.keks,
                *found.lookups,
                *found.fingerprints,
                keys,
                keys.files("clinic"),
            ),
            Claim("key", b"fingerprint-bytes", "s", (("older", b"older-bytes"),)),
            await ledger.rotation.keys("clinic"),
        ]
        for item in shown:
            text = told(item)
            for secret in (*secrets, b"fingerprint-bytes", b"older-bytes"):
                assert secret.hex() not in text
                assert repr(secret)[2:-1] not in text, type(item).__name__


OF_A_SECRET = re.compile(r"key|secret|token|pass(word|phrase)|credential")
NOT_SECRET = {
    "tokens": "whether there are any",
    "token_port": "a port",
    "token_types": "names",
    "refused_credentials_rate": "a number",
    "refused_credentials_burst": "a number",
    "service_keys": "hashes, in a section of their own",
    "signing_public_key": "a public key",
    "vault_key": "a name",
    "aws_key_id": "a name",
    "secrets": "this section",
    "token_sha256": "a hash",
    "keys_folder": "a folder",
    "passkeys": "a section: where passkeys are good, and for how long codes are",
}
"""Keys of the configuration whose names look like secrets', and what they are instead."""


def sections(model: type[Section], path: str = "") -> Iterator[tuple[str, str, Any]]:
    """(path, name, annotation) of every key."""
    for name, field in model.model_fields.items():
        yield path, name, field.annotation
        inner = section_of(field.annotation)
        if inner is not None:
            yield from sections(inner, f"{path}{name}.")


def test_no_key_of_the_configuration_takes_a_secret_itself() -> None:
    """Whoever adds one names a file or a variable, or says here what it is."""
    seen = set()
    for path, name, annotation in sections(Config):
        if not OF_A_SECRET.search(name) or name in NOT_SECRET:
            continue
        seen.add(name)
        kinds = {annotation, *get_args(annotation)}
        if name.endswith("_env"):
            continue
        assert any("Path" in str(kind) for kind in kinds), f"{path}{name} takes a value, not a file"
    assert {"api_key_file", "tls_key", "passphrase_file", "vault_token_file"} <= seen


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("storage", 'database = "host=db password=planted-secret"'),
        ("secrets", 'kind = "vault"\nvault_url = "https://me:planted-secret@vault.example"'),
        ("secrets", 'kind = "passphrase"\npassphrase = "planted-secret"'),
        ("secrets", 'kind = "passphrase"\npassphrase_env = "planted-secret"'),
        ("providers", 'base_url = "https://me:planted-secret@llm.example/v1"'),
        ("providers", 'api_key = "planted-secret"'),
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], section: str, line: str
) -> None:
    text = '[server]\ntls_certificate = "s.pem"\ntls_key = "s.key"\n[[tenants]]\nname = "clinic"\n'
    storage = f'[storage]\nfolder = "l"\n{line if section == "storage" else ""}\n'
    text += storage
    if section == "secrets":
        text += (
            f'[secrets]\nvault_key = "k"\nvault_token_file = "t"\n{line}\n'
            if "vault" in line
            else (f"[secrets]\n{line}\n")
        )
    if section == "providers":
        rest = 'base_url = "https://llm.example/v1"\n' if "base_url" not in line else ""
        text += f'[[providers]]\nname = "p"\nkind = "openai"\napi_key_env = "KEY"\n{rest}{line}\n'
    path = tmp_path / "attending.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_config(path)
    assert "planted" not in f"{caught.value!r} {caught.value.problem} {caught.value.next_step}"
    assert run(["config", "check", str(path)]) == 4
    shown = capsys.readouterr()
    assert "planted" not in shown.out + shown.err


def test_what_commands_print_of_a_configuration_holds_no_secret(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "attending.toml"
    assert run(["config", "check", str(path)]) == 0
    assert run(["config", "reference"]) == 0
    assert run(["keys", "rewrap", "--config", str(path)]) != 0  # nobody answers at that database
    shown = capsys.readouterr()
    for secret in PLANTED.values():
        assert secret not in shown.out + shown.err
