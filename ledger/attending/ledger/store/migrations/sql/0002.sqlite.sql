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
