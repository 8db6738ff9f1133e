"""Bearer tokens of OpenID Connect providers: their keys (`keys`, `provider`) and what is checked (`token`)."""
