"""Private keys: each is there, fits what it is for, and only its owner reads it. None is ever shown."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from attending.ledger.errors import NotFound
from attending.ledger.keys import KeyFolder
from attending.server.config import Config, RootSection
from attending.server.doctor.check import Finding, Site, green, red, warning
from attending.server.doctor.machine import open_to_others
from attending.server.secrets.configure import root_of

MAX_SUBJECT_FILES: Final = 20_000
"""Subject keys looked at; the rest get their modes from the same code."""


def logs(site: Site) -> Iterator[Finding]:
    """The keys of every log of the database: present, private, and the ones that the log names."""
    from attending.ledger.signing import Chain, read_chain

    chains: list[tuple[str, Chain]] = []
    with site.ledger() as store:
        if store is not None:
            chains = [(row.log_id, read_chain(store, row)) for row, _head in store.heads()]
    keys = KeyFolder(site.keys_folder, root_of(site.config.secrets))
    for log_id, chain in chains:
        try:
            held = {key.public: key.number for key in keys.open_log(log_id).signing}
        except NotFound as err:
            yield red(
                "KEY_MISSING",
                f"{err}: the server does not start, and payloads cannot be read",
                f"restore {site.keys_folder} from its own backup (docs/operations.md)",
            )
            continue
        number = held.get(chain.current.public_key)
        if number is None:
            yield red(
                "KEY_MISMATCH",
                f"the signing key of log `{log_id}` (generation {chain.generation}) is not in its folder",
                "put back the key folder that belongs to this ledger, from a backup made after the last rotation",
            )
        elif chain.pending is not None or min(held.values()) < number:
            yield warning(
                "SIGNING_KEY_LEFT",
                f"log `{log_id}` was given a new signing key, and the one before is still there",
                "restart the server, or wait an hour: either finishes the rotation",
            )
        else:
            which = "that it began with" if chain.generation == 1 else f"of generation {chain.generation}"
            yield green(f"log `{log_id}`: signs with the key {which}")
    if not chains:
        yield green("no log yet: the first start makes its keys")


def root(site: Site) -> Iterator[Finding]:
    """What keys are sealed under answers, gives back what it was given, and has all of them."""
    sealed_by = root_of(site.config.secrets)
    if sealed_by.current is None and not site.local:
        yield warning(
            "KEYS_IN_CLEAR",
            "keys of logs lie in the clear: whoever copies the key folder, or a backup of it, can read and sign",
            "set `[secrets]` to a passphrase, Vault or KMS (docs/secrets.md)",
        )
    elif sealed_by.current is None:
        yield green("keys lie in files that only their owner reads")
    else:
        # A few bytes that are nobody's: the root is asked for what a new log would ask of it, and keeps nothing.
        place = {"log": "doctor", "key": "probe"}
        secret = os.urandom(32)
        if sealed_by.current.unwrap(sealed_by.current.wrap(secret, place), place) != secret:
            yield red(
                "KEY_STORE_UNAVAILABLE",
                f"`{sealed_by.kind}` gives back something else than it was given",
                "look at what `[secrets]` names: it is not to be trusted with keys (docs/secrets.md)",
            )
            return
        yield green(f"`{sealed_by.kind}` seals and opens")
    keys = KeyFolder(site.keys_folder, sealed_by)
    rewrap = f"attending keys rewrap{site.option}"
    elsewhere = {
        file.root
        for log_id in keys.logs()
        for file in keys.files(log_id)
        if file.root.partition(" ")[0] != sealed_by.kind
    }
    if elsewhere:
        yield warning(
            "KEYS_NOT_MOVED",
            f"some keys are still sealed by {', '.join(f'`{one}`' for one in sorted(elsewhere))}",
            rewrap,
        )
    elif site.config.secrets.previous is not None:
        yield warning(
            "PREVIOUS_ROOT_LEFT",
            "all keys have moved, and `[secrets.previous]` would still open what was sealed before",
            f"{rewrap} once more, then take `[secrets.previous]` out",
        )


def files(site: Site) -> Iterator[Finding]:
    """Every file of the key folder is private, and of one owner."""
    root = site.keys_folder
    if not root.is_dir():
        yield green("no key yet")
        return
    owner, count = root.stat().st_uid, 0
    if os.geteuid() not in (0, owner):
        yield red(
            "KEYS_OF_ANOTHER_USER",
            f"`{root}` belongs to user {owner}, and this runs as user {os.geteuid()}",
            f"run this as user {owner}, who must be the user of the server",
        )
        return
    for path in islice(_tree(root), MAX_SUBJECT_FILES):
        count += 1
        status = path.lstat()
        if status.st_uid != owner:
            yield red(
                "KEY_OWNER",
                f"`{path.relative_to(root)}` in the key folder belongs to user {status.st_uid}, its folder to {owner}",
                f"chown -R {owner} {root}",
            )
            return
        mode = stat.S_IMODE(status.st_mode)
        if not path.is_dir() and mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield red(
                "KEY_OPEN",
                f"`{path.relative_to(root)}` in the key folder has mode {mode:o}, expected 600",
                f"find {root} -type f -exec chmod 600 {{}} +",
            )
            return
    yield green(f"{count:,} files and folders, private and of one owner")


def named(site: Site) -> Iterator[Finding]:
    """Files with secrets that the configuration names: there, private, readable."""
    looked = 0
    for key, path in _secret_files(site):
        looked += 1
        if not path.is_file():
            yield red(
                "SECRET_MISSING", f"`{key}`: there is no file `{path}`", f"put it there with mode 600: {path}"
            )
        elif (mode := open_to_others(path)) is not None:
            yield red(
                "SECRET_OPEN", f"`{key}`: `{path}` has mode {mode:o}, expected 600", f"chmod 600 {path}"
            )
        elif not os.access(path, os.R_OK):
            yield red(
                "SECRET_NOT_READABLE",
                f"`{key}`: `{path}` cannot be read by the user who runs this",
                f"run this as the user of the server, or chown that user {path}",
            )
        else:
            yield green(f"`{key}`: private")
    for variable, key in _variables(site):
        looked += 1
        if os.environ.get(variable):
            yield green(f"`{key}`: the environment has `{variable}`")
        else:
            yield red(
                "SECRET_MISSING",
                f"`{key}`: the environment has no `{variable}`",
                f"set {variable} for the server, and where `attending doctor` runs",
            )
    if not looked:
        yield green("the configuration names no secret")


def beside(site: Site) -> Iterator[Finding]:
    """No private key lies in a folder that everybody reads: keys and published heads are two folders."""
    keys, published = site.keys_folder.resolve(), site.published_folder.resolve()
    for inner, outer, words in (
        (keys, published, "keys lie inside the folder of published heads"),
        (published, keys, "published heads lie inside the key folder"),
    ):
        if inner == outer or outer in inner.parents:
            yield red(
                "FOLDERS_NESTED",
                words,
                "give `storage.keys_folder` and `storage.published_folder` places of their own",
            )
            return
    if site.config.storage.shared and site.config.storage.keys_folder is None:
        yield warning(
            "KEYS_FOLDER_DEFAULT",
            "with a database every process must see the same keys, and they lie in `storage.folder`",
            "set `storage.keys_folder`",
        )
    else:
        yield green("keys and published heads in folders of their own")


def _tree(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            yield Path(folder) / name


def _secret_files(site: Site) -> Iterable[tuple[str, Path]]:
    config = site.config
    yield "server.tls_key", config.server.tls_key
    if config.storage.database_password_file is not None:
        yield "storage.database_password_file", config.storage.database_password_file
    for name, root in _roots(config):
        for key in ("passphrase_file", "vault_token_file"):
            if (path := getattr(root, key)) is not None:
                yield f"{name}.{key}", path
    for provider in config.providers:
        if provider.api_key_file is not None:
            yield f"providers.{provider.name}.api_key_file", provider.api_key_file


def _variables(site: Site) -> Iterable[tuple[str, str]]:
    config = site.config
    if config.storage.database_env is not None:
        yield config.storage.database_env, "storage.database_env"
    for name, root in _roots(config):
        if root.passphrase_env is not None:
            yield root.passphrase_env, f"{name}.passphrase_env"
    for provider in config.providers:
        if provider.api_key_env is not None:
            yield provider.api_key_env, f"providers.{provider.name}.api_key_env"


def _roots(config: Config) -> Iterable[tuple[str, RootSection]]:
    yield "secrets", config.secrets
    if config.secrets.previous is not None:
        yield "secrets.previous", config.secrets.previous
