CREATE TABLE introduction (
	log_id VARCHAR(63) COLLATE "C" NOT NULL, 
	entry_index BIGINT NOT NULL, 
	data BYTEA NOT NULL, 
	CONSTRAINT pk_introduction PRIMARY KEY (log_id, entry_index)
)
--;
CREATE TRIGGER introduction_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON introduction FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()
--;
ALTER TABLE introduction ENABLE ALWAYS TRIGGER introduction_refuse
--;
GRANT SELECT, INSERT ON introduction TO attending_server
--;
GRANT SELECT ON introduction TO attending_reader
