CREATE TABLE entry (
	log_id VARCHAR(63) NOT NULL, 
	entry_index BIGINT NOT NULL, 
	data BLOB NOT NULL, 
	leaf_hash BLOB NOT NULL, 
	stream VARCHAR(255) NOT NULL, 
	stream_version BIGINT NOT NULL, 
	type VARCHAR(129) NOT NULL, 
	CONSTRAINT pk_entry PRIMARY KEY (log_id, entry_index)
)
--;
CREATE UNIQUE INDEX uq_entry_log_id_stream_stream_version ON entry (log_id, stream, stream_version)
--;
CREATE TABLE erasure (
	log_id VARCHAR(63) NOT NULL, 
	pseudonym VARCHAR(64) NOT NULL, 
	entry_index BIGINT NOT NULL, 
	CONSTRAINT pk_erasure PRIMARY KEY (log_id, pseudonym)
)
 WITHOUT ROWID
--;
CREATE TABLE idempotency (
	log_id VARCHAR(63) NOT NULL, 
	"key" VARCHAR(255) NOT NULL, 
	fingerprint BLOB NOT NULL, 
	stream VARCHAR(255) NOT NULL, 
	created_at VARCHAR(27) NOT NULL, 
	CONSTRAINT pk_idempotency PRIMARY KEY (log_id, "key")
)
 WITHOUT ROWID
--;
CREATE INDEX ix_idempotency_created_at ON idempotency (created_at)
--;
CREATE TABLE ledger (
	name VARCHAR(32) NOT NULL, 
	value BIGINT NOT NULL, 
	CONSTRAINT pk_ledger PRIMARY KEY (name)
)
--;
CREATE TABLE log (
	log_id VARCHAR(63) NOT NULL, 
	origin VARCHAR(255) NOT NULL, 
	verifier_key VARCHAR(512) NOT NULL, 
	created_at VARCHAR(27) NOT NULL, 
	CONSTRAINT pk_log PRIMARY KEY (log_id), 
	CONSTRAINT uq_log_origin UNIQUE (origin)
)
--;
CREATE TABLE log_head (
	log_id VARCHAR(63) NOT NULL, 
	size BIGINT NOT NULL, 
	root BLOB NOT NULL, 
	last_leaf BLOB NOT NULL, 
	time VARCHAR(27) NOT NULL, 
	CONSTRAINT pk_log_head PRIMARY KEY (log_id)
)
 WITHOUT ROWID
--;
CREATE TABLE payload (
	log_id VARCHAR(63) NOT NULL, 
	record VARCHAR(64) NOT NULL, 
	entry_index BIGINT NOT NULL, 
	kind VARCHAR(64) NOT NULL, 
	subject VARCHAR(64) NOT NULL, 
	sealed BLOB NOT NULL, 
	wrapped_key BLOB NOT NULL, 
	CONSTRAINT pk_payload PRIMARY KEY (log_id, record)
)
--;
CREATE INDEX ix_payload_log_id_subject ON payload (log_id, subject)
--;
CREATE TABLE subject_map (
	log_id VARCHAR(63) NOT NULL, 
	lookup BLOB NOT NULL, 
	pseudonym VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_subject_map PRIMARY KEY (log_id, lookup), 
	CONSTRAINT uq_subject_map_log_id_pseudonym UNIQUE (log_id, pseudonym)
)
 WITHOUT ROWID
--;
CREATE TABLE tile (
	log_id VARCHAR(63) NOT NULL, 
	level BIGINT NOT NULL, 
	tile_index BIGINT NOT NULL, 
	hashes BLOB NOT NULL, 
	CONSTRAINT pk_tile PRIMARY KEY (log_id, level, tile_index)
)
--;
CREATE TRIGGER log_refuse_replace BEFORE INSERT ON log WHEN EXISTS (SELECT 1 FROM log WHERE log_id = NEW.log_id) OR EXISTS (SELECT 1 FROM log WHERE origin = NEW.origin) OR EXISTS (SELECT 1 FROM log WHERE rowid = NEW.rowid) BEGIN SELECT RAISE(ABORT, 'log is insert-only'); END
--;
CREATE TRIGGER log_refuse_update BEFORE UPDATE ON log BEGIN SELECT RAISE(ABORT, 'log is insert-only'); END
--;
CREATE TRIGGER log_refuse_delete BEFORE DELETE ON log BEGIN SELECT RAISE(ABORT, 'log is insert-only'); END
--;
CREATE TRIGGER entry_refuse_replace BEFORE INSERT ON entry WHEN EXISTS (SELECT 1 FROM entry WHERE log_id = NEW.log_id AND entry_index = NEW.entry_index) OR EXISTS (SELECT 1 FROM entry WHERE log_id = NEW.log_id AND stream = NEW.stream AND stream_version = NEW.stream_version) OR EXISTS (SELECT 1 FROM entry WHERE rowid = NEW.rowid) BEGIN SELECT RAISE(ABORT, 'entry is insert-only'); END
--;
CREATE TRIGGER entry_refuse_update BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'entry is insert-only'); END
--;
CREATE TRIGGER entry_refuse_delete BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'entry is insert-only'); END
--;
CREATE TRIGGER tile_refuse_replace BEFORE INSERT ON tile WHEN EXISTS (SELECT 1 FROM tile WHERE log_id = NEW.log_id AND level = NEW.level AND tile_index = NEW.tile_index) OR EXISTS (SELECT 1 FROM tile WHERE rowid = NEW.rowid) BEGIN SELECT RAISE(ABORT, 'tile is insert-only'); END
--;
CREATE TRIGGER tile_refuse_update BEFORE UPDATE ON tile BEGIN SELECT RAISE(ABORT, 'tile is insert-only'); END
--;
CREATE TRIGGER tile_refuse_delete BEFORE DELETE ON tile BEGIN SELECT RAISE(ABORT, 'tile is insert-only'); END
--;
CREATE TRIGGER log_head_refuse_replace BEFORE INSERT ON log_head WHEN EXISTS (SELECT 1 FROM log_head WHERE log_id = NEW.log_id) BEGIN SELECT RAISE(ABORT, 'log_head exists'); END
--;
CREATE TRIGGER log_head_refuse_update BEFORE UPDATE ON log_head WHEN NEW.log_id <> OLD.log_id OR NEW.size <= OLD.size OR NEW.time < OLD.time BEGIN SELECT RAISE(ABORT, 'log_head may only grow'); END
--;
CREATE TRIGGER log_head_refuse_delete BEFORE DELETE ON log_head BEGIN SELECT RAISE(ABORT, 'log_head may only grow'); END
--;
CREATE TRIGGER idempotency_refuse_replace BEFORE INSERT ON idempotency WHEN EXISTS (SELECT 1 FROM idempotency WHERE log_id = NEW.log_id AND key = NEW.key) BEGIN SELECT RAISE(ABORT, 'idempotency is insert-only'); END
--;
CREATE TRIGGER idempotency_refuse_update BEFORE UPDATE ON idempotency BEGIN SELECT RAISE(ABORT, 'idempotency is insert-only'); END
--;
CREATE TRIGGER payload_refuse_replace BEFORE INSERT ON payload WHEN EXISTS (SELECT 1 FROM payload WHERE log_id = NEW.log_id AND record = NEW.record) OR EXISTS (SELECT 1 FROM payload WHERE rowid = NEW.rowid) BEGIN SELECT RAISE(ABORT, 'payload is insert-only'); END
--;
CREATE TRIGGER payload_refuse_update BEFORE UPDATE ON payload BEGIN SELECT RAISE(ABORT, 'payload is insert-only'); END
--;
CREATE TRIGGER payload_refuse_delete BEFORE DELETE ON payload WHEN NOT EXISTS (SELECT 1 FROM erasure AS e WHERE e.log_id = OLD.log_id AND e.pseudonym = OLD.subject) BEGIN SELECT RAISE(ABORT, 'payload is insert-only'); END
--;
CREATE TRIGGER subject_map_refuse_replace BEFORE INSERT ON subject_map WHEN EXISTS (SELECT 1 FROM subject_map WHERE log_id = NEW.log_id AND lookup = NEW.lookup) OR EXISTS (SELECT 1 FROM subject_map WHERE log_id = NEW.log_id AND pseudonym = NEW.pseudonym) BEGIN SELECT RAISE(ABORT, 'subject_map is insert-only'); END
--;
CREATE TRIGGER subject_map_refuse_update BEFORE UPDATE ON subject_map BEGIN SELECT RAISE(ABORT, 'subject_map is insert-only'); END
--;
CREATE TRIGGER subject_map_refuse_delete BEFORE DELETE ON subject_map WHEN NOT EXISTS (SELECT 1 FROM erasure AS e WHERE e.log_id = OLD.log_id AND e.pseudonym = OLD.pseudonym) BEGIN SELECT RAISE(ABORT, 'subject_map is insert-only'); END
--;
CREATE TRIGGER erasure_refuse_replace BEFORE INSERT ON erasure WHEN EXISTS (SELECT 1 FROM erasure WHERE log_id = NEW.log_id AND pseudonym = NEW.pseudonym) BEGIN SELECT RAISE(ABORT, 'erasure is insert-only'); END
--;
CREATE TRIGGER erasure_refuse_update BEFORE UPDATE ON erasure BEGIN SELECT RAISE(ABORT, 'erasure is insert-only'); END
--;
CREATE TRIGGER erasure_refuse_delete BEFORE DELETE ON erasure BEGIN SELECT RAISE(ABORT, 'erasure is insert-only'); END
--;
INSERT INTO ledger VALUES ('schema', 1), ('epoch', 0)
