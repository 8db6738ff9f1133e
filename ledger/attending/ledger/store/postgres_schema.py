"""What PostgreSQL keeps of the ledger beside its tables: functions, triggers, roles and grants.

Three things stand between a mistake and the log. Triggers, enabled ALWAYS, refuse every change of a log row,
also TRUNCATE, also from the tables' owner. The server's role has no right to make one. And the role that the
server connects as is neither the owner of the tables nor a superuser, so it cannot switch the triggers off:
start-up refuses otherwise. Against whoever administers the database they are no protection; the chain, the
signed heads and the places outside it are.

Roles (none can log in; a site grants `attending_server` to the login of its servers):
  attending_owner   owns tables and functions; migrations run as it
  attending_server  reads all, inserts into the log, moves heads, writes projections
  attending_vault   may delete payloads and pseudonyms, through two functions and only what triggers allow
  attending_reader  reads entries, tiles and heads; no payloads, no pseudonyms
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from attending.ledger.store import schema
from sqlalchemy import Table
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.schema import CreateIndex, CreateTable

SCHEMA: Final = "attending"
OWNER: Final = "attending_owner"
SERVER: Final = "attending_server"
VAULT: Final = "attending_vault"
READER: Final = "attending_reader"
ROLES: Final = (OWNER, SERVER, VAULT, READER)

# pg_trigger.tgtype (PostgreSQL source, catalog/pg_trigger.h).
_ROW, _BEFORE, _INSERT, _DELETE, _UPDATE, _TRUNCATE = 1, 2, 4, 8, 16, 32
_CHANGES: Final = _BEFORE | _DELETE | _UPDATE | _TRUNCATE


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger of the ledger: `kind` is its pg_trigger.tgtype."""

    name: str
    table: str
    function: str
    kind: int

    @property
    def statements(self) -> tuple[str, str]:
        """Creates it, enabled also for replication sessions."""
        events = [
            word for bit, word in (
                (_INSERT, "INSERT"), (_UPDATE, "UPDATE"), (_DELETE, "DELETE"), (_TRUNCATE, "TRUNCATE"),
            )
            if self.kind & bit
        ]  # fmt: skip
        each = "ROW" if self.kind & _ROW else "STATEMENT"
        return (
            f"CREATE TRIGGER {self.name} BEFORE {' OR '.join(events)} ON {self.table}"
            f" FOR EACH {each} EXECUTE FUNCTION {self.function}()",
            f"ALTER TABLE {self.table} ENABLE ALWAYS TRIGGER {self.name}",
        )


FUNCTIONS: Final = {
    "ledger_refuse": """
BEGIN
  RAISE EXCEPTION '% refuses %', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END
""",
    "ledger_head_grows": """
BEGIN
  IF NEW.log_id <> OLD.log_id OR NEW.size <= OLD.size OR NEW.time < OLD.time THEN
    RAISE EXCEPTION 'log_head may only grow' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END
""",
    "ledger_seal_stays": f"""
BEGIN
  IF OLD.reason = '{schema.SEALED}' THEN
    RAISE EXCEPTION 'log_stop keeps a seal' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN OLD;
END
""",
    "ledger_payload_goes": """
BEGIN
  IF NOT EXISTS (SELECT 1 FROM attending.removal AS r
                 WHERE r.log_id = OLD.log_id AND r.record = OLD.record) THEN
    RAISE EXCEPTION 'payload is insert-only' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN OLD;
END
""",
    # `custody_hold` is a table of `attending.ledger.custody.tables`; without it the statement fails, and nothing goes.
    "ledger_removal_has_certificate": """
BEGIN
  IF NOT EXISTS (
    SELECT 1 FROM attending.payload AS p
    WHERE p.log_id = NEW.log_id AND p.record = NEW.record AND p.entry_index = NEW.entry_index
      AND (EXISTS (SELECT 1 FROM attending.erasure AS e WHERE e.log_id = p.log_id
                   AND e.pseudonym = p.subject AND e.entry_index = NEW.removed_by)
           OR (EXISTS (SELECT 1 FROM attending.entry AS n WHERE n.log_id = p.log_id
                       AND n.entry_index = NEW.removed_by AND n.type = 'payload.pruned')
               AND NOT EXISTS (SELECT 1 FROM attending.custody_hold AS h
                               WHERE h.log_id = p.log_id AND h.subject = p.subject))))
    AND NOT (
      -- What a restore puts back: the payload is gone, and its certificate is on record.
      NOT EXISTS (SELECT 1 FROM attending.payload AS p WHERE p.log_id = NEW.log_id AND p.record = NEW.record)
      AND EXISTS (SELECT 1 FROM attending.entry AS n WHERE n.log_id = NEW.log_id
                  AND n.entry_index = NEW.removed_by AND n.type IN ('payload.pruned', 'subject.erased'))) THEN
    RAISE EXCEPTION 'payload is neither erased nor pruned, or is on hold' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END
""",
    "ledger_pseudonym_goes": """
BEGIN
  IF NOT EXISTS (SELECT 1 FROM attending.erasure AS e
                 WHERE e.log_id = OLD.log_id AND e.pseudonym = OLD.pseudonym) THEN
    RAISE EXCEPTION 'subject_map is insert-only' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN OLD;
END
""",
}
"""Trigger function to its body, as pg_proc.prosrc holds it."""

_INSERT_ONLY: Final = ("log", "entry", "tile", "erasure", "removal", "introduction")


def triggers() -> tuple[Trigger, ...]:
    """Every trigger of the ledger."""
    refuse = [Trigger(f"{table}_refuse", table, "ledger_refuse", _CHANGES) for table in _INSERT_ONLY]
    kept = [
        Trigger(f"{table}_refuse", table, "ledger_refuse", _BEFORE | _UPDATE | _TRUNCATE)
        for table in ("log_stop", "idempotency", "payload", "subject_map")
    ]
    return (
        *refuse,
        *kept,
        Trigger("log_head_refuse", "log_head", "ledger_refuse", _BEFORE | _DELETE | _TRUNCATE),
        Trigger("log_head_grows", "log_head", "ledger_head_grows", _ROW | _BEFORE | _UPDATE),
        Trigger("log_stop_seal_stays", "log_stop", "ledger_seal_stays", _ROW | _BEFORE | _DELETE),
        Trigger("payload_goes", "payload", "ledger_payload_goes", _ROW | _BEFORE | _DELETE),
        Trigger(
            "removal_has_certificate", "removal", "ledger_removal_has_certificate", _ROW | _BEFORE | _INSERT
        ),
        Trigger("subject_map_goes", "subject_map", "ledger_pseudonym_goes", _ROW | _BEFORE | _DELETE),
    )


DEFINER_FUNCTIONS: Final = {
    "forget_subject(log text, subject text)": (
        "DELETE FROM attending.subject_map AS m WHERE m.log_id = log AND m.pseudonym = subject"
    ),
    "drop_payloads(log text, records text[])": (
        "DELETE FROM attending.payload AS p WHERE p.log_id = log AND p.record = ANY(records)"
    ),
}
"""What the vault's role does for the server's: signature to statement."""

SERVER_GRANTS: Final = {
    "ledger": "SELECT, UPDATE",
    "log": "SELECT, INSERT",
    "entry": "SELECT, INSERT",
    "tile": "SELECT, INSERT",
    "log_head": "SELECT, INSERT, UPDATE",
    "log_stop": "SELECT, INSERT, DELETE",
    "idempotency": "SELECT, INSERT, DELETE",
    "payload": "SELECT, INSERT",
    "subject_map": "SELECT, INSERT",
    "erasure": "SELECT, INSERT",
    "owner_beat": "SELECT, INSERT, UPDATE, DELETE",
    "removal": "SELECT, INSERT",
    "introduction": "SELECT, INSERT",
}
READER_TABLES: Final = ("log", "entry", "tile", "log_head", "log_stop", "introduction")
FORBIDDEN: Final = {
    "log": "UPDATE, DELETE, TRUNCATE, TRIGGER",
    "entry": "UPDATE, DELETE, TRUNCATE, TRIGGER",
    "tile": "UPDATE, DELETE, TRUNCATE, TRIGGER",
    "erasure": "UPDATE, DELETE, TRUNCATE, TRIGGER",
    "removal": "UPDATE, DELETE, TRUNCATE, TRIGGER",
    "introduction": "UPDATE, DELETE, TRUNCATE, TRIGGER",
    "log_head": "DELETE, TRUNCATE, TRIGGER",
    "payload": "UPDATE, DELETE, TRUNCATE, TRIGGER",
    "subject_map": "UPDATE, DELETE, TRUNCATE, TRIGGER",
}
"""Rights that the role of a server must not have."""


def create_tables(tables: Iterable[Table]) -> list[str]:
    """CREATE statements of `tables` with their indexes, unqualified."""
    dialect = PGDialect()  # type: ignore[no-untyped-call]
    statements = []
    for table in tables:
        statements.append(str(CreateTable(table).compile(dialect=dialect)).strip())
        statements += [str(CreateIndex(index).compile(dialect=dialect)).strip() for index in table.indexes]
    return statements


def create_functions() -> list[str]:
    """CREATE statements of the trigger functions."""
    return [
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $body${body}$body$"
        for name, body in FUNCTIONS.items()
    ]


def create_definers() -> list[str]:
    """CREATE statements of the vault's functions; run as the owner, who hands them over."""
    statements = [f"GRANT CREATE ON SCHEMA {SCHEMA} TO {VAULT}"]
    for signature, body in DEFINER_FUNCTIONS.items():
        name = signature.partition("(")[0]
        kinds = ", ".join(part.split()[1] for part in signature.partition("(")[2].rstrip(")").split(", "))
        statements += [
            f"CREATE OR REPLACE FUNCTION {signature} RETURNS void LANGUAGE sql SECURITY DEFINER"
            f" SET search_path = {SCHEMA}, pg_temp AS $body$ {body} $body$",
            f"REVOKE ALL ON FUNCTION {name}({kinds}) FROM PUBLIC",
            f"GRANT EXECUTE ON FUNCTION {name}({kinds}) TO {SERVER}",
            f"ALTER FUNCTION {name}({kinds}) OWNER TO {VAULT}",
        ]
    return [*statements, f"REVOKE CREATE ON SCHEMA {SCHEMA} FROM {VAULT}"]


def create_grants() -> list[str]:
    """GRANT statements of the ledger's tables."""
    statements = [f"GRANT USAGE ON SCHEMA {SCHEMA} TO {SERVER}, {VAULT}, {READER}"]
    statements += [f"GRANT {rights} ON {table} TO {SERVER}" for table, rights in SERVER_GRANTS.items()]
    statements += [f"GRANT SELECT ON {table} TO {READER}" for table in READER_TABLES]
    statements += [f"GRANT SELECT, DELETE ON {table} TO {VAULT}" for table in ("payload", "subject_map")]
    statements += [f"GRANT SELECT ON {table} TO {VAULT}" for table in ("erasure", "removal")]
    return statements


def prepare_database() -> list[str]:
    """Roles and the schema, for an administrator who may create both; safe to repeat."""
    statements = [
        f"DO $body$ BEGIN CREATE ROLE {role} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $body$"
        for role in ROLES
    ]
    return [
        *statements,
        f"GRANT {OWNER} TO CURRENT_USER",
        f"GRANT {VAULT} TO {OWNER}",
        f"CREATE SCHEMA IF NOT EXISTS {SCHEMA} AUTHORIZATION {OWNER}",
        f"REVOKE ALL ON SCHEMA {SCHEMA} FROM PUBLIC",
    ]
