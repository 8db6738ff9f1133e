"""HTTP: static reads of the logs (C2SP tlog-tiles)."""
