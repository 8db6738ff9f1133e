CREATE TABLE introduction (
	log_id VARCHAR(63) NOT NULL, 
	entry_index BIGINT NOT NULL, 
	data BLOB NOT NULL, 
	CONSTRAINT pk_introduction PRIMARY KEY (log_id, entry_index)
)
 WITHOUT ROWID
--;
CREATE TRIGGER introduction_refuse_replace BEFORE INSERT ON introduction WHEN EXISTS (SELECT 1 FROM introduction WHERE log_id = NEW.log_id AND entry_index = NEW.entry_index) BEGIN SELECT RAISE(ABORT, 'introduction is insert-only'); END
--;
CREATE TRIGGER introduction_refuse_update BEFORE UPDATE ON introduction BEGIN SELECT RAISE(ABORT, 'introduction is insert-only'); END
--;
CREATE TRIGGER introduction_refuse_delete BEFORE DELETE ON introduction BEGIN SELECT RAISE(ABORT, 'introduction is insert-only'); END
