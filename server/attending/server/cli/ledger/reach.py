"""How commands reach a ledger: the folder of an embedded server, a configuration, or a PostgreSQL database.

All of them only read: beside a running server, beside one that was killed, or on a ledger that is stopped.
"""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from attending.server.cli.outcome import CommandError, Exit

if TYPE_CHECKING:
    from attending.ledger.store.read_only import ReadOnlyStore

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_FOLDER: Final = Path("attending-data")
DATABASE: Final = "ledger.db"
_RETENTION: Final = timedelta(days=7)
_WHERE: Final = "give the folder of a server with --data, its configuration with --config, or --database"


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a ledger is. Either `folder` holds its database, or `database` connects to it."""

    folder: Path | None
    database: str | None = field(repr=False)
    published: Path | None
    keys: Path | None
    claim_retention: timedelta = _RETENTION
    option: str = ""
    """What leads other commands here: ` --data x` where it was given; never a connection, which may hold a secret."""

    @property
    def name(self) -> str:
        """The place in words, without a connection's details."""
        return f"`{self.folder}`" if self.database is None else "the PostgreSQL database"

    def open_store(self) -> ReadOnlyStore:
        """The store, for reading. Raises errors of the ledger."""
        from attending.ledger.store.read_only import open_read_only

        return open_read_only(self.folder, self.database)

    @contextmanager
    def opened(self) -> Iterator[ReadOnlyStore]:
        """The store, closed at the end; errors become one line that says what to do next."""
        with errors_explained(self.option):
            store = self.open_store()
            try:
                yield store
            finally:
                store.close()

    def published_heads(self) -> Mapping[str, str]:
        """Notes by log, as they are published now; read them before the store, which then cannot be behind."""
        from attending.ledger.backup.published import read_published

        return {} if self.published is None else read_published(self.published)

    def introduced(self) -> Mapping[str, Sequence[str]]:
        """Introductions of signing keys by log, as they are published."""
        from attending.ledger.backup.published import read_introduced

        return {} if self.published is None else read_introduced(self.published)


@contextmanager
def errors_explained(option: str = "") -> Iterator[None]:
    """Turns errors of a ledger that is read into a line and an exit code."""
    from attending.ledger.errors import LedgerError, NotFound
    from attending.ledger.store.port import StoreFault
    from attending.server.cli.corrupt import STEPS, next_step

    try:
        yield
    except NotFound as err:
        raise CommandError(str(err), _WHERE, Exit.USAGE) from err
    except LedgerError as err:
        raise CommandError(f"{err} ({err.reason})", next_step(err, option), Exit.FAILED) from err
    except StoreFault as err:
        raise CommandError(f"the database cannot be read ({err})", STEPS["STORE_UNAVAILABLE"]) from err


def pick_log(logs: list[str], wanted: str | None) -> str:
    """The log that is meant: the one named, or the only one beside the system log."""
    if wanted is not None:
        if wanted not in logs:
            raise CommandError(
                f"there is no log `{wanted}`", f"logs here: {', '.join(logs) or 'none'}", Exit.USAGE
            )
        return wanted
    own = [name for name in logs if name != "system"] or logs
    if len(own) != 1:
        raise CommandError(
            f"there are {len(own)} logs" if own else "there is no log",
            f"name one with --log: {', '.join(own)}" if own else "start the server once",
            Exit.USAGE,
        )
    return own[0]


def ledger_options(command: F) -> F:
    """Adds --data, --config, --database and --published, and calls the command with `reach`."""

    @click.option(
        "--data",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="ATTENDING_DATA",
        help="Data folder of an embedded server; ./attending-data when nothing is given.",
    )
    @click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="ATTENDING_CONFIG",
        help="Configuration of a server.",
    )
    @click.option(
        "--database",
        envvar="ATTENDING_DATABASE",
        help="PostgreSQL database, as libpq keywords or a URI; leave the password to ~/.pgpass.",
    )
    @click.option(
        "--published",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of published heads, when it is not the one of --data or --config.",
    )
    @functools.wraps(command)
    def wrapper(
        *args: Any,
        data: Path | None,
        config_path: Path | None,
        database: str | None,
        published: Path | None,
        **kwargs: Any,
    ) -> Any:
        kwargs["reach"] = find(data, config_path, database, published)
        return command(*args, **kwargs)

    return wrapper  # type: ignore[return-value]


def find(data: Path | None, config_path: Path | None, database: str | None, published: Path | None) -> Reach:
    """Where the options say that the ledger is; a usage error when they contradict each other."""
    source = click.get_current_context().get_parameter_source
    given = [
        name
        for name, value in (("data", data), ("config_path", config_path), ("database", database))
        if value is not None
    ]
    explicit = [name for name in given if source(name) is click.core.ParameterSource.COMMANDLINE]
    if len(explicit) > 1 and set(explicit) != {"config_path", "database"}:
        raise click.UsageError("--data excludes --config and --database")
    chosen = explicit or given[:1]
    if "config_path" in chosen:
        assert config_path is not None
        return _of_config(config_path, database if "database" in chosen else None, published)
    if "database" in chosen:
        return Reach(None, database, published, None)
    return _of_folder(data or DEFAULT_FOLDER, published)


def _of_folder(data: Path, published: Path | None) -> Reach:
    """The layout of an embedded server; also a bare ledger folder."""
    bare = (data / DATABASE).exists()
    folder = data if bare else data / "ledger"
    option = "" if data == DEFAULT_FOLDER else f" --data {shlex.quote(str(data))}"
    return Reach(folder, None, published or data / "published", data / "keys", option=option)


def _of_config(path: Path, database: str | None, published: Path | None) -> Reach:
    from attending.server.config import load_config
    from attending.server.database import conninfo_of

    config = load_config(path)
    storage = config.storage
    return Reach(
        folder=storage.folder,
        database=database or conninfo_of(storage),
        published=published or storage.place_of_heads,
        keys=storage.place_of_keys,
        claim_retention=timedelta(days=config.idempotency.retention_days),
        option=f" --config {shlex.quote(str(path))}",
    )
