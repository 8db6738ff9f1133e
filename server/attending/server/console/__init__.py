"""The review console: pages for browsers over the desk. It has no rules of its own: it asks the desk, as gRPC does."""
