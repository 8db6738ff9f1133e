"""The offline verifier: needs the standard library and `cryptography`, no server, no network.

`verify_bundle` checks what `write_bundle` wrote, against `Anchors` that come from elsewhere.
"""

from attending.ledger.verify.bundle import Anchors, verify_bundle
from attending.ledger.verify.checks import Scope
from attending.ledger.verify.payloads import Disclosed, Erased
from attending.ledger.verify.report import CheckResult, Report, Status
from attending.ledger.verify.writer import write_bundle

__all__ = [
    "Anchors",
    "CheckResult",
    "Disclosed",
    "Erased",
    "Report",
    "Scope",
    "Status",
    "verify_bundle",
    "write_bundle",
]
