"""`python -m attending.server.simulation.linting FOLDER`: a JSON object a line for each problem of a policy."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path


def main(place: Path) -> None:
    from attending.guardrails.policy.lint import lint

    for problem in lint(place, today=datetime.now(UTC).date()):
        sys.stdout.write(json.dumps(problem.to_json()) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
