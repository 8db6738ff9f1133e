"""The demo's server process: the embedded mode as `attending serve` runs it, with a seal for its reports.

Usage: python -m attending.server.demo.serving DATA REPLAY SEAL, the last one the keys of `[reports.seal]` as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from attending.server.process import confined


def main(data: str, replay: str, seal: str) -> int:
    """Serves on ports that are free until it is told to stop."""
    with confined():
        # Only here: what it imports reads the environment.
        from attending.server.bootstrap.run import run_embedded

        return run_embedded(
            Path(data), port=0, replay=Path(replay), seal=json.loads(seal), on_ready=lambda _ready: None
        )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
