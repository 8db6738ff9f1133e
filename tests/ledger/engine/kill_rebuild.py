"""A process that rebuilds a ledger's projections and kills itself at a moment of the writing.

    python kill_rebuild.py FOLDER MOMENT

Moments are counted from 0: the old rows are gone and no new one is there; the rows of the first log are written;
those of the second are to be; they are, and the note of the rebuild still stands.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from pathlib import Path

from attending.ledger.ledger import LedgerConfig
from attending.ledger.rebuild import Stage, rebuild

from tests.ledger.engine.conftest import Tables
from tests.ledger.engine.test_rebuild import reducer


def main(folder: Path, moment: int) -> None:
    tables = Tables()
    moments = itertools.count()

    def progress(stage: Stage, *_: object) -> None:
        if stage is Stage.WRITE and next(moments) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    rebuild(LedgerConfig(folder), [tables.metadata], reducer(tables), progress=progress)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
