"""What texts and calls are judged by: clinical policies, authorisation policies, and drug knowledge."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import UTC, datetime

from attending.server.app import authorization_folder, policies_folder
from attending.server.doctor.check import Finding, Site, green, red, warning


def clinical(site: Site) -> Iterator[Finding]:
    """Each active policy loads, its rails are there and end before their process is ended, and its own cases hold."""
    from attending.guardrails.guard import Guard
    from attending.guardrails.policy.cases import run_cases

    folder = policies_folder(site.config)
    guard = Guard.load(folder, knowledge_path=site.config.knowledge.folder)
    try:
        for name, missing in sorted(guard.missing_rails().items()):
            for rail, why in sorted(missing.items()):
                yield red(
                    "RAIL_MISSING",
                    f"policy `{name}`: `{rail}` cannot run here, so every text is held: {why}",
                    f"install what the rail needs, or take it out of the policy in {folder / name}",
                )
        limit_ms = site.config.guard.timeout_seconds * 1000
        for name, policy in sorted(guard.policies.items()):
            if policy.rails.budget_ms >= limit_ms:
                yield warning(
                    "RAIL_BUDGET_TOO_LONG",
                    f"policy `{name}` gives its rails {policy.rails.budget_ms} ms, and after {limit_ms:.0f} ms their "
                    "process is ended with all that they found",
                    "set `rails.budget_ms` below `guard.timeout_seconds`",
                )
        for name in sorted(guard.policies):
            failed, total = [], 0
            for result in run_cases(guard, name):
                total += 1
                if not result.passed:
                    failed.append(result.name)
            if failed:
                yield red(
                    "POLICY_CASE_FAILED",
                    f"policy `{name}`: {len(failed)} of {total} cases do not hold, the first `{failed[0]}`",
                    f"attending policy test {name} --policies {folder}",
                )
            else:
                policy = guard.policies[name]
                yield green(f"`{name}` version {policy.version}: {total} cases hold, {policy.hash[:23]}")
    finally:
        guard.close()


def reviewed(site: Site) -> Iterator[Finding]:
    """Each policy was reviewed by its owner as lately as it says it must be."""
    from attending.guardrails.policy.load import PolicySet

    now, late = site.now(), 0
    policies = PolicySet.load(policies_folder(site.config))
    for name, policy in sorted(policies.items()):
        last = datetime.fromisoformat(policy.registry.reviewed).replace(tzinfo=UTC)
        due = _months_after(last, policy.registry.review_every_months)
        if due <= now:
            late += 1
            yield warning(
                "POLICY_REVIEW_DUE",
                f"policy `{name}` was last reviewed on {last:%Y-%m-%d}, and was due on {due:%Y-%m-%d}",
                f"have its owner review it, and set `registry.reviewed` in {name}/policy.yaml",
            )
    if not late:
        yield green(f"{len(policies)} policies, none overdue")


def authorization(site: Site) -> Iterator[Finding]:
    """The authorisation policies validate against their schema, and their cases hold."""
    from attending.server.auth.authorize import PolicySet
    from attending.server.auth.cases import run_cases

    folder = authorization_folder(site.config)
    results = run_cases(folder)
    failed = [result.name for result in results if not result.passed]
    if failed:
        yield red(
            "AUTHORIZATION_CASE_FAILED",
            f"{len(failed)} of {len(results)} cases do not hold, the first `{failed[0]}`",
            f"attending policy test authorization --policies {folder.parent}",
        )
    else:
        yield green(f"{len(results)} cases hold, {PolicySet.load(folder).content_hash[:23]}")


def knowledge(site: Site) -> Iterator[Finding]:
    """The knowledge pack is what its manifest says."""
    from attending.guardrails.knowledge.load import DEFAULT, Pack, PackError

    folder = site.config.knowledge.folder or DEFAULT
    try:
        found = Pack.read(folder)
    except FileNotFoundError:
        yield red(
            "KNOWLEDGE_PACK",
            f"there is no knowledge pack in `{folder}`",
            "set `knowledge.folder`, or leave it out for the package's own",
        )
        return
    except PackError as err:
        yield red("KNOWLEDGE_PACK", str(err), f"put the pack back as it was released: {folder}")
        return
    yield green(found.hash[:23])


def _months_after(moment: datetime, months: int) -> datetime:
    """The same day so many months later, or the last of that month."""
    years, month = divmod(moment.month - 1 + months, 12)
    year, month = moment.year + years, month + 1
    return moment.replace(year=year, month=month, day=min(moment.day, calendar.monthrange(year, month)[1]))
