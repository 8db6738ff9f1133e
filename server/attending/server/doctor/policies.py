"""What texts and calls are judged by: clinical policies, authorisation policies, and drug knowledge."""

from __future__ import annotations

from collections.abc import Iterator

from attending.server.app import authorization_folder, policies_folder
from attending.server.content_hash import digits
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

    today, late = site.now().date(), 0
    policies = PolicySet.load(policies_folder(site.config))
    for name, policy in sorted(policies.items()):
        due = policy.registry.due_on()
        if due <= today:
            late += 1
            yield warning(
                "POLICY_REVIEW_DUE",
                f"policy `{name}` was last reviewed on {policy.registry.reviewed}, and was due on {due}",
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


def in_force(site: Site) -> Iterator[Finding]:
    """What a server would load is what each tenant's log says is in force: under anything else no call begins."""
    from attending.guardrails.knowledge.load import DEFAULT, Pack
    from attending.guardrails.policy.load import PolicySet
    from attending.ledger.entry import parse_entry
    from attending.ledger.verify.activations import REGISTRY
    from attending.server.activation.standing import KNOWLEDGE, standing, stream_of

    loaded = {name: policy.hash for name, policy in PolicySet.load(policies_folder(site.config)).items()}
    loaded[KNOWLEDGE] = Pack.read(site.config.knowledge.folder or DEFAULT).hash
    found = 0
    with site.ledger() as store:
        for tenant in site.config.tenants if store is not None else ():
            assert store is not None
            if not store.read_stream_version(tenant.name, REGISTRY):
                continue  # Its first start puts in force what it finds.
            missing, waiting, ended = [], [], []
            for name, content_hash in sorted(loaded.items()):
                stream = stream_of(name)
                version = store.read_stream_version(tenant.name, stream)
                entries = [
                    parse_entry(data) for data in store.stream_entries(tenant.name, stream, 0, version)
                ]
                stands, wanted = standing(name, entries), digits(content_hash)
                if stands.active == wanted:
                    continue
                if stands.requested == wanted:
                    waiting.append(name or "drug knowledge")
                elif entries and entries[-1].type == "policy.retired":
                    ended.append(name)
                else:
                    missing.append(name or "drug knowledge")
            found += bool(missing or waiting or ended)
            if missing:
                yield red(
                    "NOT_ACTIVATED",
                    f"tenant `{tenant.name}`: the versions here of {', '.join(missing)} are not in force, so a server "
                    "that is started now refuses their calls",
                    "attending policy activate --all, once by each of two people",
                )
            if waiting:
                yield red(
                    "SECOND_PERSON_MISSING",
                    f"tenant `{tenant.name}`: the versions here of {', '.join(waiting)} wait for a second person, "
                    "so a server that is started now refuses their calls",
                    "attending policy activate --all, by a safety officer who did not ask for them",
                )
            if ended:
                yield warning(
                    "POLICY_RETIRED",
                    f"tenant `{tenant.name}`: {', '.join(ended)} was retired, and is active in the folder",
                    "set `registry.status: retired` in its policy.yaml",
                )
    if not found:
        yield green(
            f"{len(loaded) - 1} policies and the drug knowledge are in force, or will be at the first start"
        )
