"""A draft that somebody wrote in the browser, put beside the rest of its policy's folder and looked at for faults.

What somebody sends is data: code that a draft names (`rails.validators`) must be what the version in the server's
folder names already. It is linted by a process of its own, with a bound on time and memory, because thousands of rows
cost seconds.
"""

from __future__ import annotations

import asyncio
import json
import resource
import shutil
import sys
from pathlib import Path
from typing import Any, Final

from attending.guardrails.policy.load import POLICY_FILE, load_policy
from attending.guardrails.policy.problem import PolicyError, Problem
from attending.guardrails.policy.yaml_form import MAX_YAML_BYTES
from attending.server.errors import NotFound

LINT_SECONDS: Final = 30.0
LINT_BYTES: Final = 3 * 1024**3
"""Address space of the linting process; what it needs for the package's policies is a tenth."""
MAX_OUTPUT_BYTES: Final = 1024 * 1024
MAX_PROBLEMS: Final = 100


def put_draft(folder: Path, name: str, text: str | None, into: Path) -> Path:
    """The folder `into`/`name`: what lies in `folder`, with `text` as its policy.yaml where one is given. Blocks.

    Raises NotFound (UNKNOWN_POLICY) and OSError.
    """
    source = folder / name
    if not (source / POLICY_FILE).is_file():
        raise NotFound("UNKNOWN_POLICY")
    place = into / name
    shutil.copytree(source, place, symlinks=True)
    if text is not None:
        # One byte beyond the bound is enough to be told so.
        (place / POLICY_FILE).write_bytes(text.encode("utf-8", "replace")[: MAX_YAML_BYTES + 1])
    return place


async def problems(place: Path, original: Path) -> list[Problem]:
    """What is wrong with the draft in `place`, at most MAX_PROBLEMS; `original` is the folder in the server's place."""
    found = await _lint(place)
    if not any(problem.weight == "error" for problem in found):
        found += await asyncio.to_thread(_foreign_code, place, original)
    return found[:MAX_PROBLEMS]


async def _lint(place: Path) -> list[Problem]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "attending.server.simulation.linting", str(place)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        resource.prlimit(process.pid, resource.RLIMIT_AS, (LINT_BYTES, LINT_BYTES))
        assert process.stdout is not None
        async with asyncio.timeout(LINT_SECONDS):
            data = await process.stdout.read(MAX_OUTPUT_BYTES)
            while more := await process.stdout.read(MAX_OUTPUT_BYTES):
                data = (data + more)[:MAX_OUTPUT_BYTES]
            if await process.wait() != 0:
                return [_not_looked_at("took more memory than a policy may")]
    except TimeoutError:
        return [_not_looked_at(f"took more than {LINT_SECONDS:.0f} seconds to look at")]
    except ProcessLookupError:
        return [_not_looked_at("could not be looked at")]
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return [_problem(json.loads(line)) for line in data.splitlines() if line.endswith(b"}")]


def _problem(value: dict[str, Any]) -> Problem:
    return Problem(**value)


def _not_looked_at(what: str) -> Problem:
    return Problem(POLICY_FILE, None, "", "TOO_LARGE", what, "take rows out, or narrow them")


def _foreign_code(place: Path, original: Path) -> list[Problem]:
    """Validators that the version in the server's folder does not name: whoever sends a draft brings no code."""
    tried = load_policy(place).policy.rails.validators
    try:
        known = {one.import_ for one in load_policy(original).policy.rails.validators}
    except PolicyError:
        known = set()
    return [
        Problem(
            POLICY_FILE,
            None,
            f"rails.validators.{number}.import",
            "CODE_NOT_KNOWN",
            "is not imported by the version in the server's folder",
            "have the operator put the version there, and try it from there",
        )
        for number, one in enumerate(tried)
        if one.import_ not in known
    ]
