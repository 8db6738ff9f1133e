"""Exports a folder of static resources to another one, over and over, until it is killed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from attending.ledger.note import VerifierKey
from attending.ledger.static.export import export_log, folder_fetch

source, target, key = Path(sys.argv[1]), Path(sys.argv[2]), VerifierKey.parse(sys.argv[3])
while True:
    export_log(folder_fetch(source), key, target, progress=lambda done, total: print(done, total, flush=True))
    (target / "checkpoint").unlink()  # first: what it covers goes after it
    shutil.rmtree(target / "tile")
