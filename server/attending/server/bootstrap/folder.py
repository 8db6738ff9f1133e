"""The data folder of the embedded mode: made on the first start, completed and checked on every later one.

    <data>/embedded.json                 marker: what this folder is, and what it does not protect against
    <data>/ledger/  keys/  published/    the ledger, its keys, its published tree heads
    <data>/tls/                          authority and server certificate
    <data>/identities/<name>/            certificate.pem, key.pem, token and its hash, and signing.pem of
                                         those who sign
    <data>/<tenant>.vkey                 verifier key of the tenant's log, for `attending verify --key`
    <data>/endpoint.json                 where the running server listens; gone when it has stopped

Private files are 0600 and the folder 0700; anything more open is refused. Every file is written atomically, so
that a start that was cut short is simply completed by the next.
"""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from attending.ledger.errors import UnsafeSettings
from attending.ledger.files import make_folder, read_private, write_durably
from attending.ledger.opening import LedgerConfig
from attending.server import clock
from attending.server.auth.service_key import LEAST, hash_service_key, matches, new_service_key, prefix_of
from attending.server.bootstrap.certificates import (
    Pair,
    issue_client,
    issue_server,
    needs_renewal,
    new_authority,
)
from attending.server.bootstrap.identities import DEMO_IDENTITIES, TENANT, DemoIdentity, certificate_uri
from attending.server.config import Config, parse_config
from attending.server.errors import ConfigurationError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

MARKER: Final = "embedded.json"
ENDPOINT: Final = "endpoint.json"
DEFAULT_FOLDER: Final = Path("attending-data")
NOTICE: Final = "embedded mode: demo identities, does not protect against the operator"
REPLAY_FILE: Final = Path(__file__).resolve().parents[1] / "demo" / "data" / "replay.jsonl"
HOSTS: Final = ("localhost", "127.0.0.1", "::1")
_PUBLIC_MODE: Final = 0o644
_STORAGE: Final = {"folder": "ledger", "keys_folder": "keys", "published_folder": "published"}


@dataclass(frozen=True, slots=True)
class Embedded:
    """A prepared data folder and the configuration that serves from it."""

    folder: Path
    config: Config


def prepare(
    folder: Path,
    *,
    port: int = 50051,
    token_port: int = 50052,
    http_port: int = 0,
    console_port: int = 0,
    providers: list[dict[str, Any]] | None = None,
    overrides: Mapping[str, dict[str, Any] | list[dict[str, Any]]] | None = None,
    now: Callable[[], datetime] = clock.now,
) -> Embedded:
    """Makes or completes the data folder and returns its configuration.

    `providers` are entries of the configuration's `providers`, by default `local_providers()`; `overrides` are keys by
    section that replace the embedded mode's own, or more entries of a section that is a list. Raises ConfigurationError
    when the folder is something else, or is open to others.
    """
    root = _claim(folder)
    moment = now()
    authority = _authority(root / "tls", moment)
    _leaf(root / "tls", "server", moment, lambda: issue_server(authority, HOSTS, moment))
    identities = [_identity(root, demo, authority, moment) for demo in DEMO_IDENTITIES]
    data = _sections(root, (port, token_port, http_port, console_port), identities, providers)
    for section, keys in (overrides or {}).items():
        if isinstance(keys, list):
            data[section] = [*data.get(section, []), *keys]
        else:
            data[section] = {**data.get(section, {}), **keys}
    return Embedded(root, parse_config(data, root))


def look(folder: Path) -> Embedded:
    """As `prepare`, of a data folder that was made before: nothing is written, and no secret is read but for the
    public half of a signing key. Ports are those of the server that runs on it, if one does.

    Raises ConfigurationError when the folder is none of the embedded mode.
    """
    root = folder.expanduser().resolve()
    if not (root / MARKER).is_file():
        raise _refused(f"`{root}` is no data folder of the embedded mode", "give one with --data")
    identities = []
    for demo in DEMO_IDENTITIES:
        entry = _entry(demo)
        signing = root / "identities" / demo.name / "signing.pem"
        if demo.signs and signing.exists():
            entry["signing_public_key"] = base64.b64encode(_signing_key(signing)).decode("ascii")
        identities.append(entry)
    return Embedded(root, parse_config(_sections(root, _ports(root), identities, None), root))


def _sections(
    root: Path,
    ports: tuple[int, int, int, int],
    identities: list[dict[str, Any]],
    providers: list[dict[str, Any]] | None,
) -> dict[str, Any]:
    """The configuration of a data folder, with its (port, token_port, http_port, console_port)."""
    port, token_port, http_port, console_port = ports
    return {
        "policies": {"installed_by": "embedded"},
        "server": {
            "host": "127.0.0.1",
            "port": port,
            "token_port": token_port,
            "tls_certificate": "tls/server.pem",
            "tls_key": "tls/server.key",
            "client_ca": "tls/ca.pem",
        },
        "http": {"port": http_port},
        # Browsers know nothing of this folder's authority. On this machine they take http://localhost for secure.
        "console": {"port": console_port, "tls": False},
        "storage": dict(_STORAGE),
        "tenants": [
            {"name": TENANT, "origin": _origin(root), "certificate_uri_prefixes": [certificate_uri("")]}
        ],
        "identities": identities,
        "providers": local_providers() if providers is None else providers,
    }


def _ports(root: Path) -> tuple[int, int, int, int]:
    """Those that `endpoint.json` names, or those that a start takes by itself."""
    try:
        endpoint = json.loads((root / ENDPOINT).read_text(encoding="utf-8"))
        urls = [urlsplit(url).port or 0 for url in endpoint["log_urls"].values()]
        port, token_port = (int(endpoint[key].rpartition(":")[2]) for key in ("target", "token_target"))
        console = urlsplit(endpoint["console_url"]).port or 0
        return port, token_port, urls[0] if urls else 0, console
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return 50051, 50052, 50053, 50054


def ledger_of(folder: Path) -> LedgerConfig:
    """Where a data folder that was made before has its ledger; ConfigurationError when it is none."""
    root = folder.expanduser().resolve()
    if not (root / MARKER).is_file():
        raise _refused(f"`{root}` is no data folder of the embedded mode", "give one with --data")
    return LedgerConfig(
        root / _STORAGE["folder"],
        keys_folder=root / _STORAGE["keys_folder"],
        publish_folder=root / _STORAGE["published_folder"],
    )


def local_providers(replay: Path | None = None) -> list[dict[str, Any]]:
    """The model of this package and a file of named outputs; neither leaves this machine."""
    outputs = (replay or REPLAY_FILE).resolve()
    return [
        {"name": "embedded", "kind": "embedded"},
        {"name": "replay", "kind": "replay", "replay_file": str(outputs)},
    ]


def write_endpoint(
    embedded: Embedded,
    port: int | None,
    token_port: int | None,
    log_keys: dict[str, str],
    http_port: int | None = None,
    console_url: str | None = None,
) -> dict[str, Any]:
    """Writes `endpoint.json` for clients on this machine and returns what it says.

    Paths in it are relative to the data folder. `log_keys` are the verifier keys of the logs: good enough to
    pin on the machine that made them, and nowhere else.
    """
    content: dict[str, Any] = {
        "format": "attending-endpoint/1",
        "pid": os.getpid(),
        "target": f"localhost:{port}",
        "token_target": f"localhost:{token_port}",
        "ca": "tls/ca.pem",
        "log_keys": log_keys,
        "console_url": console_url,
        "log_urls": _log_urls(embedded.config, http_port),
        "identities": {
            demo.name: {
                "tenant": TENANT,
                "kind": demo.kind,
                "roles": list(demo.roles),
                "display_name": demo.display_name,
                "certificate": f"identities/{demo.name}/certificate.pem",
                "key": f"identities/{demo.name}/key.pem",
                "token": f"identities/{demo.name}/token",
                **({"signing_key": f"identities/{demo.name}/signing.pem"} if demo.signs else {}),
            }
            for demo in DEMO_IDENTITIES
        },
    }
    for tenant, key in log_keys.items():
        write_durably(embedded.folder / f"{tenant}.vkey", f"{key}\n".encode(), mode=_PUBLIC_MODE)
    text = json.dumps(content, indent=2) + "\n"
    write_durably(embedded.folder / ENDPOINT, text.encode(), mode=_PUBLIC_MODE)
    return content


def _log_urls(config: Config, http_port: int | None) -> dict[str, str]:
    """Where each tenant's log is read over HTTP."""
    if config.http is None or http_port is None:
        return {}
    scheme = "https" if config.http.tls else "http"
    return {tenant.name: f"{scheme}://localhost:{http_port}{tenant.log_path}" for tenant in config.tenants}


def remove_endpoint(embedded: Embedded) -> None:
    """Removes `endpoint.json` when this process wrote it: another server of the folder may be running."""
    path = embedded.folder / ENDPOINT
    try:
        if json.loads(path.read_text(encoding="utf-8"))["pid"] == os.getpid():
            path.unlink()
    except (OSError, ValueError, KeyError, TypeError):
        return


def _claim(folder: Path) -> Path:
    """The folder, new or ours and private; ConfigurationError otherwise."""
    root = folder.expanduser().resolve()
    marker = root / MARKER
    try:
        if root.exists() and not root.is_dir():
            raise _refused(f"`{root}` is not a folder", "give another path with --data")
        # A log file is what a shell redirection or a supervisor puts there before the server starts.
        if root.is_dir() and not marker.exists() and any(p.suffix != ".log" for p in root.iterdir()):
            raise _refused(
                f"folder `{root}` is not empty and was not made by the embedded mode",
                "give an empty or new folder with --data",
            )
        make_folder(root)
        status = root.stat()
        if status.st_uid != os.geteuid():
            raise _refused(
                f"folder `{root}` belongs to another user", "give a folder of your own with --data"
            )
        if marker.exists() and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise _refused(
                f"folder `{root}` has mode {stat.S_IMODE(status.st_mode):o}, and holds private keys",
                f"chmod 700 {root}",
            )
        if not marker.exists():
            root.chmod(0o700)
            content = {"format": "attending-embedded/1", "notice": NOTICE, "log": os.urandom(8).hex()}
            write_durably(marker, json.dumps(content, indent=2).encode() + b"\n")
    except OSError as err:
        raise _refused(
            f"folder `{root}` cannot be used ({type(err).__name__})", "give a writable folder with --data"
        ) from err
    return root


def _origin(root: Path) -> str:
    """Two embedded servers are two logs, so each folder has an origin of its own."""
    try:
        log = json.loads((root / MARKER).read_text(encoding="utf-8"))["log"]
        if isinstance(log, str) and log.isalnum():
            return f"attending.local/{TENANT}-{log}"
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise _refused(f"`{root / MARKER}` is damaged", "restore it from a backup, or start with a new folder")


def _authority(folder: Path, now: datetime) -> Pair:
    make_folder(folder)
    key_path, certificate_path = folder / "ca.key", folder / "ca.pem"
    if not (key_path.exists() and certificate_path.exists()):
        pair = new_authority("Attending embedded authority", now)
        # The certificate last: both exist once it does.
        write_durably(key_path, pair.key)
        write_durably(certificate_path, pair.certificate, mode=_PUBLIC_MODE)
    return Pair(certificate_path.read_bytes(), _private(key_path))


def _leaf(folder: Path, name: str, now: datetime, issue: Callable[[], Pair]) -> None:
    """Writes `<name>.pem` and its key when they are missing or about to run out."""
    key_path = folder / ("key.pem" if name == "certificate" else f"{name}.key")
    certificate_path = folder / f"{name}.pem"
    if key_path.exists():
        _private(key_path)
        if certificate_path.exists() and not needs_renewal(certificate_path.read_bytes(), now):
            return
    pair = issue()
    # A crash between the two would leave a key that does not fit: no certificate is safer than that.
    certificate_path.unlink(missing_ok=True)
    write_durably(key_path, pair.key)
    write_durably(certificate_path, pair.certificate, mode=_PUBLIC_MODE)


def _identity(root: Path, demo: DemoIdentity, authority: Pair, now: datetime) -> dict[str, Any]:
    """The identity's files, and its entry of the configuration."""
    folder = root / "identities" / demo.name
    make_folder(folder)
    uri = certificate_uri(demo.name)
    _leaf(folder, "certificate", now, lambda: issue_client(authority, demo.name, uri, now))
    token_path = folder / "token"
    if not token_path.exists():
        write_durably(token_path, new_service_key().encode() + b"\n")
    token = _private(token_path).decode("ascii", "replace").strip()
    entry = {**_entry(demo), "service_keys": [_service_key(token, token_path)]}
    if demo.signs:
        entry["signing_public_key"] = base64.b64encode(_signing_key(folder / "signing.pem")).decode("ascii")
    return entry


def _entry(demo: DemoIdentity) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": demo.name,
        "tenant": TENANT,
        "kind": demo.kind,
        "roles": list(demo.roles),
        "display_name": demo.display_name,
        "certificate_uri": [certificate_uri(demo.name)],
    }
    if demo.purpose_of_use is not None:
        entry["purpose_of_use"] = demo.purpose_of_use
    return entry


def _service_key(token: str, token_path: Path) -> dict[str, str]:
    """What the configuration keeps of the token. The hash has a file of its own, so that a start changes nothing."""
    prefix = prefix_of(token)
    if prefix is None:
        raise _refused(f"`{token_path}` is not a token", "remove it, and the next start makes a new one")
    path = token_path.with_suffix(".argon2id")
    if path.exists():
        kept = _private(path).decode("ascii", "replace").strip()
        if matches(token, kept):
            return {"prefix": prefix, "hash": kept}
    hashed = hash_service_key(token, LEAST)
    write_durably(path, hashed.encode() + b"\n")
    return {"prefix": prefix, "hash": hashed}


def _signing_key(path: Path) -> bytes:
    """The raw public key (32 bytes) of the Ed25519 key in `path`, which is made when it is missing."""
    if not path.exists():
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_durably(path, pem)
    try:
        key = load_pem_private_key(_private(path), None)
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise _refused(
            f"`{path}` is not an Ed25519 key", "restore it from a backup, or remove it for a new one"
        )
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def _private(path: Path) -> bytes:
    try:
        return read_private(path)
    except UnsafeSettings as err:
        raise _refused(str(err), f"chmod 600 {path}") from err
    except OSError as err:
        raise _refused(
            f"`{path}` cannot be read ({type(err).__name__})", "make it readable by its owner"
        ) from err


def _refused(problem: str, next_step: str) -> ConfigurationError:
    return ConfigurationError(problem, next_step, reason="DATA_FOLDER")
