"""The configuration file: who may change it, and what the embedded mode is not for."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from attending.server.doctor.check import Finding, Site, green, red, warning


def file(site: Site) -> Iterator[Finding]:
    """The file holds no secret and may be read; whoever may write it decides who may call and sign."""
    if site.path is None:
        yield green("none: the embedded mode makes its own")
        return
    path = site.path.resolve()
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield red(
            "CONFIG_WRITABLE",
            f"`{path}` has mode {mode:o}: others could give themselves every role",
            f"chmod go-w {path}",
        )
    elif status.st_uid not in (0, os.geteuid()):
        yield warning(
            "CONFIG_OWNER",
            f"`{path}` belongs to neither root nor the user who runs this",
            f"chown root {path}, or run this as the user of the server",
        )
    else:
        yield green(f"`{path}` can be changed by its owner only")
    parent = path.parent.stat()
    loose = stat.S_IMODE(parent.st_mode) & (stat.S_IWGRP | stat.S_IWOTH)
    if loose and not parent.st_mode & stat.S_ISVTX:
        yield red(
            "CONFIG_FOLDER_WRITABLE",
            f"folder `{path.parent}` can be written by others, who could put another file in its place",
            f"chmod go-w {path.parent}",
        )


def mode(site: Site) -> Iterator[Finding]:
    """Which mode this is."""
    if site.embedded:
        yield warning(
            "EMBEDDED_MODE",
            "embedded mode: demo identities, keys beside the data; does not protect against the operator, and is "
            "not for patients",
            "attending init --production FOLDER",
        )
    else:
        where = "a PostgreSQL database" if site.config.storage.shared else "a folder of one process"
        tenants = len(site.config.tenants)
        yield green(f"configured; {tenants} tenant{'s' * (tenants != 1)}, the ledger in {where}")
