"""Fails when a test was skipped for a reason that is not on the list of allowed ones.

python check_skips.py ALLOWED JUNIT...
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree


def main(allowed: str, *reports: str) -> int:
    patterns = [
        re.compile(line)
        for line in Path(allowed).read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.startswith("#")
    ]
    skipped, cases = [], 0
    for report in reports:
        for case in ElementTree.parse(report).iter("testcase"):
            cases += 1
            for skip in case.iter("skipped"):
                skipped.append(f"{case.get('classname')}.{case.get('name')}: {skip.get('message')}")
    unexpected = [line for line in skipped if not any(pattern.search(line) for pattern in patterns)]
    for line in unexpected:
        print(f"skipped without leave: {line}")
    print(f"{cases} tests, {len(skipped)} skipped, {len(unexpected)} of them not on the allowed list")
    return 1 if unexpected or not cases else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
