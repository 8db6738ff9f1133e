"""Record systems: keys are read, those that are written to let us in, and those that open the console say how."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from attending.server import clock
from attending.server.config import ConsoleSmartSection, FhirEndpointSection
from attending.server.doctor.check import Finding, Site, green, red
from attending.server.errors import ConfigurationError
from attending.server.fhir.record_system import RecordSystem
from attending.server.notices.delivery import NotDelivered
from attending.server.outside.ask import Asker, NotAnswered
from attending.server.outside.assertion import ClientKey
from attending.server.outside.smart import discover

MOST_BYTES = 1024 * 1024


def written(site: Site) -> Iterator[Finding]:
    """Each FHIR server that is written to gives a token and answers with it. Nothing is written."""
    for section in site.config.fhir.endpoint:
        yield asyncio.run(_written(section))
    if not site.config.fhir.endpoint:
        yield green("none configured")


def opening(site: Site) -> Iterator[Finding]:
    """Each record system that opens the console says where people sign in there."""
    sections = [] if site.config.console is None else site.config.console.smart
    for section in sections:
        yield asyncio.run(_opening(section))
    if not sections:
        yield green("none configured")


async def _written(section: FhirEndpointSection) -> Finding:
    try:
        system = RecordSystem(section, clock.now)
    except ConfigurationError as err:
        return red(err.reason, err.problem, err.next_step)
    try:
        await system.ask()
    except NotDelivered as err:
        return _red("fhir.endpoint", section.name, err.reason)
    finally:
        await system.close()
    return green(f"`{section.name}`: it lets us in")


async def _opening(section: ConsoleSmartSection) -> Finding:
    where = f"console.smart `{section.name}`"
    try:
        if section.client_key_file is not None:
            ClientKey(section.client_key_file, where, clock.now)
        ask = Asker(
            ca_file=section.ca_file,
            allow_private=section.allow_private,
            timeout_seconds=section.timeout_seconds,
            most_bytes=MOST_BYTES,
            where=where,
        )
    except ConfigurationError as err:
        return red(err.reason, err.problem, err.next_step)
    try:
        await discover(ask, section.fhir_base, people=True)
    except NotAnswered as err:
        return _red("console.smart", section.name, err.reason)
    finally:
        await ask.close()
    return green(f"`{section.name}`: it says where people sign in")


def _red(section: str, name: str, reason: str) -> Finding:
    return red(
        "RECORD_SYSTEM",
        f"{section}: `{name}` does not answer as it should: {reason}",
        "look the reason up in docs/fhir.md; check its address, certificate and what is registered there",
    )
