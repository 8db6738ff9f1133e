"""Wire contract of Attending, generated from the .proto files beside it."""
