"""TLS towards servers of others."""

from __future__ import annotations

import ssl
from pathlib import Path

from attending.server.errors import ConfigurationError


def tls_of(ca_file: Path | None, where: str) -> ssl.SSLContext:
    """TLS 1.2 or newer with those authorities, or the system's. Raises ConfigurationError."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as err:
        raise ConfigurationError(
            f"{where}: `ca_file` cannot be read as authorities ({type(err).__name__})",
            "make it a PEM file of certificates that the server may read",
            reason="TLS_FILES",
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
