"""The rows of the table of negative cases in the control matrix."""

from typing import Final

TAMPERED: Final = "record tampered"
MISSING: Final = "record missing, duplicated, reordered"
TRUNCATED: Final = "tail truncated"
FORKED: Final = "forked history, split view"
REWRITTEN: Final = "whole log rewritten with the operator's key"
SIGNATURE: Final = "signature swapped; wrong meaning; other signer"
KEY: Final = "key expired, revoked, used before enrolment"
DATED: Final = "approval back-dated; rogue TSA"
STAMP: Final = "TSA time before its certificate"
UPDATED: Final = "PDF updated after signing; attachment swapped and re-signed"
LATE: Final = "sign-off after release; self-approval"
TRICKS: Final = "Unicode, number and duplicate-key tricks; algorithm downgrade"
FIGURES: Final = "statistics edited in the PDF only"
UNKNOWN: Final = "unknown version, missing anchor"

EVERY: Final = (
    TAMPERED,
    MISSING,
    TRUNCATED,
    FORKED,
    REWRITTEN,
    SIGNATURE,
    KEY,
    DATED,
    STAMP,
    UPDATED,
    LATE,
    TRICKS,
    FIGURES,
    UNKNOWN,
)
