"""A clean process that verifies one bundle after the other, for `audit`.

Each line of standard input is a JSON list of arguments of `attending-verify`; each line of standard output holds the
exit code and what was printed. Nothing of a writer comes in here but the files that the arguments name.
"""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stdout

from attending.ledger.verify.__main__ import main

for line in sys.stdin:
    printed = io.StringIO()
    with redirect_stdout(printed):
        code = main(json.loads(line))
    print(json.dumps({"code": code, "out": printed.getvalue()}), flush=True)
