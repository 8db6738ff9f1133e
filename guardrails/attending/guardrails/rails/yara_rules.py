"""What is wrong with the YARA rules of a policy that lists NeMo's `injection detection`.

NeMo passes every text where a rule does not compile or none is named: it logs, and answers "no injection". So the rules
are compiled here when the policy is loaded, and a policy whose rules do not compile does not load.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Final

FLOW: Final = "injection detection"
SECTION: Final = "rails.config.injection_detection"


def yara_problems(config: Any) -> list[str]:
    """Why the rail could not judge by `config` (NeMo's RailsConfig); empty where it can, or where `yara-python` is not
    installed, since the rail is then `missing` and holds."""
    try:
        yara: Any = importlib.import_module("yara")  # has no types
    except ImportError:
        return []
    section = config.rails.config.injection_detection
    if section is None:
        return [f"needs `{SECTION}`, which config.yml does not have"]
    if not section.injections:
        return [f"needs the names of its rules under `{SECTION}.injections`"]
    problems = []
    for name in section.injections:
        try:
            if section.yara_rules:
                yara.compile(source=section.yara_rules[name])
            else:
                yara.compile(filepath=str(_folder(section.yara_path) / f"{name}.yara"))
        except KeyError:
            problems.append(f"names the rule `{name}`, which `{SECTION}.yara_rules` does not have")
        except yara.Error as err:
            problems.append(f"the rule `{name}` does not compile: {err}")
    return problems


def _folder(path: str | None) -> Path:
    from nemoguardrails.library.injection_detection.actions import YARA_DIR

    return Path(path) if path else Path(YARA_DIR)
