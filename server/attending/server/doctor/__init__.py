"""`attending doctor`: is everything that a server needs as it must be, and if not, what is the next command to type."""
