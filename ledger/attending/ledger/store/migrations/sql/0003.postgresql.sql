CREATE TABLE owner_beat (
	owner VARCHAR(64) COLLATE "C" NOT NULL, 
	expires_at BIGINT NOT NULL, 
	CONSTRAINT pk_owner_beat PRIMARY KEY (owner)
)
--;
GRANT SELECT, INSERT, UPDATE, DELETE ON owner_beat TO attending_server
