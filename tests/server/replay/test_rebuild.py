"""Everything that a gate and a desk can do to the projections, and the rebuild of it through the command line."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from attending.guardrails.checks.rests_on import Grounds
from attending.guardrails.patient import PatientContext
from attending.guardrails.policy.schema import Oversight, Sampling
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import SubjectErased
from attending.ledger.files import FolderLock
from attending.ledger.ledger import Ledger, LedgerConfig
from attending.ledger.verify.emitters import CLOSING_TYPE
from attending.server import projections
from attending.server.bootstrap.folder import MARKER
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit
from attending.server.errors import AttendingError
from attending.server.events.types import EXTERNAL_TYPES
from attending.server.idempotency import answered
from attending.server.inference.owners import Owners
from attending.server.inference.recovery import abandon_orphans
from attending.server.inference.states import State
from attending.server.oversight.alarms import Alarms
from attending.server.oversight.draws import Draws
from attending.server.oversight.second_reads import SecondReads
from attending.server.practice.opening import Openings
from attending.server.providers.port import ProviderError
from attending.server.recall.desk import Recalls
from attending.server.recall.worklist import Worklist
from attending.server.replay.reducers import REDUCERS, rows_of_append
from attending.server.review.enrolment import enrol_keys

from tests.server.inference.conftest import (
    CALLER,
    TENANT,
    context,
    infer_call,
    key,
    make_pipeline,
    record_call,
)
from tests.server.practice.conftest import CATALOGUE, Room
from tests.server.replay.notices import told
from tests.server.replay.people import lives
from tests.server.replay.reports import reported
from tests.server.review.conftest import LEASE_SECONDS, Ward, phi_of, revise
from tests.server.review.test_break_glass import OFFICER, permit
from tests.server.review.test_desk import claim, dispose_all, fresh, held, sign, ticket_of

TABLES = sorted(projections.metadata.tables)
Dump = dict[str, list[tuple[Any, ...]]]


def dump(folder: Path) -> Dump:
    """Every row as SQLite stores it, with the type of each value."""
    with sqlite3.connect(folder / "ledger.db") as connection:
        found: Dump = {}
        for table in TABLES:
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            shown = ", ".join(f"typeof({name}), CAST({name} AS BLOB)" for name in columns)
            rows = connection.execute(f"SELECT {shown} FROM {table}").fetchall() if columns else []
            found[table] = sorted(rows)
    connection.close()
    return found


async def _proposed(ward: Ward, patient: str) -> None:
    """Three released texts on the worklist: one is taken back, one needs no recall, one waits."""
    gate = ward.gate
    worklist = Worklist(gate.ledger, gate.changes, gate.clock)
    put = {"by": "bootstrap", "installed_by": "configuration", "knowledge_hash": "1" * 64}
    pack = PendingEntry("knowledge.activated", "knowledge", "system:srv-test", None, put)
    activation = (await gate.ledger.append(TENANT, [pack], rows=rows_of_append([pack]))).first_index
    for name in ("proposed back", "proposed not", "proposed"):
        made = await gate.pipeline.infer(
            CALLER, infer_call(context=context("administrative-letter", subject_ref="MRN-1")), key(name)
        )
        body = {
            "policy": "administrative-letter",
            "released_by": "policy",
            "now": "hold",
            "codes": ["interaction", "renal"],
            "deliveries": 0,
            "activation": activation,
            "knowledge_hash": "1" * 64,
        }
        entry = PendingEntry("recall.proposed", made.inference_id, "system:srv-test", patient, body)
        await gate.ledger.append(TENANT, [entry], rows=rows_of_append([entry]))
        if name == "proposed back":
            recalls = Recalls(gate.ledger, gate.changes, gate.clock)
            await recalls.withdraw(ward.rivera.principal, made.inference_id, "outdated", "", key("w"))
        elif name == "proposed not":
            await worklist.dismiss(ward.rivera.principal, made.inference_id, "superseded", "", key("d"))


async def whole_life(ward: Ward) -> str:
    """Every way that an inference, a ticket, a prompt and a key can go; returns the pseudonym of a patient."""
    gate, desk, people = ward.gate, ward.desk, [ward.rivera.principal, ward.chen.principal]
    patient = await gate.ledger.pseudonym(TENANT, "MRN-1")
    await reported(ward, gate.folder / "of-reports")
    about = context("administrative-letter", subject_ref="MRN-1", on_behalf_of="rivera")
    # Released, delivered, recorded; blocked before the model and after it; failed.
    released = await gate.pipeline.infer(CALLER, infer_call(context=about), key("released"))
    await gate.pipeline.acknowledge(CALLER, released.inference_id, "patient", "portal", key("delivered"))
    # Delivered twice, taken back, noticed by one.
    back = await gate.pipeline.infer(CALLER, infer_call(context=about), key("back"))
    for channel in ("portal", "print"):
        await gate.pipeline.acknowledge(CALLER, back.inference_id, "patient", channel, key(channel))
    recalls = Recalls(gate.ledger, gate.changes, gate.clock)
    await _proposed(ward, patient)
    await recalls.withdraw(ward.rivera.principal, back.inference_id, "unsafe", "a note", key("withdraw"))
    await recalls.acknowledge(ward.chen.principal, back.inference_id, "patient/print", key("notice"))
    await gate.pipeline.record(CALLER, record_call("A text from elsewhere."), key("recorded"))
    blocked = await gate.pipeline.infer(CALLER, infer_call("BLOCK-INPUT", context=about), key("blocked-in"))
    gate.provider.text = "BLOCK this"
    await gate.pipeline.infer(CALLER, infer_call(policy="discharge-plan"), key("blocked-out"))
    assert blocked.state is State.BLOCKED

    def fail() -> None:
        raise ProviderError("PROVIDER_REFUSED")

    gate.provider.before = fail
    with pytest.raises(AttendingError):
        await gate.pipeline.infer(CALLER, infer_call(context=about), key("failed"))
    gate.provider.before = lambda: None
    # Checks that are down: held unjudged, without a knowledge hash.
    gate.checker.fail_output = fail
    gate.provider.text = "Nobody looked at this."
    await gate.pipeline.infer(CALLER, infer_call(context=about), key("unjudged"))
    gate.checker.fail_output = lambda: None
    # A server that died in the middle.
    left, _ = make_pipeline(
        gate.ledger, gate.checker, gate.provider, gate.policies, gate.changes, gate.clock, owner="srv-gone"
    )
    gate.checker.phi_down = True
    left._trail.fail = _dies  # type: ignore[method-assign, assignment]
    with pytest.raises(AttendingError):
        await left.infer(CALLER, infer_call(context=about), key("abandoned"))
    gate.checker.phi_down = False
    assert await abandon_orphans(gate.ledger, [TENANT], Owners(gate.ledger, "srv-next"), gate.clock) == 1
    # Review: edited and signed; signed as it is after a second thought; rejected; expired under a lease; waiting.
    for edit, disposition in (("A safe text", "fixed"), (None, "accepted_risk")):
        ticket = ticket_of(await held(ward, subject_ref="MRN-1"))
        lease = await claim(ward, ticket, ward.rivera)
        await dispose_all(ward, ticket, lease, ward.rivera, "false_alarm")
        await desk.renew(ward.rivera.principal, ticket, lease, fresh())  # type: ignore[arg-type]
        missing = PatientContext(weight_kg=Decimal(82))
        await desk.add_facts(ward.rivera.principal, ticket, lease, missing, fresh())  # type: ignore[arg-type]
        await dispose_all(ward, ticket, lease, ward.rivera, disposition)
        prepared = await desk.prepare(ward.rivera.permit, ticket, lease, edit, ward.rivera.key_id)
        await sign(ward, ticket, lease, ward.rivera, prepared)
    ticket = ticket_of(await held(ward))
    lease = await claim(ward, ticket, ward.chen)
    await desk.reject(ward.chen.principal, ticket, lease, "unsafe", "a note", fresh())  # type: ignore[arg-type]
    await claim(ward, ticket_of(await held(ward)), ward.chen)
    gate.clock.advance(hours=3)
    assert await desk.escalate_due(TENANT, "srv-test")
    gate.clock.advance(days=30)
    assert await desk.expire_due(TENANT, "srv-test") == 2
    ticket = ticket_of(await held(ward))
    await claim(ward, ticket, ward.rivera)
    gate.clock.advance(seconds=LEASE_SECONDS + 1)
    lease = await claim(ward, ticket, ward.chen)
    await dispose_all(ward, ticket, lease, ward.chen)
    await desk.view(ward.chen.permit, ticket)
    # Given back, escalated, handed to who had escalated it, claimed by them.
    ticket = ticket_of(await held(ward))
    lease = await claim(ward, ticket, ward.rivera)
    await desk.release_lease(ward.rivera.principal, ticket, lease, fresh())  # type: ignore[arg-type]
    for who in (ward.rivera, ward.chen):
        lease = await claim(ward, ticket, who)
        await desk.escalate(who.principal, ticket, lease, "patient_unstable", "a note", fresh())  # type: ignore[arg-type]
    await desk.reassign(ward.chen.principal, ticket, "", "rivera", "expertise", "a note", fresh())  # type: ignore[arg-type]
    await claim(ward, ticket, ward.rivera)
    # Released by break-glass, and reviewed by somebody else.
    permit(ward)
    broken = await held(ward)
    args = (ward.rivera.principal, ticket_of(broken), "cover", "a note")
    await desk.break_glass(*args, key("glass"))
    await desk.review_break_glass(OFFICER, broken.inference_id, "justified", "a note", key("glass reviewed"))
    # Prompts: two versions, a label that moves; keys: enrolled again, revoked.
    first = await gate.prompts.create(TENANT, "human:op", "letters/visit", "Write to {{who}}.", key("v1"))
    second = await gate.prompts.create(TENANT, "human:op", "letters/visit", "Do write to {{who}}.", key("v2"))
    for number, version in enumerate((first.version, second.version)):
        await gate.prompts.set_label(
            TENANT, "human:op", "letters/visit", "live", version, None, key(f"label{number}")
        )
    await enrol_keys(gate.ledger, [TENANT], people, "srv-test", gate.clock)
    await lives(gate.ledger, gate.clock, gate.folder)
    await told(gate.ledger, gate.clock)
    await gate.pipeline.drain()
    await overseen(ward)
    await known_again(ward)
    await wanted(ward)
    await practised(ward)
    return patient


async def known_again(ward: Ward) -> None:
    """A finding that was decided before: once rested on, once decided anew."""
    ward.gate.checker.grounds = Grounds("{}", {})
    revise(ward, "discharge-plan", suppression={"days": 30})
    for dispose_again in (False, False, True):
        ticket = ticket_of(await held(ward, subject_ref="MRN-2"))
        lease = await claim(ward, ticket, ward.rivera)
        await dispose_all(ward, ticket, lease, ward.rivera)
        item, _version = await ward.desk.item(TENANT, ticket)
        if dispose_again:
            args = (ward.rivera.principal, ticket, lease, 0, "false_alarm", "misread_text", "")
            await ward.desk.dispose(*args, fresh())  # type: ignore[arg-type]
        prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
        await sign(ward, ticket, lease, ward.rivera, prepared)
    assert set(item.suppressed) == {0}


async def wanted(ward: Ward) -> None:
    """A finding that wants a pharmacist beside a clinician, and a clinician who has signed."""
    sign_offs = ward.gate.policies["discharge-plan"].sign_offs.model_dump()
    skills = [{"findings": "interactions", "roles": "pharmacist"}]
    revise(ward, "discharge-plan", sign_offs={**sign_offs, "roles": ["clinician"], "skills": skills})
    ticket = ticket_of(await held(ward))
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    await sign(ward, ticket, lease, ward.rivera, prepared)
    item, _version = await ward.desk.item(TENANT, ticket)
    assert (item.state, item.open_to) == ("held", ("pharmacist",))


async def overseen(ward: Ward) -> None:
    """A draw that takes everything, a second read, and an alarm about somebody's pace."""
    gate, owner = ward.gate, "srv-test"
    with pytest.MonkeyPatch.context() as patch:
        drawn = Sampling(released_percent=100)
        patch.setitem(gate.policies["administrative-letter"].__dict__, "sampling", drawn)
        rules = Oversight.model_validate({"velocity": {"signatures_per_hour": 1}})
        patch.setitem(gate.policies["discharge-plan"].__dict__, "oversight", rules)
        draws = Draws(gate.ledger, gate.policies, owner, gate.clock)
        await draws.sweep(TENANT)
        gate.provider.text = "Your visit is on Tuesday."
        await gate.pipeline.infer(CALLER, infer_call(), key("drawn"))
        gate.clock.advance(days=1)
        await draws.sweep(TENANT)
        reads = SecondReads(gate.ledger, phi_of(gate), "srv-test", gate.clock)
        [row] = await reads.waiting(ward.chen.principal, 10)
        await reads.decide(ward.chen.principal, row["read_id"], "rejected", "unsafe", "a note", key("again"))
        for _ in range(2):
            ticket = ticket_of(await held(ward))
            lease = await claim(ward, ticket, ward.rivera)
            await dispose_all(ward, ticket, lease, ward.rivera)
            prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
            await sign(ward, ticket, lease, ward.rivera, prepared)
        assert await Alarms(gate.ledger, gate.policies, owner, gate.clock).sweep(TENANT) == 1


async def practised(ward: Ward) -> None:
    """An openly marked item that waits, and one that was signed."""
    gate = ward.gate
    openings = Openings(
        gate.ledger, gate.switch, gate.changes, gate.checker, CATALOGUE, "srv-test", gate.clock
    )
    ward.desk._catalogue = CATALOGUE
    room = Room(ward, openings)
    await room.put(reader="chen")
    ticket = (await room.put(reader="rivera")).ticket
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    await sign(ward, ticket, lease, ward.rivera, prepared)
    seeded = (await room.put()).ticket
    lease = await claim(ward, seeded, ward.chen)
    await ward.desk.reject(ward.chen.principal, seeded, lease, "unsafe", "", fresh())  # type: ignore[arg-type]


async def _dies(*_: object) -> None:
    """Stands for a process that is gone before it can close its inference."""


@pytest.fixture
async def folder(ward: Ward, tmp_path: Path) -> Path:
    """A closed copy of a ledger after `whole_life`, laid out as an embedded data folder."""
    await whole_life(ward)
    return _copied(ward, tmp_path)


def _copied(ward: Ward, tmp_path: Path) -> Path:
    # Nothing is appended any more, so files that are copied under an open ledger are whole.
    data = tmp_path / "data"
    shutil.copytree(ward.gate.folder, data / "ledger", ignore=shutil.ignore_patterns("keys", "published"))
    for part in ("keys", "published"):
        shutil.copytree(ward.gate.folder / part, data / part)
    (data / MARKER).write_text("{}")
    return data


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ATTENDING_DATA", raising=False)
    monkeypatch.delenv("ATTENDING_CONFIG", raising=False)
    monkeypatch.setattr("attending.server.inference.judgement.CHECK_RETRY_SECONDS", (0.0,))


@pytest.fixture
def rebuild(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any, str]]:
    """Runs the command with --json; its exit code, what it printed, and its error."""

    def invoke(*arguments: str) -> tuple[int, Any, str]:
        capsys.readouterr()
        status = run(["ledger", "rebuild", *arguments, "--json"])
        out, err = capsys.readouterr()
        return status, json.loads(out) if out else None, err

    return invoke


async def test_a_life_touches_every_reducer(ward: Ward) -> None:
    await whole_life(ward)
    size, _root = await ward.gate.ledger.head(TENANT)
    seen = {entry.type for entry in await ward.gate.ledger.list_entries(TENANT, 0, size)}
    # Events from outside, and items that are read blind, are replayed by the tests of their own.
    elsewhere = {*EXTERNAL_TYPES, CLOSING_TYPE, "review.adjudicated"}
    assert REDUCERS.keys() - seen - elsewhere == set()


async def test_a_rebuild_gives_every_row_of_every_table_to_the_byte(folder: Path, rebuild: Any) -> None:
    before = dump(folder / "ledger")
    filled = {table: len(rows) > 0 for table, rows in before.items()}
    # Nothing from outside was appended here.
    assert filled == dict.fromkeys(TABLES, True) | {"emitter": False, "emitter_event": False}
    status, shown, _err = rebuild("--data", str(folder), "--check")
    assert (status, shown["logs"][0]["different"]) == (Exit.OK, 0)
    status, shown, _err = rebuild("--data", str(folder))
    assert status == Exit.OK
    rows = {log["log"]: log["rows"] for log in shown["logs"]}[TENANT]
    assert rows == {table: len(rows) for table, rows in before.items()} | {
        "custody_hold": 0,
        "custody_link": 0,
    }
    assert dump(folder / "ledger") == before


async def test_rows_that_were_lost_added_or_altered_are_named_and_put_right(
    folder: Path, rebuild: Any
) -> None:
    before = dump(folder / "ledger")
    with sqlite3.connect(folder / "ledger" / "ledger.db") as connection:
        connection.execute("DELETE FROM prompt_label")
        connection.execute("DROP TABLE signing_key")
        connection.execute(
            "UPDATE inference SET state = 'released', on_behalf_of = 'Maria' WHERE state = 'held'"
        )
        connection.execute("UPDATE review_item SET open_findings = 0.5, signed_by = x'00'")
        connection.execute(
            "INSERT INTO prompt_version VALUES (?, 'letters/evil', 'v', 'r', 't', 'human:x', 0)", (TENANT,)
        )
    connection.close()
    damaged = {table: rows for table, rows in dump(folder / "ledger").items() if table != "signing_key"}
    status, shown, err = rebuild("--data", str(folder), "--check")
    assert status == Exit.FAILED
    assert "rows are not what the entries give" in err
    assert "next: run `attending ledger rebuild`" in err
    found = {(one["table"], one["kind"], tuple(one["columns"])) for one in shown["logs"][0]["differences"]}
    assert found == {
        ("prompt_label", "missing", ()),
        ("signing_key", "missing", ()),
        ("inference", "differs", ("state", "on_behalf_of")),
        ("review_item", "differs", ("open_findings", "signed_by")),
        ("prompt_version", "extra", ()),
    }
    assert "Maria" not in json.dumps(shown)
    after = dump(folder / "ledger")
    assert after.pop("signing_key") == []
    assert after == damaged
    assert rebuild("--data", str(folder))[0] == Exit.OK
    assert dump(folder / "ledger") == before


async def test_after_a_rebuild_everything_is_answered_as_before(
    folder: Path, rebuild: Any, ward: Ward
) -> None:
    first = await answered(ward.gate.ledger, TENANT, key("delivered"))
    assert first is not None
    with sqlite3.connect(folder / "ledger" / "ledger.db") as connection:
        for table in TABLES:
            connection.execute(f"DELETE FROM {table}")
    connection.close()
    assert rebuild("--data", str(folder), "--log", TENANT)[0] == Exit.OK
    ledger = await Ledger.open(
        LedgerConfig(folder / "ledger", keys_folder=folder / "keys", publish_folder=folder / "published"),
        metadata=[projections.metadata],
    )
    gate = ward.gate
    pipeline, prompts = make_pipeline(
        ledger, gate.checker, gate.provider, gate.policies, gate.changes, gate.clock
    )
    # A repeated key is answered from its claim, which is no projection, and from the rows.
    again = await pipeline.infer(CALLER, infer_call(), key("released"))
    assert again == await gate.pipeline.infer(CALLER, infer_call(), key("released"))
    assert await answered(ledger, TENANT, key("delivered")) == first
    live = await prompts.get(TENANT, "letters/visit", label="live")
    assert live == await gate.prompts.get(TENANT, "letters/visit", label="live")
    await ledger.close()


async def test_an_erased_subject_changes_no_row(ward: Ward, tmp_path: Path, rebuild: Any) -> None:
    patient = await whole_life(ward)
    before = dump(ward.gate.folder)
    assert await ward.gate.ledger.erase_subject(TENANT, patient) is not None
    folder = _copied(ward, tmp_path)
    assert rebuild("--data", str(folder), "--check")[0] == Exit.OK
    assert rebuild("--data", str(folder))[0] == Exit.OK
    assert dump(folder / "ledger") == before
    # And it brings nothing back.
    with pytest.raises(SubjectErased):
        await ward.gate.pipeline.infer(CALLER, infer_call(), key("released"))


async def test_words_of_the_command(folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["ledger", "rebuild", "--data", str(folder), "--check"]) == Exit.OK
    out, err = capsys.readouterr()
    assert out.startswith(f"{TENANT}: ")
    assert out.endswith("  stored rows are the same\n")
    assert err == ""
    with sqlite3.connect(folder / "ledger" / "ledger.db") as connection:
        connection.execute("UPDATE prompt_label SET label = label || char(27) || '[2J', moved_by = 'x'")
    connection.close()
    assert run(["ledger", "rebuild", "--data", str(folder), "--check"]) == Exit.FAILED
    out, _err = capsys.readouterr()
    assert "\x1b" not in out
    assert 'prompt_label {"name": "letters/visit", "label": "live"} missing' in out
    for arguments, code, words in (
        (["--data", str(folder), "--log", "nobody"], Exit.USAGE, "no such log"),
        (["--data", str(tmp_path / "empty")], Exit.USAGE, "no data folder"),
        (["--data", str(folder), "--config", "x.toml"], Exit.USAGE, "exclude each other"),
    ):
        assert run(["ledger", "rebuild", *arguments]) == code
        assert words in capsys.readouterr().err
    assert not (tmp_path / "empty").exists()
    lock = FolderLock(folder / "ledger").acquire()
    assert run(["ledger", "rebuild", "--data", str(folder)]) == Exit.FAILED
    assert "next: stop the server" in capsys.readouterr().err
    lock.release()


async def test_a_configured_server_is_rebuilt_from_its_configuration(folder: Path, rebuild: Any) -> None:
    before = dump(folder / "ledger")
    config = folder / "attending.toml"
    config.write_text(
        '[server]\ntls_certificate = "s.pem"\ntls_key = "s.key"\n'
        '[storage]\nfolder = "ledger"\nkeys_folder = "keys"\npublished_folder = "published"\n'
        f'[[tenants]]\nname = "{TENANT}"\n'
    )
    status, shown, err = rebuild("--config", str(config))
    assert (status, err) == (Exit.OK, "")
    assert [log["log"] for log in shown["logs"]] == [TENANT]
    assert dump(folder / "ledger") == before


async def test_a_folder_without_a_ledger_is_left_alone(tmp_path: Path, rebuild: Any) -> None:
    (tmp_path / MARKER).write_text("{}")
    status, _shown, err = rebuild("--data", str(tmp_path))
    assert status == Exit.USAGE
    assert "folder holds no ledger" in err
    assert not (tmp_path / "ledger").exists()
