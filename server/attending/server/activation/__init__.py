"""Which versions of policies and of the drug knowledge a tenant is served under."""
