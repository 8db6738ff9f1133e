"""A site's own files, read as hostile, and what a build makes of them. All of them are of our own making."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from attending.guardrails.finding import Basis, Severity
from attending.guardrails.knowledge import Knowledge, build
from attending.guardrails.knowledge.assemble import pack
from attending.guardrails.knowledge.assemble.not_placed import NotPlaced, report
from attending.guardrails.knowledge.assemble.site import Site
from attending.guardrails.knowledge.facts import DoseLimit
from attending.guardrails.knowledge.importers import site_ddinter, site_formulary, site_rxnorm
from attending.guardrails.knowledge.importers.site_file import MAX_LINE_BYTES, SiteFileError

DDINTER = ",".join(site_ddinter.COLUMNS)
FORMULARY = ",".join(site_formulary.COLUMNS)
PAIR = "DDInter1,Warfarin,DDInter2,Naproxen,Major"
LINE = "warfarin,oral,IR,18,,10,15,mg,,,formulary,"


def conso(code: str, kind: str, name: str, *, source: str = "RXNORM", suppress: str = "N") -> str:
    return f"{code}|ENG||||||{code}A||{code}||{source}|{kind}|{code}|{name}||{suppress}|4096|"


def rel(first: str, relation: str, second: str) -> str:
    return f"{first}||CUI|RO|{second}||CUI|{relation}|1||RXNORM|RXNORM|||N||"


def rxnorm(folder: Path, names: list[str], ties: list[str] = [], facts: list[str] = []) -> Path:
    folder.mkdir(exist_ok=True)
    for name, lines in ((site_rxnorm.CONSO, names), (site_rxnorm.REL, ties), (site_rxnorm.SAT, facts)):
        (folder / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return folder


def ddinter(folder: Path, *lines: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "pairs.csv").write_text("\n".join([DDINTER, *lines]) + "\n", encoding="utf-8")
    return folder


def formulary(folder: Path, *lines: str) -> Path:
    path = folder / "formulary.csv"
    path.write_text("\n".join([FORMULARY, *lines]) + "\n", encoding="utf-8")
    return path


HOSTILE: list[tuple[str, bytes, int]] = [
    ("another heading", b"a,b\n1,2\n", 1),
    ("nothing", b"", 1),
    ("a cell too few", b"{head}\n{good}\nx,y\n", 3),
    ("a cell too many", b"{head}\n{good},z,z\n", 2),
    ("not UTF-8", b"{head}\n\xff\xfe\n", 2),
    ("an endless line", b"{head}\n" + b"a" * (MAX_LINE_BYTES + 10) + b"\n", 2),
    ("a null character", b"{head}\na\x00b\n", 2),
    ("an open quote", b'{head}\n"{good}\n', 2),
    ("a formula", b"{head}\n=cmd()|x,{good_rest}\n", 2),
    ("a formula in a quote", b'{head}\n"@SUM(1)",{good_rest}\n', 2),
]


@pytest.mark.parametrize(("what", "content", "line"), HOSTILE, ids=[row[0] for row in HOSTILE])
@pytest.mark.parametrize("kind", ["ddinter", "formulary"])
def test_a_hostile_csv_is_refused_with_its_line(
    tmp_path: Path, kind: str, what: str, content: bytes, line: int
) -> None:
    head, good = (DDINTER, PAIR) if kind == "ddinter" else (FORMULARY, LINE)
    for mark, text in (("head", head), ("good_rest", good.partition(",")[2]), ("good", good)):
        content = content.replace(b"{%s}" % mark.encode(), text.encode())
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(SiteFileError) as caught:
        list(site_ddinter.read(tmp_path) if kind == "ddinter" else site_formulary.read(path))
    assert caught.value.line == line
    assert f"`x.csv` line {line}: " in str(caught.value)
    assert "cmd()" not in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "line", "part"),
    [
        ([PAIR.replace("Major", "Deadly")], 2, "unknown level"),
        ([PAIR, "DDInter2,Naproxen,DDInter1,Warfarin,Minor"], 3, "line 2"),
        (["DDInter1,,DDInter2,Naproxen,Major"], 2, "empty"),
        (["1' OR 1,Warfarin,DDInter2,Naproxen,Major"], 2, "id"),
    ],
)
def test_a_ddinter_row_that_cannot_be_right_is_refused(
    tmp_path: Path, lines: list[str], line: int, part: str
) -> None:
    with pytest.raises(SiteFileError) as caught:
        list(site_ddinter.read(ddinter(tmp_path / "d", *lines)))
    assert caught.value.line == line
    assert part in str(caught.value)


def test_a_ddinter_pair_that_files_repeat_is_one(tmp_path: Path) -> None:
    folder = ddinter(tmp_path / "d", PAIR, "DDInter2,Naproxen,DDInter1,Warfarin,Major")
    (folder / "second.csv").write_text(f"\ufeff{DDINTER}\r\n{PAIR}\r\n", encoding="utf-8")
    (pair,) = site_ddinter.read(folder)
    assert (pair.line, pair.severity) == (2, Severity.MAJOR)


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (LINE.replace("oral", "by mouth"), "`route`"),
        (LINE.replace("IR", "slow"), "`formulation`"),
        (LINE.replace("mg", "tablet"), "`unit`"),
        (LINE.replace("10,15", "20,15"), "above"),
        (LINE.replace("18,,", "18,5,"), "above"),
        (LINE.replace("10,15", "ten,15"), "no number"),
        (LINE.replace("10,15", "NaN,15"), "positive"),
        (LINE.replace("10,15", "1e3,1500"), "positive"),
        (LINE.replace("10,15", "0,15"), "positive"),
        (LINE.replace("formulary", "maybe"), "`status`"),
        (LINE.replace("formulary", "restricted"), "`restriction`"),
        (LINE + "x" * 201, "longer"),
        (LINE.replace("warfarin", ""), "`drug`"),
    ],
)
def test_a_formulary_line_that_cannot_be_right_is_refused(tmp_path: Path, line: str, part: str) -> None:
    with pytest.raises(SiteFileError) as caught:
        list(site_formulary.read(formulary(tmp_path, line)))
    assert caught.value.line == 2
    assert part in str(caught.value)


def test_a_formulary_line_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SiteFileError) as caught:
        list(site_formulary.read(formulary(tmp_path, LINE, LINE.replace("15", "12"))))
    assert (caught.value.line, "line 2" in str(caught.value)) == (3, True)


@pytest.mark.parametrize(
    ("file", "line", "at"),
    [
        (site_rxnorm.CONSO, "1|ENG|IN|aspirin", 2),
        (site_rxnorm.CONSO, conso("x1", "IN", "aspirin"), 2),
        (site_rxnorm.CONSO, conso("1", "IN", ""), 2),
        (site_rxnorm.CONSO, conso("1", "IN", "another"), 2),
        (site_rxnorm.CONSO, conso("2", "IN", "aspirin") + "more", 2),
        (site_rxnorm.REL, "1|2|3", 1),
        (site_rxnorm.SAT, "4|||||||1|DCSA|MTHSPL|CIX|N||", 1),
        (site_rxnorm.SAT, "4|1", 1),
    ],
)
def test_a_hostile_rrf_is_refused_with_its_line(tmp_path: Path, file: str, line: str, at: int) -> None:
    folder = rxnorm(tmp_path, [conso("1", "IN", "aspirin")])
    with (folder / file).open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")
    with pytest.raises(SiteFileError) as caught:
        site_rxnorm.read(folder)
    assert caught.value.line == at


def test_an_rrf_without_ingredients_or_not_utf8_is_refused(tmp_path: Path) -> None:
    folder = rxnorm(tmp_path, [conso("1", "BN", "advil"), conso("2", "IN", "x", source="MTHSPL")])
    with pytest.raises(SiteFileError):
        site_rxnorm.read(folder)
    (folder / site_rxnorm.CONSO).write_bytes(b"\xff\n")
    with pytest.raises(SiteFileError):
        site_rxnorm.read(folder)


@pytest.fixture(scope="module")
def made(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[build.Compiled, Knowledge]:
    folder = tmp_path_factory.mktemp("site")
    names = [
        conso("900001", "IN", "Zelatrexine"),
        conso("900002", "PIN", "zelatrexine mesylate"),
        conso("900003", "BN", "Zelaprim"),
        conso("900004", "MIN", "ibuprofen / zelatrexine"),
        conso("5640", "IN", "ibuprofen"),
        conso("900005", "BN", "Zelaprofen"),
        conso("900006", "BN", "Lost Brand"),
        conso("900007", "BN", "Coumadin"),
        conso("900008", "SCD", "zelatrexine 5 MG Oral Tablet"),
        conso("900009", "SCDC", "zelatrexine 5 MG"),
        conso("900010", "IN", "Warfarin"),
        conso("900011", "IN", "forgotten", suppress="O"),
    ]
    ties = [
        rel("900001", "form_of", "900002"),
        rel("900001", "tradename_of", "900003"),
        rel("900001", "has_part", "900004"),
        rel("5640", "has_part", "900004"),
        rel("900001", "tradename_of", "900005"),
        rel("5640", "tradename_of", "900005"),
        rel("5640", "tradename_of", "900007"),
        rel("900009", "consists_of", "900008"),
        rel("900001", "has_ingredient", "900009"),
    ]
    facts = ["900008|||A|AUI|1|||DCSA|MTHSPL|CII|N||"]
    site = Site(
        rxnorm(folder / "rxnorm", names, ties, facts),
        ddinter(
            folder / "ddinter",
            "DDInter7,Zelatrexine mesylate,DDInter8,Montelukast,Major",
            "DDInter7,Zelatrexine,DDInter9,Unheard-of drug,Major",
            "DDInter7,Zelatrexine,DDInter10,Aspirin,Unknown",
        ),
        formulary(
            folder,
            "Zelatrexine,oral,IR,18,,5,10,mg,,12,restricted,oncology only",
            "No Such Drug,oral,,,,1,2,mg,,,formulary,",
        ),
    )
    done = build.compiled(sources, site)
    pack.write(folder / "pack", done.files, done.counts, done.inputs)
    return done, Knowledge.load(folder / "pack")


def test_a_sites_rxnorm_gives_ingredients_brands_combinations_and_schedules(
    made: tuple[build.Compiled, Knowledge],
) -> None:
    _, loaded = made
    assert loaded.rxcui("zelatrexine") == "900001"
    assert loaded.origin("zelatrexine") == ("site-rxnorm:900001", "site-rxnorm:900001")
    assert loaded.names()["zelatrexine mesylate"].drugs == ("zelatrexine",)
    assert loaded.names()["zelaprim"].brand
    assert loaded.names()["zelaprofen"].drugs == ("ibuprofen", "zelatrexine")
    assert loaded.names()["ibuprofen / zelatrexine"].drugs == ("ibuprofen", "zelatrexine")
    assert loaded.schedule("zelatrexine") == "CII"
    assert not loaded.is_drug("forgotten")


def test_the_packs_own_names_win_and_it_is_said(made: tuple[build.Compiled, Knowledge]) -> None:
    done, loaded = made
    assert loaded.names()["coumadin"].drugs == ("warfarin",)
    assert loaded.rxcui("warfarin") != "900010"
    told = {(row.source, row.where): row.why for row in done.missed}
    assert told["site-rxnorm", "900007"] == "the pack means warfarin"
    assert told["site-rxnorm", "900010"].startswith("the pack has warfarin as RxCUI ")
    assert told["site-rxnorm", "900006"] == "BN without an ingredient"


def test_a_sites_pairs_and_limits_carry_their_file_and_line(made: tuple[build.Compiled, Knowledge]) -> None:
    done, loaded = made
    (fact,) = loaded.interactions("zelatrexine", "montelukast")
    assert (fact.severity, fact.provenance.basis) == (Severity.MAJOR, Basis.SOURCE_ROW)
    assert fact.provenance.source == "the site's DDInter, pairs.csv line 2"
    (limit,) = loaded.dose_limits("zelatrexine")
    assert isinstance(limit, DoseLimit)
    assert [str(limit.max_single), str(limit.max_daily), str(limit.min_interval_hours)] == ["5", "10", "12"]
    assert limit.provenance.source == "the site's formulary, formulary.csv line 2"
    (line,) = loaded.formulary("zelatrexine")
    assert (line.status, line.restriction) == ("restricted", "oncology only")
    assert set(done.inputs) >= {site_rxnorm.CONSO, "pairs.csv", "formulary.csv"}


def test_what_is_not_placed_is_listed_and_nothing_is_dropped(made: tuple[build.Compiled, Knowledge]) -> None:
    done, _ = made
    rows = list(csv.DictReader(io.StringIO(report(done.missed))))
    assert {"source": "site-ddinter", "where": "pairs.csv line 3", "name": "Unheard-of drug",
            "why": "no drug or class of the pack"} in rows  # fmt: skip
    assert any(row["name"] == "Zelatrexine + Aspirin" and "Unknown" in row["why"] for row in rows)
    assert any(row["where"] == "line 3" and row["name"] == "No Such Drug" for row in rows)
    assert len([row for row in rows if row["source"] == "ansm"]) == done.counts["rows_not_placed_ansm"]
    assert done.counts["rows_not_placed_site-ddinter"] == 2


def test_a_report_holds_no_formula() -> None:
    text = report([NotPlaced("s", "line 1", '=HYPERLINK("x")', "why")])
    assert text.splitlines()[1] == 's,line 1,"\'=HYPERLINK(""x"")",why'


def write_fails_at(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[[Path, Path], Path] = Path.rename

    def rename(self: Path, target: Path) -> Path:
        if self.name.endswith(step):
            raise OSError("disk")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)


def test_a_write_that_fails_leaves_no_mixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "pack"
    first = pack.write(folder, {"a.tsv": "x\n1\n"}, {})
    write_fails_at("pack", monkeypatch)
    with pytest.raises(OSError, match="disk"):
        pack.write(folder, {"a.tsv": "x\n2\n", "b.tsv": "y\n"}, {})
    monkeypatch.undo()
    assert (folder / "a.tsv").read_text() == "x\n1\n"
    assert pack.write(folder, {"a.tsv": "x\n1\n"}, {}) == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pack"]


def test_a_folder_that_is_no_pack_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError):
        pack.write(tmp_path, {"a.tsv": "x\n"}, {})
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
