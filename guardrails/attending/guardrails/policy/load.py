"""Policies from their folders: `policies/<name>/{policy.yaml, rails/config.yml, cases.jsonl, README.md}`.

The content hash of a policy covers every file of its folder, so that what was reviewed is what is named in every
entry.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from attending.guardrails.policy.problem import PolicyError, Problem, next_step
from attending.guardrails.policy.schema import Policy
from attending.guardrails.policy.yaml_form import line_of, read_yaml
from attending.guardrails.rails.catalog import DIALOG_FLOW, DOCUMENT_FLOW, OWN_FLOWS
from pydantic import ValidationError

POLICY_FILE: Final = "policy.yaml"
RAILS_FOLDER: Final = "rails"
CONFIG_FILE: Final = f"{RAILS_FOLDER}/config.yml"
CASES_FILE: Final = "cases.jsonl"
MAX_FILE_BYTES: Final = 4 * 1024 * 1024

REQUIRED_INPUT_FLOWS: Final = (
    "phi input",
    "injection input",
    "toxicity input",
    "self-harm input",
    "scope of use input",
)
REQUIRED_RETRIEVAL_FLOWS: Final = (DOCUMENT_FLOW,)
REQUIRED_OUTPUT_FLOWS: Final = (
    "clinical checks",
    "phi output",
    "injection output",
    "toxicity output",
    "self-harm output",
    "scope of use output",
    "clinical recommendation",
)
"""Flows that every policy must list: none can be switched off by leaving it out."""


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A policy with its folder and the flows of its rail configuration, in order."""

    policy: Policy
    folder: Path
    input_flows: tuple[str, ...]
    output_flows: tuple[str, ...]
    retrieval_flows: tuple[str, ...] = ()

    @property
    def rails_folder(self) -> Path:
        return self.folder / RAILS_FOLDER

    @property
    def cases_file(self) -> Path:
        return self.folder / CASES_FILE


class PolicySet(Mapping[str, Policy]):
    """The policies of one folder by name; a folder without `policy.yaml` is not a policy."""

    def __init__(self, policies: Mapping[str, LoadedPolicy]) -> None:
        self._loaded = dict(policies)

    @classmethod
    def load(cls, path: Path | str, *, include_drafts: bool = False) -> PolicySet:
        """Every policy below `path`. Retired policies, and drafts unless `include_drafts`, are left out.

        Raises PolicyError for the first policy that does not load, or when `path` holds none.
        """
        root = Path(path)
        found: dict[str, LoadedPolicy] = {}
        folders = sorted(p for p in root.iterdir() if (p / POLICY_FILE).is_file()) if root.is_dir() else []
        for folder in folders:
            loaded = load_policy(folder)
            status = loaded.policy.registry.status
            if status == "active" or (status == "draft" and include_drafts):
                found[loaded.policy.name] = loaded
        if not found:
            raise PolicyError(root.name, (("", "no active policy in this folder"),))
        return cls(found)

    def loaded(self, name: str) -> LoadedPolicy:
        """The policy with its folder; raises KeyError."""
        return self._loaded[name]

    def __getitem__(self, name: str) -> Policy:
        return self._loaded[name].policy

    def __iter__(self) -> Iterator[str]:
        return iter(self._loaded)

    def __len__(self) -> int:
        return len(self._loaded)


def load_policy(folder: Path | str) -> LoadedPolicy:
    """The policy in `folder`, checked against the schema and against the flows that no policy may leave out.

    Raises PolicyError with every problem found. Does not compile the rails: `rails.nemo` does, when a guard starts.
    """
    folder = Path(folder)
    raw, lines = read_yaml(folder, POLICY_FILE)
    if not isinstance(raw, dict):
        raise PolicyError(folder.name, ((POLICY_FILE, "is not a mapping"),))
    try:
        policy = Policy.model_validate(raw)
    except ValidationError as err:
        raise PolicyError(folder.name, [_problem(dict(e), lines) for e in err.errors()]) from None
    if policy.name != folder.name:
        raise PolicyError(
            folder.name,
            (
                Problem(
                    POLICY_FILE,
                    line_of(lines, "name"),
                    "name",
                    "NAME_DIFFERS",
                    f"`{policy.name}` is not the folder's name",
                    next_step("NAME_DIFFERS"),
                ),
            ),
        )
    config, _lines = read_yaml(folder, CONFIG_FILE)
    for path in sorted((folder / RAILS_FOLDER).rglob("*.y*ml")):
        # NeMo reads every one of them, without our bounds.
        if (relative := path.relative_to(folder).as_posix()) != CONFIG_FILE:
            read_yaml(folder, relative)
    flows = {name: _flows(folder, config, name) for name in ("input", "retrieval", "output")}
    _check_flows(folder.name, policy, flows["input"], flows["output"], flows["retrieval"])
    policy._hash = content_hash(folder)
    return LoadedPolicy(policy, folder, flows["input"], flows["output"], flows["retrieval"])


def content_hash(folder: Path) -> str:
    """`sha256:` and the hash of the canonical listing: one line `<sha256 of the file>  <path>` a file, paths with
    `/` in byte order, each ended by a newline (as `sha256sum` prints). Hidden files and byte code are left out.

    Raises PolicyError for a symbolic link or a file that is too large.
    """
    lines = []
    for path in sorted(folder.rglob("*"), key=lambda p: p.relative_to(folder).as_posix().encode()):
        relative = path.relative_to(folder)
        if any(part.startswith(".") or part == "__pycache__" for part in relative.parts):
            continue
        if path.is_symlink():
            raise PolicyError(folder.name, ((relative.as_posix(), "is a symbolic link"),))
        if not path.is_file():
            continue
        if path.stat().st_size > MAX_FILE_BYTES:
            raise PolicyError(folder.name, ((relative.as_posix(), f"is larger than {MAX_FILE_BYTES} bytes"),))
        lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {relative.as_posix()}\n")
    return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()


def _flows(folder: Path, raw: Any, direction: str) -> tuple[str, ...]:
    section = raw.get("rails") if isinstance(raw, dict) else None
    flows = (section or {}).get(direction, {}).get("flows", []) if isinstance(section, dict) else None
    if not isinstance(flows, list) or not all(isinstance(flow, str) for flow in flows):
        raise PolicyError(
            folder.name, ((f"{CONFIG_FILE}: rails.{direction}.flows", "is not a list of names"),)
        )
    if len(set(flows)) != len(flows):
        raise PolicyError(folder.name, ((f"{CONFIG_FILE}: rails.{direction}.flows", "names a flow twice"),))
    return tuple(flows)


_KINDS: Final = {
    "extra_forbidden": "UNKNOWN_KEY",
    "missing": "MISSING_KEY",
    "enum": "UNKNOWN_VALUE",
    "literal_error": "UNKNOWN_VALUE",
}
_ROW: Final = re.compile(r"`verdicts\[([0-9]+)\]`")


def _problem(error: dict[str, Any], lines: Mapping[str, int]) -> Problem:
    """A problem of the schema, from pydantic's account of it."""
    kind, message = str(error["type"]), str(error["msg"])
    reason = kind if kind.isupper() else _KINDS.get(kind, "WRONG_VALUE")
    key = ".".join(str(part) for part in error["loc"])
    if not key and (row := _ROW.search(message)):
        key = f"verdicts.{row[1]}"
    return Problem(POLICY_FILE, line_of(lines, key), key, reason, message, next_step(reason))


def _check_flows(
    name: str,
    policy: Policy,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    retrievals: tuple[str, ...],
) -> None:
    def wrong(file: str, key: str, reason: str, message: str) -> Problem:
        return Problem(file, None, key, reason, message, next_step(reason))

    problems = [
        wrong(
            CONFIG_FILE,
            f"{CONFIG_FILE}: rails.{direction}.flows",
            "FLOW_MISSING",
            f"`{flow}` runs in every policy and is not listed",
        )
        for direction, required, given in (
            ("input", REQUIRED_INPUT_FLOWS, inputs),
            ("retrieval", REQUIRED_RETRIEVAL_FLOWS, retrievals),
            ("output", REQUIRED_OUTPUT_FLOWS, outputs),
        )
        for flow in required
        if flow not in given
    ]
    foreign = {flow for flow in (*inputs, *retrievals, *outputs) if flow not in OWN_FLOWS}
    others = {validator.name for validator in policy.rails.validators}
    if policy.rails.dialog is not None:
        others.add(DIALOG_FLOW)
    problems += [
        wrong(POLICY_FILE, "rails.validators", "CONTRADICTION", f"`{flow}` is the name of another rail")
        for flow in sorted(others & {*inputs, *retrievals, *outputs, *OWN_FLOWS})
    ]
    problems += [
        wrong(POLICY_FILE, f"rails.flows.{flow}", "FLOW_UNKNOWN", "is not a rail of this policy")
        for flow in policy.rails.flows
        if flow not in {*inputs, *retrievals, *outputs, *others}
    ]
    for key, table in (("codes", policy.rails.codes), ("severities", policy.rails.severities)):
        problems += [
            wrong(
                POLICY_FILE,
                f"rails.{key}",
                "FLOW_UNKNOWN",
                f"`{flow}` is not a flow of rails/config.yml that takes one",
            )
            for flow in table
            if flow not in foreign
        ]
    problems += [
        wrong(
            POLICY_FILE,
            "rails.codes",
            "MISSING_KEY",
            f"`{flow}` is listed in rails/config.yml and has no code",
        )
        for flow in sorted(foreign)
        if flow not in policy.rails.codes
    ]
    if problems:
        raise PolicyError(name, problems)


__all__ = [
    "CASES_FILE",
    "POLICY_FILE",
    "RAILS_FOLDER",
    "REQUIRED_INPUT_FLOWS",
    "REQUIRED_OUTPUT_FLOWS",
    "REQUIRED_RETRIEVAL_FLOWS",
    "LoadedPolicy",
    "PolicyError",
    "PolicySet",
    "content_hash",
    "load_policy",
]
