"""The offline verifier: needs the standard library and `cryptography`, no server, no network.

`verify_bundle` checks what `write_bundle` wrote, against `Anchors` that come from elsewhere; `verify_stored_log`
checks a log where it is stored, in one or several processes.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from attending.ledger.verify.bundle import Anchors, verify_bundle
    from attending.ledger.verify.checks import Scope
    from attending.ledger.verify.payloads import Disclosed, Erased
    from attending.ledger.verify.report import CheckResult, Report, Status
    from attending.ledger.verify.segment import Mode
    from attending.ledger.verify.stored import Outcome, StoredHead, verify_stored_log
    from attending.ledger.verify.writer import write_bundle

__all__ = [
    "Anchors",
    "CheckResult",
    "Disclosed",
    "Erased",
    "Mode",
    "Outcome",
    "Report",
    "Scope",
    "Status",
    "StoredHead",
    "verify_bundle",
    "verify_stored_log",
    "write_bundle",
]

_MODULES: Final = {
    "bundle": ("Anchors", "verify_bundle"),
    "checks": ("Scope",),
    "payloads": ("Disclosed", "Erased"),
    "report": ("CheckResult", "Report", "Status"),
    "segment": ("Mode",),
    "stored": ("Outcome", "StoredHead", "verify_stored_log"),
    "writer": ("write_bundle",),
}
_HOMES: Final = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    # On first use: a worker process needs a small part of this, and starts in a third of the time without the rest.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
