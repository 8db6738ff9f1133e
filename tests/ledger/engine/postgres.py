"""One PostgreSQL cluster a test process, and a fresh database a test, copied from one that is prepared."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Final

from attending.ledger.store import postgres_admin
from sqlalchemy import MetaData

from tests.postgres_cluster import Cluster

LOGIN: Final = "app"
_TEMPLATE: Final = "prepared"
_numbers = itertools.count()


def prepared_cluster(metadata: MetaData) -> Iterator[Cluster]:
    """A running cluster with the login of a server and a prepared database to copy."""
    cluster = Cluster()
    try:
        cluster.start()
        cluster.execute(f"CREATE ROLE {LOGIN} LOGIN", f"CREATE DATABASE {_TEMPLATE}")
        postgres_admin.prepare(cluster.conninfo(_TEMPLATE), [metadata], grant_to=[LOGIN])
        yield cluster
    finally:
        cluster.destroy()


def fresh_database(cluster: Cluster) -> str:
    """The name of a new database, prepared and empty."""
    name = f"t{os.getpid()}_{next(_numbers)}"
    cluster.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} STRATEGY file_copy")
    return name
