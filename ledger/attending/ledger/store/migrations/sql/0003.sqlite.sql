CREATE TABLE owner_beat (
	owner VARCHAR(64) NOT NULL, 
	expires_at BIGINT NOT NULL, 
	CONSTRAINT pk_owner_beat PRIMARY KEY (owner)
)
 WITHOUT ROWID
