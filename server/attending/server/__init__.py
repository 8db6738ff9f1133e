"""Attending server: the release gate, review desk and reports behind gRPC."""
