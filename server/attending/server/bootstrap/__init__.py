"""The embedded mode: a usable server in one data folder, with keys and demo identities made on the spot."""
