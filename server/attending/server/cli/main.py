"""The `attending` command. Subcommands are loaded when they are used, so that a lean install still verifies.

Only click is imported here: `attending --help` and `attending verify` work with `pip install attending`, and a
command that needs more says so.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final

import click
from attending.server.cli.examples import examples
from attending.server.cli.lazy import LazyGroup, missing_module
from attending.server.cli.outcome import CommandError, Exit, report

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "init": ("attending.server.cli.init", "Make a configuration, folders and first identities."),
    "doctor": ("attending.server.cli.doctor", "Check everything that a server needs; say what to do next."),
    "serve": ("attending.server.cli.serve", "Run the server; without configuration, an embedded one."),
    "dev": ("attending.server.cli.dev", "Run an embedded server and print a client that works when pasted."),
    "demo": ("attending.server.cli.demo", "See the whole path of an inference, end to end."),
    "check": ("attending.server.cli.check", "Check outputs in a file against a policy; no server needed."),
    "deid": ("attending.server.cli.deid", "Find and replace personal data in a file; no server needed."),
    "eval": ("attending.server.cli.evaluate", "Measure the guardrails on labelled texts and drug pairs."),
    "health": ("attending.server.cli.health", "Ask a server whether it serves."),
    "verify": ("attending.server.cli.verify", "Verify an exported bundle or a sealed report offline."),
    "seal": ("attending.server.cli.seal", "Seal a report's PDF, with a time stamp."),
    "export": ("attending.server.cli.export", "Export a period as a signed bundle."),
    "fhir": ("attending.server.cli.fhir", "Export a review and its text as FHIR resources."),
    "ledger": ("attending.server.cli.ledger", "Look after the logs: status, entries, proofs, backups."),
    "review": ("attending.server.cli.review", "Read, claim, dispose of and sign held texts."),
    "console": ("attending.server.cli.console", "Open the review console of an embedded server."),
    "break-glass": (
        "attending.server.cli.break_glass",
        "Release a held text without its sign-offs, where policy permits.",
    ),
    "oversight": ("attending.server.cli.oversight", "See how texts are reviewed; read some again."),
    "recall": ("attending.server.cli.recall", "Take back what was released, and see who took notice."),
    "notices": ("attending.server.cli.notices", "See who outside is told, and what could not be delivered."),
    "halt": ("attending.server.cli.halt", "Stop: nothing begins and nothing is released."),
    "resume": ("attending.server.cli.resume", "End a halt."),
    "subject": ("attending.server.cli.subject", "Show, link, hold and erase what is stored about a person."),
    "user": ("attending.server.cli.user", "Enrol, proof and revoke people and programs."),
    "passkey": ("attending.server.cli.passkey", "Let somebody make a passkey; it takes two."),
    "report": ("attending.server.cli.report", "Reports for a regulator, signed off and issued."),
    "reconcile": ("attending.server.cli.reconcile", "Compare a provider's records of use with the log."),
    "controls": ("attending.server.cli.controls", "What regulators ask, and what a log says to it."),
    "validation": ("attending.server.cli.validation", "What is promised, and a signed pack of the tests."),
    "examine": ("attending.server.cli.examine", "Examine the log by exception, and sign it."),
    "emergency": ("attending.server.cli.emergency", "Open, end, list and review emergency access."),
    "policy": ("attending.server.cli.policy", "Write, test, compare and activate policies."),
    "knowledge": ("attending.server.cli.knowledge", "Look into the drug knowledge, and keep it."),
    "keys": ("attending.server.cli.keys", "Make tokens and signing keys, show log keys."),
    "config": ("attending.server.cli.config", "Check a configuration, or print every key."),
    "completion": ("attending.server.cli.completion", "Print shell completion for bash, zsh or fish."),
}
"""Subcommand: the module that has it as `command`, and its line in the help."""

NEXT_STEPS: Final[dict[str, str]] = {
    "SERVER_UNREACHABLE": "start it with `attending serve`, or check --server and --ca",
    "PERMISSION_DENIED": "use an identity with the role for it; see `--as` for demo identities",
    "MISSING_CREDENTIAL": "give --token-file, or --cert with --cert-key",
    "INVALID_CREDENTIAL": "check --token-file, or --cert with --cert-key",
    "CREDENTIAL_EXPIRED": "ask the operator for a new token or certificate",
    "INVALID_REQUEST": "correct what is named",
    "NOTHING_TO_DRAW": "set `sampling.released_percent` in a policy, and put it in force",
    "UNKNOWN_SECOND_READ": "`attending oversight reads` lists what waits for you",
    "READING_TOO_SHORT": "read the text for the seconds that are left, then sign it under the same lease",
    "UNKNOWN_FINDING": "`attending review show` numbers the findings",
    "ILLEGAL_TRANSITION": "`attending review show` says what state it is in",
    "BREAK_GLASS_NOT_PERMITTED": "the policy that held the text does not permit it: claim it and sign",
    "BREAK_GLASS_REVIEWED": "nothing to do; `attending break-glass list --open` shows what waits",
    "UNKNOWN_BREAK_GLASS": "`attending break-glass list` shows the ids",
    "NOT_WITHDRAWN": "only what `attending recall list` shows is taken notice of",
    "RECALL_ACKNOWLEDGED": "nothing to do; `attending recall list --open` shows who is outstanding",
    "UNKNOWN_DELIVERY": "`attending recall list` shows who is outstanding, as --target takes it",
    "UNKNOWN_TARGET": "`attending notices list` shows the targets of this tenant",
    "UNKNOWN_NOTICE": "`attending notices list` shows what was given up; the rest needs nothing",
    "KEY_UNKNOWN": "sign with the key that is enrolled for the identity you call as",
    "UNKNOWN_TICKET": "`attending review list` shows the tickets that wait",
    "UNKNOWN_INFERENCE": "check the id; another tenant's look the same",
    "NO_ENTRIES_IN_PERIOD": "widen --from and --to",
    "ALREADY_CLAIMED": "wait until it is free again; `attending review list` shows who holds it",
    "OPINION_REQUIRED": "put your own view on record first: `attending review opinion`",
    "OPINION_RECORDED": "nothing to do; `attending review show` has the findings",
    "OPINION_NOT_ASKED": "nothing to do; `attending review show` has the findings",
    "PRACTICE_ITEM": "nothing of it is sent; `attending review show` has the debrief",
    "READ_BEFORE": "you have decided; somebody else must",
    "READ_BLIND": "leave it to the queue with `attending review give-back`: nobody may know who reads it",
    "DECISION_NOT_SIGNED": "two people decide on it under signature: refuse it with --key",
    "NOBODY_TO_HAND_TO": "nobody else can sign it: leave it to the queue with `attending review give-back`",
    "DECISION_LAPSED": "an earlier decision stands no more: say what you make of it with `attending review dispose`",
    "SKILL_WANTED": "a finding wants the signature of another role: hand it on with `attending review reassign`",
    "RESERVED": "wait for the time given, or claim another; `attending review list` shows for whom it is kept",
    "ESCALATED_BY_YOU": "somebody else decides now; they may hand it to you with `attending review reassign`",
    "UNKNOWN_REVIEWER": "check the name; it is the one that signatures and the queue show",
    "REVIEWER_CANNOT_SIGN": "hand it to somebody else, or leave it to the queue with `attending review give-back`",
    "LEASE_NOT_HELD": "claim it with `attending review claim`, and give the lease that it prints",
    "LEASE_EXPIRED": "claim it again with `attending review claim`",
    "FINDINGS_UNSEEN": "facts were added since it was held: look with `attending review show`, and give its --seen",
    "FINDINGS_UNDISPOSED": "say what you make of each finding with `attending review dispose`",
    "DISPOSITION_NEEDS_EDIT": "a finding is disposed of as fixed: give the edited text with --text",
    "EDIT_NOT_CLEAN": "the edited text has a finding that nobody disposed of: change it, or reject it",
    "SIGNER_IS_AUTHOR": "somebody else must sign what you asked for",
    "SYSTEM_HALTED": "`attending halt --show` says what is halted and by whom",
    "NOT_HALTED": "nothing to resume; `attending halt --show` says what is halted",
    "UNKNOWN_SUBJECT": "check the number or pseudonym; another tenant's look the same",
    "UNKNOWN_HOLD": "`attending subject show` lists the holds",
    "SUBJECT_HELD": "lift the holds with `attending subject release` once they may end",
    "SUBJECT_ERASED": "nothing can be done for it any more; `attending subject show` names the certificate",
    "CUSTODY_CHANGED": "look again with `attending subject show`, then decide again",
    "CLOSURE_TOO_LARGE": "check with `attending subject show` whether so many are one person",
    "UNKNOWN_USER": "`attending user list` shows the names; another tenant's look the same",
    "UNKNOWN_CREDENTIAL": "`attending user show` lists the credentials",
    "NAME_TAKEN": "take another name, or change the user with --expected-version from `attending user show`",
    "NAME_SPENT": "take another name: one that was revoked is never used again",
    "CONFIGURED_IDENTITY": "change it in the server's configuration file, and start the server again",
    "CREDENTIAL_TAKEN": "bind another one: a credential is one identity's for ever",
    "USER_CHANGED": "look again with `attending user show`, then decide again",
    "USER_REVOKED": "enrol them under a new name",
    "NOTHING_TO_PROOF": "`attending user list --awaiting-proof` shows what waits",
    "SECOND_PERSON_REQUIRED": "somebody else must do it",
    "UNKNOWN_INVITATION": "take name and id from whoever issued the code, or have a new one issued",
    "INVITATION_CONFIRMED": "an officer has confirmed it; have a new code issued if that half is lost",
    "USER_NOT_PROOFED": "an officer proofs them first: `attending user proof`",
    "NOT_A_PERSON": "only people have passkeys",
    "CODE_OVER": "have a new code issued with `attending passkey issue`",
    "CODE_EXPIRED": "have a new code issued with `attending passkey issue`",
    "UNKNOWN_FACT": "give the pack that the server judges by; a fact that changed has another digest",
    "FACT_ATTESTED": "two people have attested it already",
    "PHARMACIST_REQUIRED": "one of the two must be a pharmacist",
    "POLICY_NOT_ACTIVATED": "two people put it in force: `attending policy activate`, once each",
    "KNOWLEDGE_NOT_ACTIVATED": "two people put it in force: `attending policy activate --knowledge`, once each",
    "UNKNOWN_POLICY": "`attending policy log` shows the names; the policy must lie in the server's folder",
    "VERSION_NOT_IN_FOLDER": "put the version that was reviewed into the server's folder, then ask again",
    "POLICY_HAS_ERRORS": "`attending policy lint` says where, and what to do",
    "NOT_REQUESTED": "`attending policy log` shows what waits; somebody else must ask for it first",
    "NOT_ACTIVE": "nothing to do: no version is in force",
    "EMERGENCY_OPEN": "end it first with `attending emergency end`, or wait until it is over",
    "EMERGENCY_ENDED": "it is over already; begin another if there is need",
    "UNKNOWN_EMERGENCY": "`attending emergency list` shows the ids",
    "UNKNOWN_REPORT": "`attending report list` shows the reports; another tenant's look the same",
    "NOTHING_CHOSEN": "no inference is as you asked; leave something out, or look with `attending ledger show`",
    "TOO_MANY_CHOSEN": "narrow the period, or report the whole period without a choice",
    "TOO_MANY_RECORDS": "compare the export in parts, each with its --from and --to",
    "USAGE_ID_REPEATED": "export the calls again, each once; the metadata names the rows",
    "RECONCILIATION_RUNNING": "wait until the one that runs has ended",
    "USAGE_NOT_COMPARED": "make room on the server's disk, then compare again",
    "TOO_MUCH_TO_EVALUATE": "export the period and run `attending controls --bundle` over it: it needs no server",
    "REPORT_FILES_FULL": "issue what waits or `attending report discard` it, or raise `reports.files_gib`",
    "TOO_MANY_REPORTS": "wait until some of them are made; `attending report list` shows how far they are",
    "REPORT_NOT_READY": "wait for the draft with `attending report show --wait`",
    "REPORT_NOT_MADE": "the server's log names what failed; ask again",
    "DRAFT_NOT_READ": "read it first: `attending report download --file draft`, as the person who signs",
    "REPORT_NOT_SIGNED_OFF": "a named person signs it off first: `attending report sign`",
    "REPORT_SIGNED_OFF": "it is signed off already; `attending report issue` issues it",
    "REPORT_NOT_ISSUED": "issue it first with `attending report issue`, or download the draft",
    "REPORT_DISCARDED": "it was discarded, or nobody signed it off in time: ask for a new one",
    "REPORT_ISSUED": "it is issued already; `attending report download` gives it",
    "ACCOUNTING_SUSPENDED": "an agency had it suspended since it was made: ask for a new one",
    "REPORT_CHANGED": "it cannot be made again as it was signed: ask for a new one with `attending report create`",
    "REPORT_MOVED": "look again with `attending report show`, then decide again",
    "EXAMINATION_CHANGED": "look again with `attending examine list`, then decide again",
    "EXCEPTIONS_UNDISPOSED": "say what you make of each with `attending examine dispose`",
    "NOTHING_TO_EXAMINE": "nothing to do: the log has not grown since",
    "UNKNOWN_KEY": "sign with the key that is enrolled for the identity you call as",
    "UNKNOWN_EXCEPTION": "`attending examine list` shows the exceptions of the running period",
    "ROLE_NOT_PERMITTED": "`attending review show` says which roles may sign",
}
"""What to do about a reason of the server, in terms of these commands; docs/api.md lists them all."""


def _show_version(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from attending.server.version import version

        click.echo(f"attending {version()}")
        ctx.exit()


@click.command(
    cls=LazyGroup,
    commands_by_name=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples(
        "attending demo",
        "attending dev",
        "attending check --policy discharge-plan --input in.jsonl --output out.jsonl",
        "attending verify november.attending --key log.vkey",
        after="Exit codes: 0 ok, 1 failed, 2 held or denied, 3 indeterminate, 4 usage.",
    ),
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version.",
)
def cli() -> None:
    """Attending: no output of a language model reaches care without its evidence and checks."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line (the process's when None) and returns its exit code; prints errors as one line."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        return int(_run(given))
    except ModuleNotFoundError as err:
        name = next((word for word in given if word in COMMANDS), "attending")
        missing = missing_module(name, err)
        report(missing.problem, missing.next_step)
        return int(missing.code)


def _run(arguments: list[str]) -> int:
    try:
        result: Any = cli.main(args=arguments, prog_name="attending", standalone_mode=False)
        return int(result) if isinstance(result, int) else Exit.OK
    except ModuleNotFoundError:
        raise
    except click.exceptions.NoArgsIsHelpError as err:
        # Asked for nothing: what could be asked for is the answer, in its own lines.
        click.echo(err.format_message(), err=True)
        return Exit.USAGE
    except click.UsageError as err:
        path = err.ctx.command_path if err.ctx is not None else "attending"
        report(_lower(err.format_message()), f"{path} --help")
        return Exit.USAGE
    except click.ClickException as err:
        report(_lower(err.format_message()), "correct it and try again")
        return Exit.USAGE
    except (click.Abort, KeyboardInterrupt):
        report("interrupted", "run the command again; what was acknowledged is kept")
        return Exit.FAILED
    except CommandError as err:
        report(err.problem, err.next_step)
        return err.code
    except BrokenPipeError:
        # The reader of our output went away: nothing more to say, and no second error when Python flushes.
        sys.stdout = None
        return Exit.FAILED
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else Exit.FAILED
    except Exception as err:
        return _other(err)


def _other(err: Exception) -> int:
    """Errors of the layers below; imported here so that the command itself starts lean."""
    from attending.ledger.errors import LedgerError
    from attending.server.errors import ConfigurationError

    if isinstance(err, ConfigurationError):
        report(err.problem, err.next_step)
        return Exit.USAGE
    if isinstance(err, LedgerError):
        from attending.server.cli.corrupt import next_step

        report(f"{err} ({err.reason})", next_step(err))
        return Exit.FAILED
    if isinstance(err, OSError):
        name = f" `{err.filename}`" if isinstance(err.filename, str) else ""
        report(f"{err.strerror or type(err).__name__}{name}".lower(), "check the path and its permissions")
        return Exit.USAGE
    if type(err).__module__.startswith("attending.guardrails.") and hasattr(err, "reason"):
        # Policies, knowledge and check processes that do not start: their words are about files, not about texts.
        report(f"{err} ({err.reason})", "correct the policy or pack that it names, and start again")
        return Exit.FAILED
    return _reasoned(err)


def _reasoned(err: Exception) -> int:
    from attending.client.errors import AttendingApiError, ReceiptError

    if isinstance(err, ReceiptError):
        report(str(err), "do not use the text, and tell the operator of the server")
        return Exit.FAILED
    if isinstance(err, AttendingApiError):
        # Enums, counts and ids: the server puts nothing else there.
        told = ", ".join(f"{key} {value}" for key, value in sorted(err.metadata.items()))
        next_step = NEXT_STEPS.get(err.reason, "see docs/api.md for what the reason means")
        report(f"{err}: {told}" if told else str(err), next_step)
        return Exit.HELD if err.code.name in {"PERMISSION_DENIED", "UNAUTHENTICATED"} else Exit.FAILED
    # Words of an unforeseen error may quote a prompt.
    report(f"internal error of type {type(err).__name__} at {_place(err)}", "report it with this line")
    return Exit.FAILED


def _place(err: BaseException) -> str:
    trace = err.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "unknown"
    name = trace.tb_frame.f_code.co_filename
    return f"{'/'.join(name.split('/')[-2:])}:{trace.tb_lineno}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def main() -> None:
    """The console script."""
    # As in `pool_worker`: jsonschema would make a grammar of IRIs where that is installed, for nothing that is asked.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    sys.exit(run())


if __name__ == "__main__":
    main()
