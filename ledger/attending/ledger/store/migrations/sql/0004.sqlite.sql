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
CREATE TABLE removal (
	log_id VARCHAR(63) NOT NULL, 
	record VARCHAR(64) NOT NULL, 
	entry_index BIGINT NOT NULL, 
	removed_by BIGINT NOT NULL, 
	CONSTRAINT pk_removal PRIMARY KEY (log_id, record)
)
 WITHOUT ROWID
--;
DROP TRIGGER payload_refuse_delete
--;
CREATE TRIGGER payload_refuse_delete BEFORE DELETE ON payload WHEN NOT EXISTS (SELECT 1 FROM removal AS r WHERE r.log_id = OLD.log_id AND r.record = OLD.record) BEGIN SELECT RAISE(ABORT, 'payload is insert-only'); END
--;
CREATE TRIGGER removal_refuse_replace BEFORE INSERT ON removal WHEN EXISTS (SELECT 1 FROM removal WHERE log_id = NEW.log_id AND record = NEW.record) BEGIN SELECT RAISE(ABORT, 'removal is insert-only'); END
--;
CREATE TRIGGER removal_refuse_update BEFORE UPDATE ON removal BEGIN SELECT RAISE(ABORT, 'removal is insert-only'); END
--;
CREATE TRIGGER removal_refuse_delete BEFORE DELETE ON removal BEGIN SELECT RAISE(ABORT, 'removal is insert-only'); END
--;
CREATE TRIGGER removal_refuse_without_certificate BEFORE INSERT ON removal WHEN NOT (EXISTS (SELECT 1 FROM payload AS p WHERE p.log_id = NEW.log_id AND p.record = NEW.record AND p.entry_index = NEW.entry_index AND (EXISTS (SELECT 1 FROM erasure AS e WHERE e.log_id = p.log_id AND e.pseudonym = p.subject AND e.entry_index = NEW.removed_by) OR (EXISTS (SELECT 1 FROM entry AS n WHERE n.log_id = p.log_id AND n.entry_index = NEW.removed_by AND n.type = 'payload.pruned') AND NOT EXISTS (SELECT 1 FROM custody_hold AS h WHERE h.log_id = p.log_id AND h.subject = p.subject)))) OR (NOT EXISTS (SELECT 1 FROM payload AS p WHERE p.log_id = NEW.log_id AND p.record = NEW.record) AND EXISTS (SELECT 1 FROM entry AS n WHERE n.log_id = NEW.log_id AND n.entry_index = NEW.removed_by AND n.type IN ('payload.pruned', 'subject.erased')))) BEGIN SELECT RAISE(ABORT, 'payload is neither erased nor pruned, or is on hold'); END
