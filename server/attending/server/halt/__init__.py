"""The stop button: no inference begins and none is released while a tenant, or one of its policies, is halted."""
