"""A database in the configuration: its secrets stand elsewhere, and what contradicts itself is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attending.server.config import StorageSection
from attending.server.database import conninfo_of, flaw
from attending.server.errors import ConfigurationError
from psycopg.conninfo import conninfo_to_dict

from tests.server.test_config import SECRET, minimal, problem


def storage(**keys: Any) -> dict[str, Any]:
    data = minimal()
    data["storage"] |= keys
    return data


@pytest.mark.parametrize(
    "conninfo",
    [
        f"host=db password={SECRET}",
        f"host=db password = '{SECRET}'",
        f"postgresql://app:{SECRET}@db/attending",
        f"postgresql://app@db/attending?password={SECRET}",
        f"host=db sslpassword={SECRET}",
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(conninfo: str) -> None:
    found = problem(storage(database=conninfo))
    assert "holds a secret" in found
    assert "database_password_file" in found
    assert SECRET not in found


def test_a_string_that_libpq_does_not_read_is_refused() -> None:
    assert "neither libpq keywords nor a URI" in problem(storage(database=f"hots=db {SECRET}"))
    assert SECRET not in problem(storage(database=f"hots={SECRET}"))


@pytest.mark.parametrize(
    ("keys", "part"),
    [
        ({"database": "dbname=a", "database_env": "DSN"}, "exclude each other"),
        ({"database_password_file": "p"}, "needs `database`"),
        ({"database_env": "DSN", "database_password_file": "p"}, "needs `database`"),
        ({"require_replication": True}, "needs `database`"),
        ({"database": "dbname=a", "owner_lease_seconds": 0.5}, "owner_lease_seconds"),
    ],
)
def test_what_contradicts_itself_is_refused(keys: dict[str, Any], part: str) -> None:
    assert part in problem(storage(**keys))


def test_one_port_for_several_needs_one_log() -> None:
    data = minimal()
    data["server"]["reuse_port"] = True
    assert "reuse_port" in problem(data)


def test_the_password_comes_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "db.password"
    file.touch(mode=0o600)
    file.write_text(f"{SECRET} with 'quotes' \\ and space\n")
    section = StorageSection(
        folder=tmp_path, database="postgresql://app@db/attending", database_password_file=file
    )
    found = conninfo_of(section)
    assert found is not None
    parts = conninfo_to_dict(found)
    assert parts["password"] == f"{SECRET} with 'quotes' \\ and space"
    assert (parts["user"], parts["host"], parts["dbname"]) == ("app", "db", "attending")
    file.chmod(0o644)
    with pytest.raises(ConfigurationError) as open_to_others:
        conninfo_of(section)
    assert "600" in open_to_others.value.problem
    file.unlink()
    with pytest.raises(ConfigurationError) as missing:
        conninfo_of(section)
    assert "database_password_file" in missing.value.problem


def test_all_of_it_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section = StorageSection(folder=tmp_path, database_env="ATTENDING_TEST_DSN")
    monkeypatch.delenv("ATTENDING_TEST_DSN", raising=False)
    with pytest.raises(ConfigurationError) as unset:
        conninfo_of(section)
    assert "ATTENDING_TEST_DSN" in unset.value.problem
    monkeypatch.setenv("ATTENDING_TEST_DSN", f"nonsense {SECRET}")
    with pytest.raises(ConfigurationError) as wrong:
        conninfo_of(section)
    assert SECRET not in wrong.value.problem
    monkeypatch.setenv("ATTENDING_TEST_DSN", f"dbname=a password={SECRET}")
    assert conninfo_of(section) == f"dbname=a password={SECRET}"


def test_without_a_database_there_is_none(tmp_path: Path) -> None:
    assert conninfo_of(StorageSection(folder=tmp_path)) is None
    assert flaw("host=db dbname=attending user=app sslmode=verify-full passfile=/run/pgpass") is None
