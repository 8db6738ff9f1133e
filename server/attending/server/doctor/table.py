"""Every check of the doctor, in the order in which they are told: what the rest rests on first.

Adding one takes a function and a line here.
"""

from __future__ import annotations

from typing import Final

from attending.server.doctor.run import Listed

_HERE: Final = "attending.server.doctor"

CHECKS: Final[tuple[Listed, ...]] = (
    Listed("configuration", "mode", f"{_HERE}.configuration:mode", 5),
    Listed("configuration", "file", f"{_HERE}.configuration:file", 5),
    Listed("clock", "kept", f"{_HERE}.clocks:kept", 5),
    Listed("clock", "newest entry", f"{_HERE}.clocks:newest_entry", 20),
    Listed("clock", "database", f"{_HERE}.clocks:database", 20),
    Listed("disk", "folders", f"{_HERE}.disks:folders", 10),
    Listed("disk", "room", f"{_HERE}.disks:room", 10),
    Listed("disk", "file systems", f"{_HERE}.disks:kinds", 10),
    Listed("disk", "apart", f"{_HERE}.disks:apart", 10),
    Listed("keys", "secrets", f"{_HERE}.keys:named", 10),
    Listed("keys", "places", f"{_HERE}.keys:beside", 5),
    Listed("keys", "root", f"{_HERE}.keys:root", 60),
    Listed("keys", "files", f"{_HERE}.keys:files", 30),
    Listed("keys", "logs", f"{_HERE}.keys:logs", 60),
    Listed("tls", "server certificate", f"{_HERE}.certificates:server", 5),
    Listed("tls", "host names", f"{_HERE}.certificates:names", 5),
    Listed("tls", "client authorities", f"{_HERE}.certificates:client_authorities", 5),
    Listed("tls", "revocation lists", f"{_HERE}.certificates:revocation", 10),
    Listed("database", "settings", f"{_HERE}.databases:settings", 30),
    Listed("database", "schema", f"{_HERE}.databases:schema", 30),
    Listed("database", "logs", f"{_HERE}.databases:stopped", 20),
    Listed("database", "published heads", f"{_HERE}.databases:heads", 60),
    Listed("database", "halts", f"{_HERE}.databases:halted", 20),
    Listed("providers", "on this machine", f"{_HERE}.providers:local", 20),
    Listed("providers", "behind a network", f"{_HERE}.providers:remote", 60),
    Listed("providers", "of identities", f"{_HERE}.providers:identity", 60),
    Listed("providers", "agreements", f"{_HERE}.agreements:agreements", 5),
    Listed("providers", "residency", f"{_HERE}.agreements:residency", 5),
    Listed("notices", "webhooks", f"{_HERE}.notices:webhooks", 300),
    Listed("notices", "mail", f"{_HERE}.notices:mail", 20),
    Listed("record systems", "written to", f"{_HERE}.record_systems:written", 300),
    Listed("record systems", "opening the console", f"{_HERE}.record_systems:opening", 120),
    Listed("policies", "clinical", f"{_HERE}.policies:clinical", 180),
    Listed("policies", "reviews", f"{_HERE}.policies:reviewed", 20),
    Listed("policies", "authorisation", f"{_HERE}.policies:authorization", 60),
    Listed("policies", "drug knowledge", f"{_HERE}.policies:knowledge", 20),
    Listed("policies", "in force", f"{_HERE}.policies:in_force", 30),
    Listed("policies", "retention", f"{_HERE}.agreements:retention", 5),
    Listed("people", "expiry", f"{_HERE}.identities:expiry", 20),
    Listed("people", "signers", f"{_HERE}.identities:signers", 20),
    Listed("people", "duties", f"{_HERE}.identities:duties", 20),
    Listed("people", "proofing", f"{_HERE}.people:awaiting", 20),
    Listed("people", "revocations", f"{_HERE}.people:revoked", 20),
    Listed("people", "emergencies", f"{_HERE}.people:emergencies", 20),
    Listed("machine", "ports", f"{_HERE}.ports:ports", 20),
    Listed("machine", "open files", f"{_HERE}.limits:open_files", 5),
    Listed("machine", "memory", f"{_HERE}.limits:memory", 5),
    Listed("machine", "time of a call", f"{_HERE}.limits:check_time", 5),
)
