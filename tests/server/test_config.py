"""The configuration: strict, explained, complete, and never quoting a value."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from attending.server.config import Config, Section, load_config, parse_config, reference, section_of
from attending.server.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]
HASH = "$argon2id$v=19$m=65536,t=3,p=4$" + "A" * 22 + "$" + "B" * 43
KEY = {"prefix": "00000000", "hash": HASH}
SECRET = "sk-live-0123456789"


def minimal() -> dict[str, Any]:
    return {
        "server": {"tls_certificate": "s.pem", "tls_key": "s.key"},
        "storage": {"folder": "ledger"},
        "tenants": [{"name": "a"}],
        "identities": [
            {"name": "app", "tenant": "a", "kind": "app", "roles": ["app"], "service_keys": [KEY]}
        ],
    }


def problem(data: dict[str, Any]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse_config(data, Path("/etc/attending"))
    assert caught.value.next_step
    return caught.value.problem


def test_where_a_log_is_read_over_http() -> None:
    data = minimal()
    data["tenants"] = [
        {"name": "a", "origin": "hospital.example/log/a"},
        {"name": "b"},
        {"name": "c", "origin": "no-path.example"},
        {"name": "d", "origin": "hospital.example/a?b=%20"},
        {"name": "e", "origin": "hospital.example/../etc"},
        {"name": "f", "origin": "hospital.example/f", "http_path": "/elsewhere"},
    ]
    config = parse_config(data, Path("/etc/attending"))
    paths = [tenant.log_path for tenant in config.tenants]
    assert paths == ["/log/a", "/b", "/log/c", "/log/d", "/log/e", "/elsewhere"]
    assert config.http is None


@pytest.mark.parametrize(
    ("http", "origins", "part"),
    [
        ({"tls": False, "host": "0.0.0.0"}, ["x.example/a"], "needs a loopback"),
        ({"tls": False, "host": "internal.example"}, ["x.example/a"], "needs a loopback"),
        ({}, ["x.example/a", "y.example/a"], "at one place, `/a`"),
        ({}, ["x.example/a", "x.example/a-b", "x.example/a/tile"], "`t0` and `t2`"),
    ],
)
def test_logs_that_cannot_be_read_over_http(http: dict[str, Any], origins: list[str], part: str) -> None:
    data = minimal() | {"http": http, "identities": []}
    data["tenants"] = [{"name": f"t{number}", "origin": origin} for number, origin in enumerate(origins)]
    assert part in problem(data)
    # Nothing is wrong with such origins where nothing is served.
    del data["http"]
    parse_config(data, Path("/etc/attending"))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_a_proxy_on_this_machine_may_do_the_tls(host: str) -> None:
    parse_config(minimal() | {"http": {"tls": False, "host": host}}, Path("/etc/attending"))


@pytest.mark.parametrize("path", ["", "/", "a", "/a/", "/a//b", "/../a", "/a/.b", "/a%20", "/a?b", "/a b"])
def test_a_path_that_is_none(path: str) -> None:
    data = minimal()
    data["tenants"] = [{"name": "a", "http_path": path}]
    assert "tenants[0].http_path" in problem(data)


def test_the_least_that_is_needed() -> None:
    config = parse_config(minimal(), Path("/etc/attending"))
    assert config.server.tls_key == Path("/etc/attending/s.key")
    assert config.server.port == 50051
    assert config.tenants[0].log_origin == "attending.local/a"
    assert config.idempotency.retention_days == 7


@pytest.mark.parametrize(
    ("section", "key", "near"),
    [
        ("server", "prot", "`server.prot`, did you mean `port`"),
        ("server", "max_mesage_bytes", "did you mean `max_message_bytes`"),
        ("guard", "worker", "`guard.worker`, did you mean `workers`"),
        ("logging", "zzzz", "unknown key `logging.zzzz`"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_one(section: str, key: str, near: str) -> None:
    data = minimal()
    data.setdefault(section, {})[key] = SECRET
    assert near in problem(data)
    assert SECRET not in problem(data)


def test_an_unknown_section_and_one_inside_a_list() -> None:
    assert "unknown key `sever`, did you mean `server`" in problem({**minimal(), "sever": {}})
    data = minimal()
    data["identities"][0]["service_key"] = SECRET
    assert "unknown key `identities[0].service_key`, did you mean `service_keys`" in problem(data)
    assert SECRET not in problem(data)


def test_every_problem_is_named_at_once() -> None:
    data = minimal()
    del data["storage"]["folder"]
    data["server"]["port"] = 70000
    data["tenants"] = []
    text = problem(data)
    for part in ("`storage.folder` is required", "`server.port`", "`tenants`"):
        assert part in text


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"port": "50051"}, "`server.port`"),
        ({"port": True}, "`server.port`"),
        ({"max_message_bytes": 1}, "`server.max_message_bytes`"),
        ({"deadline_seconds": 0}, "`server.deadline_seconds`"),
        ({"tokens": False}, "nobody could call"),
    ],
)
def test_values_of_the_wrong_kind_or_size(change: dict[str, Any], part: str) -> None:
    data = minimal()
    data["server"].update(change)
    assert part in problem(data)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"roles": ["clinician"]}, "role `clinician` is not one of kind `app`"),
        ({"kind": "human", "roles": ["clinican"]}, "did you mean `clinician`"),
        ({"tenant": "b"}, "`app` is of tenant `b`, which is not configured"),
        ({"service_keys": []}, "has no credential"),
        ({"service_keys": ["att_00000000_secret"]}, "`identities[0].service_keys[0]`"),
        ({"service_keys": [{**KEY, "prefix": "short"}]}, "`identities[0].service_keys[0].prefix`"),
        ({"service_keys": [{**KEY, "hash": "0" * 64}]}, "is not an argon2id PHC string"),
        ({"service_keys": [{**KEY, "hash": HASH.replace("argon2id", "argon2i")}]}, "argon2id PHC"),
        ({"service_keys": [{**KEY, "hash": HASH.replace("65536", "9999999")}]}, "memory `m` out of range"),
        ({"service_keys": [{**KEY, "hash": HASH.replace("65536", "1024")}]}, "memory `m` out of range"),
        ({"service_keys": [{**KEY, "hash": HASH.replace("t=3", "t=99")}]}, "passes `t` out of range"),
        ({"service_keys": [{**KEY, "hash": HASH.replace("p=4", "p=64")}]}, "lanes `p` out of range"),
        ({"service_keys": [{**KEY, "hash": HASH.replace("A" * 22, "A" * 11)}]}, "short salt or tag"),
        ({"token_sha256": ["0" * 64]}, "`attending keys token --out FILE`"),
        ({"signing_public_key": "AAAA"}, "an application never signs"),
        (
            {"kind": "human", "roles": ["clinician"], "signing_public_key": "AAAA"},
            "not the base64 of an Ed25519 key",
        ),
        (
            {"kind": "human", "roles": ["clinician"], "signing_public_key": "no base64"},
            "not the base64 of an Ed25519 key",
        ),
        ({"name": "Has Space"}, "`identities[0].name`"),
        ({"expires": "2027-01-01"}, "`identities[0].expires`"),
    ],
)
def test_identities_that_do_not_hold_together(change: dict[str, Any], part: str) -> None:
    data = minimal()
    data["identities"][0].update(change)
    assert part in problem(data)


OIDC = {"name": "idp", "issuer": "https://id.example", "audience": "attending"}


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"issuer": "http://id.example"}, "`oidc[0]` `issuer` needs https"),
        ({"issuer": "ftp://id.example"}, "`oidc[0]` `issuer` is not an https address"),
        ({"issuer": "id.example"}, "`oidc[0]` `issuer` is not an https address"),
        ({"issuer": "https://user:secret@id.example"}, "a part that it may not have"),
        ({"issuer": "https://id.example/?a=b"}, "a part that it may not have"),
        ({"issuer": "https://id.example:port"}, "is not an address"),
        ({"jwks_uri": "http://10.0.0.1/jwks"}, "`oidc[0]` `jwks_uri` needs https"),
        ({"algorithms": ["HS256"]}, "`oidc[0].algorithms[0]`"),
        ({"algorithms": ["none"]}, "`oidc[0].algorithms[0]`"),
        ({"algorithms": []}, "`oidc[0].algorithms`"),
        ({"audience": ""}, "`oidc[0].audience`"),
        ({"max_age_seconds": 60.0}, "`max_age_seconds` is below `refresh_seconds`"),
    ],
)
def test_providers_of_identities_that_do_not_hold_together(change: dict[str, Any], part: str) -> None:
    assert part in problem({**minimal(), "oidc": [{**OIDC, **change}]})


def test_subjects_of_providers() -> None:
    data = {**minimal(), "oidc": [{**OIDC, "issuer": "http://127.0.0.1:8080"}]}
    identity = data["identities"][0]
    identity["oidc"] = [{"issuer": "idp", "subject": "00u1"}]
    parse_config(data, Path("/etc/attending"))
    other = {**identity, "name": "other", "service_keys": []}
    assert "the same `oidc` stands twice" in problem({**data, "identities": [identity, other]})
    identity["oidc"] = [{"issuer": "elsewhere", "subject": "00u1"}]
    assert "`app` is a subject of `elsewhere`, which is not configured" in problem(data)
    twice = {**minimal(), "oidc": [OIDC, {**OIDC, "name": "idp2"}]}
    assert "oidc: the same `issuer` stands twice" in problem(twice)


def test_what_must_be_unique() -> None:
    twice = minimal()
    twice["identities"].append({**twice["identities"][0], "name": "other"})
    assert "the same `prefix` stands twice" in problem(twice)
    named = minimal()
    named["identities"].append({**named["identities"][0], "service_keys": [{**KEY, "prefix": "11111111"}]})
    assert "identities: the same `name` stands twice" in problem(named)
    assert "tenants: the same `name` stands twice" in problem(
        {**minimal(), "tenants": [{"name": "a", "origin": "x"}, {"name": "a", "origin": "y"}]}
    )
    assert "tenants: the same `origin` stands twice" in problem(
        {**minimal(), "tenants": [{"name": "a", "origin": "x"}, {"name": "b", "origin": "x"}]}
    )
    assert "system" in problem({**minimal(), "tenants": [{"name": "a"}, {"name": "system"}]})


@pytest.mark.parametrize(
    ("provider", "part"),
    [
        ({"kind": "openai", "api_key_env": "KEY"}, "`base_url` is required"),
        ({"kind": "openai", "base_url": "https://h/v1"}, "exactly one of `api_key_env` and `api_key_file`"),
        ({"kind": "openai", "base_url": "https://h/v1", "api_key_env": SECRET}, "`providers[0].api_key_env`"),
        ({"kind": "openai", "base_url": "ftp://h", "api_key_env": "KEY"}, "`providers[0].base_url`"),
        ({"kind": "replay"}, "`replay_file` is required"),
        ({"kind": "embedded", "replay_file": "x"}, "`replay_file` belongs to kind `replay`"),
        ({"kind": "magic"}, "`providers[0].kind`"),
    ],
)
def test_providers_that_do_not_hold_together(provider: dict[str, Any], part: str) -> None:
    text = problem({**minimal(), "providers": [{"name": "p", **provider}]})
    assert part in text
    assert SECRET not in text


def test_a_file_that_is_missing_or_no_toml(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_config(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text(f'[server]\nkey = "{SECRET}\n')
    with pytest.raises(ConfigurationError) as caught:
        load_config(broken)
    assert "is not TOML" in caught.value.problem
    assert "line 2" in caught.value.problem
    assert SECRET not in caught.value.problem
    broken.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError):
        load_config(broken)


def _sections() -> list[type[Section]]:
    return [
        section
        for field in Config.model_fields.values()
        if (section := section_of(field.annotation)) is not None
    ]


def test_every_key_is_explained_and_nothing_is_a_secret() -> None:
    assert len(_sections()) == len(Config.model_fields)
    for section in _sections():
        assert section.__doc__
        for key, field in section.model_fields.items():
            assert field.description, key
            assert field.description.endswith("."), key
            assert not key.endswith(("password", "secret", "token", "api_key")), key


def test_the_page_in_docs_is_current_and_its_example_loads() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert page == reference.markdown(), "run: attending config reference > docs/configuration.md"
    config = parse_config(tomllib.loads(reference.example()), ROOT)
    assert [identity.name for identity in config.identities] == ["discharge-app", "dr-rivera"]
    for section in _sections():
        for key in section.model_fields:
            assert f"| `{key}` |" in page, key


def test_every_bound_stands_beside_its_key() -> None:
    names = ("ge", "gt", "le", "lt", "min_length", "max_length")
    sections = _sections()
    found = 0
    for section in sections:  # grows by the sections inside
        for key, field in section.model_fields.items():
            if (inner := section_of(field.annotation)) is not None:
                sections.append(inner)
            words = re.findall(r"\d[\d.]*", reference.type_words(field))
            bounds = [
                bound
                for item in field.metadata
                for name in names
                if (bound := getattr(item, name, None)) is not None
            ]
            assert set(map(str, bounds)) <= set(words), key
            found += len(bounds)
    assert found > 100
    assert "list of path, at most 32 |" in reference.markdown()
    assert "its own keys. At least 1 of them." in reference.markdown()


@pytest.mark.parametrize(
    ("console", "passkeys", "part"),
    [
        ({}, {}, "`origin` is needed with `tls`"),
        ({"tls": False, "host": "0.0.0.0"}, {}, "needs a loopback `host`"),
        ({"origin": "https://review.example/path"}, {}, "without a path"),
        ({"origin": "http://review.example"}, {}, "without a path"),
        ({"origin": "https://review.example"}, {}, "set `rp_id` to that host"),
        ({"origin": "https://review.example"}, {"rp_id": "iew.example"}, "set `rp_id` to that host"),
        (
            {"tls": False, "oidc": [{"provider": "idp", "client_id": "c"}]},
            {},
            "not the name of an `[[oidc]]`",
        ),
    ],
)
def test_a_console_that_browsers_could_not_use(
    console: dict[str, Any], passkeys: dict[str, Any], part: str
) -> None:
    assert part in problem(minimal() | {"console": console, "passkeys": passkeys})


def test_consoles_that_browsers_can_use() -> None:
    for console, passkeys in (
        ({"tls": False}, {}),
        ({"origin": "https://review.hospital.example"}, {"rp_id": "hospital.example"}),
        ({"origin": "https://review.hospital.example"}, {"rp_id": "review.hospital.example"}),
    ):
        parse_config(minimal() | {"console": console, "passkeys": passkeys}, Path("/etc/attending"))
