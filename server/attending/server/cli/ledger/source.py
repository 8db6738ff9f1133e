"""Options by which a command reads a published log: a data folder, a server over HTTP, or an exported folder.

All of them are read through the verifying client of `attending.ledger.static`, under the log's verifier key.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from attending.ledger.checkpoint import verify
from attending.ledger.errors import CorruptLog, LedgerError, NotFound, StoreUnavailable, VerificationError
from attending.ledger.introduction import terms
from attending.ledger.note import VerifierKey
from attending.ledger.static.client import Fetch
from attending.ledger.static.export import folder_fetch
from attending.ledger.static.http import HttpSource
from attending.ledger.static.stored import StoredLog
from attending.server.cli.credentials import credential_options
from attending.server.cli.outcome import CommandError, Exit

if TYPE_CHECKING:
    from attending.ledger.store.read_only import ReadOnlySqlite

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_FOLDER: Final = Path("attending-data")
_MAX_KEY_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class LogSource:
    """Where to read a log, and the key that it must verify under."""

    data: Path
    log: str | None
    url: str | None
    tree: Path | None
    key: str | None
    ca: Path | None
    token_file: Path | None
    certificate: tuple[Path, Path] | None

    @contextmanager
    def opened(self) -> Iterator[tuple[Fetch, VerifierKey]]:
        """The resources and the key. Errors of the evidence become one line that says what to do next."""
        try:
            if self.tree is not None:
                yield folder_fetch(self.tree), self._key()
            elif self.url is not None:
                with closing(self._http(self.url)) as source:
                    yield source.fetch, self._key()
            else:
                with _database(self.data / "ledger" / "ledger.db") as stored:
                    yield self._beside(stored).fetch, self._key()
        except VerificationError as err:
            raise _failed(
                err, _NEXT.get(err.reason, "do not rely on this copy, and tell the operator")
            ) from err
        except CorruptLog as err:
            raise _failed(err, "tell the operator: the stored log does not verify") from err
        except NotFound as err:
            raise CommandError(
                str(err), "give the folder of a server with --data, or --url or --tree", Exit.USAGE
            ) from err
        except StoreUnavailable as err:
            code = Exit.HELD if err.reason in _CREDENTIAL else Exit.FAILED
            step = _CREDENTIAL.get(err.reason, "check the address, --ca, and that the server runs")
            raise _failed(err, step, code) from err

    def _beside(self, stored: ReadOnlySqlite) -> StoredLog:
        """The published tree of a data folder. Read without its lock: a server may be running on it."""
        from attending.ledger.signing import read_chain

        log = self._log()
        path = self.data / "published" / f"{log}.checkpoint"
        # Before the database: that may only have grown since, so it is never behind what was read here.
        note = path.read_bytes() if path.is_file() else None
        rows = {row.log_id: row for row, _head in stored.heads()}
        logs = {row.log_id: head.size for row, head in stored.heads()}
        if log not in logs:
            raise CommandError(
                f"no log `{log}` in `{self.data}`", f"it has {', '.join(logs) or 'none'}", Exit.USAGE
            )
        if note is None:
            raise CommandError(
                f"nothing of log `{log}` is published yet", "try again in a second", Exit.INDETERMINATE
            )
        key, row = self._key(), rows[log]
        chain = read_chain(stored, row)
        head = verify(note, terms([key], chain.introductions, before=True))
        if head.size > logs[log]:
            raise CorruptLog(
                f"log `{log}` has {logs[log]} entries, {head.size} were published: the database is behind",
                reason=CorruptLog.ROLLBACK,
            )
        return StoredLog(stored, log, head.size, note.decode())

    def _http(self, url: str) -> HttpSource:
        token = None if self.token_file is None else self.token_file.read_text(encoding="ascii").strip()
        try:
            return HttpSource(url, ca=self.ca, token=token, certificate=self.certificate)
        except ValueError as err:
            raise click.UsageError(str(err)) from None

    def _log(self) -> str:
        if self.log is not None:
            return self.log
        found = sorted(path.stem for path in self.data.glob("*.vkey"))
        if len(found) != 1:
            what = f"logs {', '.join(found)}" if found else "no log"
            raise CommandError(f"`{self.data}` has {what}", "name one with --log, or give --data", Exit.USAGE)
        return found[0]

    def _key(self) -> VerifierKey:
        """The key given; for a data folder by default the one beside it, which is no better than the folder."""
        given = self.key
        if given is None and (self.url is not None or self.tree is not None):
            raise click.UsageError("--url and --tree need --key: the log's verifier key, from elsewhere")
        if given is None:
            given = str(self.data / f"{self._log()}.vkey")
        path = Path(given)
        if path.is_file():
            with path.open("rb") as file:
                given = file.read(_MAX_KEY_BYTES).decode("ascii", "replace").strip()
        try:
            return VerifierKey.parse(given)
        except VerificationError:
            raise CommandError(
                f"`{given[:80]}` is no verifier key and no file of one",
                "`attending keys log` shows the keys of a data folder",
                Exit.USAGE,
            ) from None


@contextmanager
def _database(path: Path) -> Iterator[ReadOnlySqlite]:
    """One committed state of a ledger's database. Imported here: an export is read without a database driver."""
    from attending.ledger.store.port import StoreFault
    from attending.ledger.store.read_only import ReadOnlySqlite

    try:
        with closing(ReadOnlySqlite(path)) as stored, stored.snapshot():
            yield stored
    except StoreFault as err:
        raise StoreUnavailable(f"database cannot be read ({err})") from err


_NEXT: Final = {
    "UNKNOWN_KEY": "give the key of this log with --key; `attending keys log` shows those of a data folder",
    "KEY_TERM": "somebody signs with a key that the log has replaced: keep this copy, and tell the operator",
    "INTRODUCTION": "the log's keys do not follow from each other: keep this copy, and tell the operator",
    "KEY_FORMAT": "give a C2SP verifier key with --key",
    "CHECKPOINT_ROLLED_BACK": "the log is behind what the folder holds: ask the operator why",
    "CONSISTENCY_PROOF": "keep both copies: this log and the folder's are two histories",
    "TILE_MISSING": "the copy is not complete: export it again, or ask the operator",
}


_CREDENTIAL: Final = {
    "MISSING_CREDENTIAL": "give --token-file, or --cert with --cert-key",
    "INVALID_CREDENTIAL": "check --token-file, or --cert with --cert-key",
    "CREDENTIAL_EXPIRED": "ask the operator for a new token or certificate",
    "PERMISSION_DENIED": "use an identity that may read entries, such as an auditor's",
}


def _failed(err: LedgerError, next_step: str, code: Exit = Exit.FAILED) -> CommandError:
    return CommandError(f"{err} ({err.reason})", next_step, code)


def source_options(command: F) -> F:
    """Decorates a command so that it is called with `source`, made from its options."""

    @click.option(
        "--data",
        type=click.Path(path_type=Path, file_okay=False),
        default=DEFAULT_FOLDER,
        show_default=True,
        envvar="ATTENDING_DATA",
        help="Data folder of an embedded server, which may be running.",
    )
    @click.option("--log", help="Log of the data folder; its tenant's when left out.")
    @click.option("--url", help="Read over HTTP instead: where the log's static resources are.")
    @click.option(
        "--tree",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        help="Read an exported folder instead.",
    )
    @click.option("--key", help="Verifier key of the log (C2SP vkey), or a file that holds it.")
    @credential_options("--url")
    @functools.wraps(command)
    def wrapper(
        *args: Any,
        data: Path,
        log: str | None,
        url: str | None,
        tree: Path | None,
        key: str | None,
        ca: Path | None,
        token_file: Path | None,
        cert: Path | None,
        cert_key: Path | None,
        **kwargs: Any,
    ) -> Any:
        if url is not None and tree is not None:
            raise click.UsageError("--url and --tree exclude each other")
        if (cert is None) != (cert_key is None):
            raise click.UsageError("--cert and --cert-key go together")
        pair = (cert, cert_key) if cert is not None and cert_key is not None else None
        kwargs["source"] = LogSource(data, log, url, tree, key, ca, token_file, pair)
        return command(*args, **kwargs)

    return wrapper  # type: ignore[return-value]
