"""Everything that the parts of one text say, before it is known whether they agree."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(slots=True)
class Told:
    """One list a fact, in the order of the text; the readers of this package add to it.

    `ages` are years; `days` the age of somebody younger than about two years; `infants` days of the child that is
    nursed; `weights` kilograms, `heights` centimetres; `egfrs` mL/min/1.73 m2, `crcls` mL/min;
    `weeks` are counted as pregnancy, `weeks_about` only likely so.
    """

    ages: list[Decimal] = field(default_factory=list)
    days: list[int] = field(default_factory=list)
    sexes: list[str] = field(default_factory=list)
    weights: list[Decimal] = field(default_factory=list)
    heights: list[Decimal] = field(default_factory=list)
    weeks: list[Decimal] = field(default_factory=list)
    weeks_about: list[Decimal] = field(default_factory=list)
    egfrs: list[Decimal] = field(default_factory=list)
    crcls: list[Decimal] = field(default_factory=list)
    infants: list[int] = field(default_factory=list)
    childs: list[str] = field(default_factory=list)
    pregnant: list[bool] = field(default_factory=list)
    lactating: list[bool] = field(default_factory=list)
    dialysis: list[bool] = field(default_factory=list)
