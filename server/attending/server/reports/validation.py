"""The sections of a validation report: tested or not, installed, in force, seen in use.

Hazards come from the hazard logs that lie with this software: the pages say so, and of which version of a policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attending.guardrails.policy.hazards import Hazard, load_hazards
from attending.guardrails.policy.load import load_policy
from attending.guardrails.policy.problem import PolicyError
from attending.ledger.verify.registers.register import Row
from attending.ledger.verify.registers.validation import ALL
from attending.server.content_hash import digits
from attending.server.errors import ConfigurationError
from attending.server.reports.blocks import ENTRY, Block, Column, heading, points, table, text
from attending.server.reports.listed import first_of, moment
from attending.server.reports.source import MOST_LINES, Source
from attending.server.shipped import package_policies
from attending.server.validation.requirements import load_requirements


def sections(source: Source) -> Iterable[Block]:
    """All of them, in order."""
    yield from _tested(source)
    yield from _installed(source)
    yield from _in_force(source)
    yield from _hazards(source)
    yield from _people(source)
    yield from _not_shown()


def _tested(source: Source) -> Iterable[Block]:
    rows = source.rows
    yield heading("What was tested")
    if not rows.of("pack"):
        yield text("None: no validation pack was recorded up to the end of the period.")
        return
    yield text(
        "As whoever recorded each pack states it: a pack is a signed statement of how the tests of a release came out,",
        "requirement by requirement. This server saw none of them and verified no signature; the tests did not run",
        "here. Ask for the file that the entry names by its hash, and verify it under a key that you have from its",
        "signer.",
    )
    yield from first_of(rows, "pack")
    yield table(
        [
            ENTRY,
            Column("Recorded", 22, 14),
            Column("Release", 20, 12),
            Column("Signed by, key", 32, 20),
            Column("Requirements", 32, 20),
            Column("In detail", 0, 27, mono=True),
        ],
        [
            (entry, moment(time), version, name, state, f"{told}; recorded by {by}")
            for _, entry, time, _, name, version, state, _, _, by, told in rows.of("pack")
        ],
        size=8,
        lines=14,
    )
    known = _statements()
    open_ = [row for row in rows.of("requirement") if row[6] != "proved"]
    yield heading("What was not proved", 2)
    yield text(
        "Of the newest pack, as it was recorded:",
        f"{rows.total('requirement') - len(open_)} of {rows.total('requirement')} requirements are",
        "proved. The others:" if open_ else "proved, and there is no other.",
    )
    if open_:
        yield _requirements(open_, known)
    proved = [row for row in rows.of("requirement") if row[6] == "proved"]
    if proved:
        yield heading("What was proved", 2)
        yield _requirements(proved, known)
    if unknown := sum(str(row[3]) not in known for row in rows.of("requirement")):
        yield text(
            f"{unknown} of these ids are not among the requirements of the software that made this report: the pack is",
            "of another release. Its own file has their words.",
            size=9,
        )


def _requirements(rows: Iterable[Row], known: Mapping[str, str]) -> Block:
    return table(
        [
            Column("Requirement", 44, 27, mono=True),
            Column("What it says", 0, 62),
            Column("Came out as", 26, 16),
        ],
        [(row[3], known.get(str(row[3]), ""), str(row[6]).replace("_", " ")) for row in rows],
        size=8,
    )


def _statements() -> dict[str, str]:
    try:
        return {one.id: one.statement for one in load_requirements(package_policies()).each}
    except ConfigurationError:
        return {}


def _installed(source: Source) -> Iterable[Block]:
    rows = source.rows
    yield heading("What is installed")
    if not rows.of("installation"):
        yield text("None: no installation was recorded up to the end of the period.")
        return
    yield text(
        "As whoever looked at it states it: the checks of the doctor, the packages against those of the pack's bill of",
        "materials, and the verdict of the offline verifier over an export of this log.",
    )
    yield from first_of(rows, "installation")
    yield table(
        [
            ENTRY,
            Column("Recorded", 22, 14),
            Column("Release", 20, 12),
            Column("Standing", 26, 16),
            Column("By", 26, 16),
            Column("In detail", 0, 37),
        ],
        [
            (entry, moment(time), version, f"{state}; {well} of {of} checks", by, f"{name}; {told}")
            for _, entry, time, _, name, version, state, well, of, by, told in rows.of("installation")
        ],
        size=8,
        lines=8,
    )
    if rows.of("finding"):
        yield heading("What the newest did not find in order", 2)
        yield table(
            [Column("What", 24, 14), Column("Name", 0, 46, mono=True), Column("Said", 60, 32, mono=True)],
            [(what, name, reason) for _, _, _, what, name, _, reason, *_ in rows.of("finding")],
            size=8,
        )
    newest, packs = rows.of("installation")[0], [row[5] for row in rows.of("pack")]
    if newest[5] not in packs:
        yield text(f"No pack of the installed release {newest[5]} was recorded.")


def _in_force(source: Source) -> Iterable[Block]:
    rows = source.rows
    yield heading("What is in force, and how it was evaluated")
    if not rows.of("in_force"):
        yield text("Nothing: no entry up to the end of the period puts a policy, model or prompt in force.")
    else:
        yield text(
            "An evaluation is as whoever recorded it states it, which may be an application. It counts for the kind",
            "and version that it names, whenever it was made; of models that share a revision none is meant.",
        )
        yield from first_of(rows, "in_force")
        yield table(
            [
                ENTRY,
                Column("What", 26, 16),
                Column("Name", 34, 21),
                Column("Version", 30, 18, mono=True),
                Column("Evaluation", 28, 17),
                Column("Put in force by", 0, 22),
            ],
            [
                (
                    entry,
                    what,
                    name,
                    version,
                    state if of is None else f"{state}, {well} of {of}",
                    f"{by}; {told}",
                )
                for _, entry, _, what, name, version, state, well, of, by, told in rows.of("in_force")
            ],
            size=8,
            lines=8,
        )
    if rows.of("evaluation"):
        yield heading("Evaluations of the period", 2)
        yield from first_of(rows, "evaluation")
        yield table(
            [
                ENTRY,
                Column("Time", 22, 14),
                Column("Suite", 30, 18),
                Column("Of", 0, 25, mono=True),
                Column("Result", 16, 10),
                Column("Cases", 18, 11, right=True),
                Column("By", 22, 14),
            ],
            [
                (entry, moment(time), suite, f"{target} {version}", state, f"{well} of {of}", by)
                for _, entry, time, suite, target, version, state, well, of, by, _ in rows.of("evaluation")
            ],
            size=8,
        )


def _hazards(source: Source) -> Iterable[Block]:
    observed: dict[str, dict[str, tuple[int, int]]] = {}
    for _, _, _, policy, code, _, _, stopped, reported, *_ in source.rows.of("observed"):
        observed.setdefault(str(policy), {})[str(code)] = (int(stopped or 0), int(reported or 0))
    in_force = {str(row[4]): str(row[5]) for row in source.rows.of("in_force") if row[3] == "policy"}
    yield heading("Hazards, their rails, and what was seen")
    yield text(
        "Caught are cases of the policy's own folder, run as tests. Seen are findings of the hazard's codes in texts",
        "of the period that were decided, and stopped those whose text was held or blocked; a text with two of the",
        "codes counts for each. What no rail reported is in neither: only cases tell what rails miss. Texts planted",
        "unseen for practice are among them.",
    )
    names = sorted(observed.keys() | in_force.keys())
    if not names:
        yield text("None: no policy was in force, and no text was decided.")
    without = []
    for name in names:
        hazards, here = _log_of(name)
        if hazards:
            yield from _of_policy(name, hazards, here == in_force.get(name), observed.get(name, {}))
        else:
            without.append((name, *reversed(observed.get(name, {}).get(ALL, (0, 0)))))
    if without:
        yield heading("Policies without a hazard log", 2)
        yield text("None lies with the software that made this report.", size=9.5)
        yield table(
            [
                Column("Policy", 0, 70),
                Column("Texts", 24, 14, right=True),
                Column("Stopped", 24, 14, right=True),
            ],
            without[:MOST_LINES],
        )


def _of_policy(
    name: str, hazards: Iterable[Hazard], same: bool, seen: Mapping[str, tuple[int, int]]
) -> Iterable[Block]:
    stopped, texts = seen.get(ALL, (0, 0))
    yield heading(name, 2)
    yield text(f"{texts} texts were decided; {stopped} of them were held or blocked.", size=9.5)
    if not same:
        yield text(
            "The hazard log that lies here is of another version of the policy than the one in force at the end.",
            size=9.5,
        )
    yield table(
        [
            Column("Id", 10, 6),
            Column("Hazard", 40, 25),
            Column("Rail", 30, 18),
            Column("Caught", 18, 11, right=True),
            Column("Seen", 14, 8, right=True),
            Column("Stopped", 16, 10, right=True),
            Column("What remains", 0, 24),
        ],
        [_hazard(one, seen) for one in hazards],
        size=8,
        lines=8,
    )


def _hazard(one: Hazard, seen: Mapping[str, tuple[int, int]]) -> tuple[object, ...]:
    counts = [seen.get(code.value, (0, 0)) for code in one.codes]
    stopped, reported = sum(count[0] for count in counts), sum(count[1] for count in counts)
    return (
        one.id,
        one.hazard,
        one.rail,
        f"{one.caught} of {one.cases}",
        reported,
        stopped,
        one.residual_risk,
    )


def _log_of(name: str) -> tuple[tuple[Hazard, ...], str]:
    """The hazard log of a policy that lies here, and the version that it is of."""
    folder = package_policies() / name
    # A name of an entry may be anything; only that of a folder that lies here leads into one.
    if folder.parent != package_policies() or name not in {one.name for one in package_policies().iterdir()}:
        return (), ""
    try:
        return load_hazards(folder), digits(load_policy(folder).policy.hash)
    except PolicyError:
        return (), ""


def _people(source: Source) -> Iterable[Block]:
    rows = source.rows
    yield heading("Whether people find what is planted")
    if rows.of("practice"):
        yield table(
            [
                Column("Planted", 0, 70),
                Column("Read", 24, 14, right=True),
                Column("Rightly", 24, 14, right=True),
            ],
            [(error, of, right) for _, _, _, error, _, _, _, right, of, _, _ in rows.of("practice")],
        )
    else:
        yield text("None: nothing that was planted for practice was opened in the period.")
    yield heading("Examinations of the log", 2)
    if rows.of("examination"):
        yield table(
            [
                ENTRY,
                Column("Newest", 34, 22),
                Column("Office", 40, 26),
                Column("By", 0, 22),
                Column("Covers", 44, 28),
            ],
            [
                (entry, moment(time), office, by, told)
                for _, entry, time, office, *_, by, told in rows.of("examination")
            ],
        )
    else:
        yield text("None was signed up to the end of the period.")


def _not_shown() -> Iterable[Block]:
    yield heading("What was not tested")
    yield points(
        [
            "Whether this installation is fit for the use that is made of it, with the patients, texts, models and"
            " people of this place: who uses it validates that (21 CFR 11.10(a), DCB0160).",
            "Languages, drugs and forms of words that no case is written in. The rates of detection that the"
            " documents state were measured on texts that were written for it.",
            "That a pack was signed, and says what its entry says: who recorded it says so, and the file shows both.",
            "That the tests of a pack ran as stated: the signer says so. Whoever has the sources can run them.",
            "That what is installed is what was looked at: versions of packages were compared, and no file of them.",
            "Simulations of a version before it was put in force: they leave no entry. Evaluations do, where somebody"
            " records them.",
        ]
    )
