"""Registers: what one kind of report lists, as a pure function of the entries of its bundle and of what was asked.

Standard library only: whoever holds the bundle makes the rows again, as V20 does for `rows.jsonl` of a report.
"""

from attending.ledger.verify.registers import (
    accesses,
    changes,
    custody,
    disclosures,
    incidents,
    subgroups,
    validation,
)
from attending.ledger.verify.registers.asked import Asked, parse_asked
from attending.ledger.verify.registers.register import Register, Row

REGISTERS = {
    one.name: one
    for one in (
        changes.REGISTER,
        disclosures.REGISTER,
        accesses.REGISTER,
        incidents.REGISTER,
        custody.REGISTER,
        subgroups.REGISTER,
        validation.REGISTER,
    )
}
"""Every register, by name."""

__all__ = ["REGISTERS", "Asked", "Register", "Row", "parse_asked"]
