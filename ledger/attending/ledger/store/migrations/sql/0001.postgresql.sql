CREATE TABLE entry (
    log_id VARCHAR(63) COLLATE "C" NOT NULL, 
    entry_index BIGINT NOT NULL, 
    data BYTEA NOT NULL, 
    leaf_hash BYTEA NOT NULL, 
    stream VARCHAR(255) COLLATE "C" NOT NULL, 
    stream_version BIGINT NOT NULL, 
    type VARCHAR(129) COLLATE "C" NOT NULL, 
    CONSTRAINT pk_entry PRIMARY KEY (log_id, entry_index)
)
--;
CREATE UNIQUE INDEX uq_entry_log_id_stream_stream_version ON entry (log_id, stream, stream_version)
--;
CREATE TABLE erasure (
    log_id VARCHAR(63) COLLATE "C" NOT NULL, 
    pseudonym VARCHAR(64) COLLATE "C" NOT NULL, 
    entry_index BIGINT NOT NULL, 
    CONSTRAINT pk_erasure PRIMARY KEY (log_id, pseudonym)
)
--;
CREATE TABLE idempotency (
    log_id VARCHAR(63) COLLATE "C" NOT NULL, 
    key VARCHAR(255) COLLATE "C" NOT NULL, 
    fingerprint BYTEA NOT NULL, 
    stream VARCHAR(255) COLLATE "C" NOT NULL, 
    created_at VARCHAR(27) COLLATE "C" NOT NULL, 
    CONSTRAINT pk_idempotency PRIMARY KEY (log_id, key)
)
--;
CREATE INDEX ix_idempotency_created_at ON idempotency (created_at)
--;
CREATE TABLE ledger (
    name VARCHAR(32) COLLATE "C" NOT NULL, 
    value BIGINT NOT NULL, 
    CONSTRAINT pk_ledger PRIMARY KEY (name)
)
--;
CREATE TABLE log (
    log_id VARCHAR(63) COLLATE "C" NOT NULL, 
    origin VARCHAR(255) COLLATE "C" NOT NULL, 
    verifier_key VARCHAR(512) COLLATE "C" NOT NULL, 
    created_at VARCHAR(27) COLLATE "C" NOT NULL, 
    CONSTRAINT pk_log PRIMARY KEY (log_id), 
    CONSTRAINT uq_log_origin UNIQUE (origin)
)
--;
CREATE TABLE log_head (
    log_id VARCHAR(63) COLLATE "C" NOT NULL, 
    size BIGINT NOT NULL, 
    root BYTEA NOT NULL, 
    last_leaf BYTEA NOT NULL, 
    time VARCHAR(27) COLLATE "C" NOT NULL, 
    CONSTRAINT pk_log_head PRIMARY KEY (log_id)
)
--;
CREATE TABLE payload (
    log_id VARCHAR(63) COLLATE "C" NOT NULL, 
    record VARCHAR(64) COLLATE "C" NOT NULL, 
    entry_index BIGINT NOT NULL, 
    kind VARCHAR(64) COLLATE "C" NOT NULL, 
    subject VARCHAR(64) COLLATE "C" NOT NULL, 
    sealed BYTEA NOT NULL, 
    wrapped_key BYTEA NOT NULL, 
    CONSTRAINT pk_payload PRIMARY KEY (log_id, record)
)
--;
CREATE INDEX ix_payload_log_id_subject ON payload (log_id, subject)
--;
CREATE TABLE subject_map (
    log_id VARCHAR(63) COLLATE "C" NOT NULL, 
    lookup BYTEA NOT NULL, 
    pseudonym VARCHAR(64) COLLATE "C" NOT NULL, 
    CONSTRAINT pk_subject_map PRIMARY KEY (log_id, lookup), 
    CONSTRAINT uq_subject_map_log_id_pseudonym UNIQUE (log_id, pseudonym)
)
--;
CREATE TABLE tile (
    log_id VARCHAR(63) COLLATE "C" NOT NULL, 
    level BIGINT NOT NULL, 
    tile_index BIGINT NOT NULL, 
    hashes BYTEA NOT NULL, 
    CONSTRAINT pk_tile PRIMARY KEY (log_id, level, tile_index)
)
--;
CREATE OR REPLACE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  RAISE EXCEPTION '% refuses %', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END
$body$
--;
CREATE OR REPLACE FUNCTION ledger_head_grows() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  IF NEW.log_id <> OLD.log_id OR NEW.size <= OLD.size OR NEW.time < OLD.time THEN
    RAISE EXCEPTION 'log_head may only grow' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END
$body$
--;
CREATE OR REPLACE FUNCTION ledger_payload_goes() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM attending.erasure AS e
                 WHERE e.log_id = OLD.log_id AND e.pseudonym = OLD.subject) THEN
    RAISE EXCEPTION 'payload is insert-only' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN OLD;
END
$body$
--;
CREATE OR REPLACE FUNCTION ledger_pseudonym_goes() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM attending.erasure AS e
                 WHERE e.log_id = OLD.log_id AND e.pseudonym = OLD.pseudonym) THEN
    RAISE EXCEPTION 'subject_map is insert-only' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN OLD;
END
$body$
--;
GRANT CREATE ON SCHEMA attending TO attending_vault
--;
CREATE OR REPLACE FUNCTION forget_subject(log text, subject text) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = attending, pg_temp AS $body$ DELETE FROM attending.subject_map AS m WHERE m.log_id = log AND m.pseudonym = subject $body$
--;
REVOKE ALL ON FUNCTION forget_subject(text, text) FROM PUBLIC
--;
GRANT EXECUTE ON FUNCTION forget_subject(text, text) TO attending_server
--;
ALTER FUNCTION forget_subject(text, text) OWNER TO attending_vault
--;
CREATE OR REPLACE FUNCTION drop_payloads(log text, records text[]) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = attending, pg_temp AS $body$ DELETE FROM attending.payload AS p WHERE p.log_id = log AND p.record = ANY(records) $body$
--;
REVOKE ALL ON FUNCTION drop_payloads(text, text[]) FROM PUBLIC
--;
GRANT EXECUTE ON FUNCTION drop_payloads(text, text[]) TO attending_server
--;
ALTER FUNCTION drop_payloads(text, text[]) OWNER TO attending_vault
--;
REVOKE CREATE ON SCHEMA attending FROM attending_vault
--;
CREATE TRIGGER log_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON log FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()
--;
ALTER TABLE log ENABLE ALWAYS TRIGGER log_refuse
--;
CREATE TRIGGER entry_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON entry FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()
--;
ALTER TABLE entry ENABLE ALWAYS TRIGGER entry_refuse
--;
CREATE TRIGGER tile_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON tile FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()
--;
ALTER TABLE tile ENABLE ALWAYS TRIGGER tile_refuse
--;
CREATE TRIGGER erasure_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON erasure FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()
--;
ALTER TABLE erasure ENABLE ALWAYS TRIGGER erasure_refuse
--;
CREATE TRIGGER idempotency_refuse BEFORE UPDATE OR TRUNCATE ON idempotency FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()
--;
ALTER TABLE idempotency ENABLE ALWAYS TRIGGER idempotency_refuse
--;
CREATE TRIGGER payload_refuse BEFORE UPDATE OR TRUNCATE ON payload FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()
--;
ALTER TABLE payload ENABLE ALWAYS TRIGGER payload_refuse
--;
CREATE TRIGGER subject_map_refuse BEFORE UPDATE OR TRUNCATE ON subject_map FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()
--;
ALTER TABLE subject_map ENABLE ALWAYS TRIGGER subject_map_refuse
--;
CREATE TRIGGER log_head_refuse BEFORE DELETE OR TRUNCATE ON log_head FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()
--;
ALTER TABLE log_head ENABLE ALWAYS TRIGGER log_head_refuse
--;
CREATE TRIGGER log_head_grows BEFORE UPDATE ON log_head FOR EACH ROW EXECUTE FUNCTION ledger_head_grows()
--;
ALTER TABLE log_head ENABLE ALWAYS TRIGGER log_head_grows
--;
CREATE TRIGGER payload_goes BEFORE DELETE ON payload FOR EACH ROW EXECUTE FUNCTION ledger_payload_goes()
--;
ALTER TABLE payload ENABLE ALWAYS TRIGGER payload_goes
--;
CREATE TRIGGER subject_map_goes BEFORE DELETE ON subject_map FOR EACH ROW EXECUTE FUNCTION ledger_pseudonym_goes()
--;
ALTER TABLE subject_map ENABLE ALWAYS TRIGGER subject_map_goes
--;
GRANT USAGE ON SCHEMA attending TO attending_server, attending_vault, attending_reader
--;
GRANT SELECT, UPDATE ON ledger TO attending_server
--;
GRANT SELECT, INSERT ON log TO attending_server
--;
GRANT SELECT, INSERT ON entry TO attending_server
--;
GRANT SELECT, INSERT ON tile TO attending_server
--;
GRANT SELECT, INSERT, UPDATE ON log_head TO attending_server
--;
GRANT SELECT, INSERT, DELETE ON idempotency TO attending_server
--;
GRANT SELECT, INSERT ON payload TO attending_server
--;
GRANT SELECT, INSERT ON subject_map TO attending_server
--;
GRANT SELECT, INSERT ON erasure TO attending_server
--;
GRANT SELECT ON log TO attending_reader
--;
GRANT SELECT ON entry TO attending_reader
--;
GRANT SELECT ON tile TO attending_reader
--;
GRANT SELECT ON log_head TO attending_reader
--;
GRANT SELECT, DELETE ON payload TO attending_vault
--;
GRANT SELECT, DELETE ON subject_map TO attending_vault
--;
GRANT SELECT ON erasure TO attending_vault
--;
INSERT INTO ledger VALUES ('schema', 1), ('epoch', 0)
