"""The life of an identity: enrolled, proofed by a second person, revoked; every step an entry."""
