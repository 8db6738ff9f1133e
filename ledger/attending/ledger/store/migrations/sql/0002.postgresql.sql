CREATE TABLE log_stop (
	log_id VARCHAR(63) COLLATE "C" NOT NULL, 
	reason VARCHAR(64) COLLATE "C" NOT NULL, 
	CONSTRAINT pk_log_stop PRIMARY KEY (log_id)
)
--;
CREATE OR REPLACE FUNCTION ledger_seal_stays() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  IF OLD.reason = 'LOG_SEALED' THEN
    RAISE EXCEPTION 'log_stop keeps a seal' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN OLD;
END
$body$
--;
CREATE TRIGGER log_stop_refuse BEFORE UPDATE OR TRUNCATE ON log_stop FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()
--;
ALTER TABLE log_stop ENABLE ALWAYS TRIGGER log_stop_refuse
--;
CREATE TRIGGER log_stop_seal_stays BEFORE DELETE ON log_stop FOR EACH ROW EXECUTE FUNCTION ledger_seal_stays()
--;
ALTER TABLE log_stop ENABLE ALWAYS TRIGGER log_stop_seal_stays
--;
GRANT SELECT, INSERT, DELETE ON log_stop TO attending_server
--;
GRANT SELECT ON log_stop TO attending_reader
