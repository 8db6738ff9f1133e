CREATE TABLE log_stop (
	log_id VARCHAR(63) NOT NULL, 
	reason VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_log_stop PRIMARY KEY (log_id)
)
 WITHOUT ROWID
--;
CREATE TRIGGER log_stop_refuse_replace BEFORE INSERT ON log_stop WHEN EXISTS (SELECT 1 FROM log_stop WHERE log_id = NEW.log_id) BEGIN SELECT RAISE(ABORT, 'log_stop is insert-only'); END
--;
CREATE TRIGGER log_stop_refuse_update BEFORE UPDATE ON log_stop BEGIN SELECT RAISE(ABORT, 'log_stop is insert-only'); END
--;
CREATE TRIGGER log_stop_refuse_delete BEFORE DELETE ON log_stop WHEN OLD.reason = 'LOG_SEALED' BEGIN SELECT RAISE(ABORT, 'log_stop is insert-only'); END
--;
INSERT INTO ledger VALUES ('rebuilding', 0)
--;
DROP TRIGGER idempotency_refuse_replace
--;
DROP TRIGGER idempotency_refuse_update
--;
DROP INDEX ix_idempotency_created_at
--;
ALTER TABLE idempotency RENAME TO idempotency_1
--;
CREATE TABLE idempotency (
	log_id VARCHAR(63) NOT NULL, 
	"key" VARCHAR(255) NOT NULL, 
	fingerprint BLOB NOT NULL, 
	stream VARCHAR(255) NOT NULL, 
	created_at VARCHAR(27) NOT NULL, 
	first_index BIGINT NOT NULL, 
	entries BIGINT NOT NULL, 
	CONSTRAINT pk_idempotency PRIMARY KEY (log_id, "key")
)
 WITHOUT ROWID
--;
CREATE INDEX ix_idempotency_created_at ON idempotency (created_at)
--;
INSERT INTO idempotency
SELECT o.log_id, o."key", o.fingerprint, o.stream, o.created_at,
  COALESCE((SELECT MIN(e.entry_index) FROM entry AS e WHERE e.log_id = o.log_id AND e.stream = o.stream), 0), 1
FROM idempotency_1 AS o
--;
DROP TABLE idempotency_1
--;
CREATE TRIGGER idempotency_refuse_replace BEFORE INSERT ON idempotency WHEN EXISTS (SELECT 1 FROM idempotency WHERE log_id = NEW.log_id AND key = NEW.key) BEGIN SELECT RAISE(ABORT, 'idempotency is insert-only'); END
--;
CREATE TRIGGER idempotency_refuse_update BEFORE UPDATE ON idempotency BEGIN SELECT RAISE(ABORT, 'idempotency is insert-only'); END
