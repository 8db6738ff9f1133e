"""Runs validators with the real `guardrails-ai` and prints what came of each as JSON; see test_validators.py.

A program of its own: the package lies in a folder beside the environment and is on the path of this process only.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, cast

# isort: split
import watched_sockets  # type: ignore[import-not-found] # first: it sees what an import does
from attending.guardrails.guard import Guard
from attending.guardrails.patient import Judged
from attending.guardrails.policy.load import PolicySet
from attending.guardrails.policy.schema import ValidatorRail
from attending.guardrails.rails.validators import Validator, ValidatorMissingError


class Nothing:
    """Knowledge that is asked for its hash alone."""

    hash = "sha256:none"


def rail(name: str, **more: Any) -> ValidatorRail:
    given = {
        "name": name,
        "stage": "output",
        "import": f"site_validators:{name}",
        "code": "unsupported",
    } | more
    return ValidatorRail.model_validate(given)


def run(spec: ValidatorRail, text: str, seconds: float) -> dict[str, Any]:
    try:
        validator = Validator.make(spec)
    except ValidatorMissingError as err:
        return {"missing": str(err)}
    documents = ("a document",)

    async def go() -> Any:
        await validator.run((text,), "a prompt", documents, seconds)
        # Twice: what the first text leaves in the validator must not decide the second.
        return await validator.run((text,), "a prompt", documents, seconds)

    result = asyncio.run(go())
    return {
        "status": result.status,
        "error_type": result.error_type,
        "metadata": {
            key: [finding.to_json() for finding in value] if isinstance(value, tuple) else value
            for key, value in result.metadata.items()
        },
        "version": validator.version,
    }


def main(cases: Path, policies: Path) -> None:
    answers = {}
    for case in json.loads(cases.read_text(encoding="utf-8")):
        spec = rail(case["name"], **case.get("rail", {}))
        answers[case["id"]] = run(spec, case["text"], case.get("seconds", 30.0))
    # The rails that need knowledge or a detector fail here, and are not asked about.
    guard = Guard(PolicySet.load(policies), cast(Any, Nothing()), cast(Any, None))
    decision = guard.check_output("patient-message", Judged("Call 555-0100."))
    guard.close()
    print(
        json.dumps(
            {
                "answers": answers,
                "attempts": watched_sockets.ATTEMPTS,
                "litellm": "litellm" in sys.modules,
                "runs": [[r.name, r.status, r.version] for r in decision.rail_runs],
                "findings": [finding.to_json() for finding in decision.findings],
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
