CREATE TABLE custody_hold (
	log_id VARCHAR(63) NOT NULL, 
	subject VARCHAR(64) NOT NULL, 
	hold_id VARCHAR(64) NOT NULL, 
	placed_on VARCHAR(64) NOT NULL, 
	ground VARCHAR(32) NOT NULL, 
	entry_index BIGINT NOT NULL, 
	placed_at VARCHAR(27) NOT NULL, 
	CONSTRAINT pk_custody_hold PRIMARY KEY (log_id, subject, hold_id)
)
--;
CREATE TABLE custody_link (
	log_id VARCHAR(63) NOT NULL, 
	subject VARCHAR(64) NOT NULL, 
	other VARCHAR(64) NOT NULL, 
	entry_index BIGINT NOT NULL, 
	CONSTRAINT pk_custody_link PRIMARY KEY (log_id, subject, other)
)
--;
GRANT SELECT, INSERT, UPDATE, DELETE ON custody_hold TO attending_server
--;
GRANT SELECT, INSERT, UPDATE, DELETE ON custody_link TO attending_server
--;
CREATE TABLE removal (
	log_id VARCHAR(63) COLLATE "C" NOT NULL, 
	record VARCHAR(64) COLLATE "C" NOT NULL, 
	entry_index BIGINT NOT NULL, 
	removed_by BIGINT NOT NULL, 
	CONSTRAINT pk_removal PRIMARY KEY (log_id, record)
)
--;
CREATE OR REPLACE FUNCTION ledger_payload_goes() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM attending.removal AS r
                 WHERE r.log_id = OLD.log_id AND r.record = OLD.record) THEN
    RAISE EXCEPTION 'payload is insert-only' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN OLD;
END
$body$
--;
CREATE OR REPLACE FUNCTION ledger_removal_has_certificate() RETURNS trigger LANGUAGE plpgsql AS $body$
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
$body$
--;
CREATE TRIGGER removal_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON removal FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()
--;
ALTER TABLE removal ENABLE ALWAYS TRIGGER removal_refuse
--;
CREATE TRIGGER removal_has_certificate BEFORE INSERT ON removal FOR EACH ROW EXECUTE FUNCTION ledger_removal_has_certificate()
--;
ALTER TABLE removal ENABLE ALWAYS TRIGGER removal_has_certificate
--;
GRANT SELECT, INSERT ON removal TO attending_server
--;
GRANT SELECT ON removal TO attending_vault
