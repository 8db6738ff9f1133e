"""A validation pack: made from a real run of pytest, verified, and refused when anything of it was changed."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from attending.ledger.canonical import encode, parse_canonical
from attending.ledger.note import SignerKey, VerifierKey, sign_note
from attending.ledger.verify.__main__ import main as verify_command
from attending.ledger.verify.report import Report, Status
from attending.ledger.verify.validation import (
    OUTCOMES,
    RESULTS,
    TESTED,
    Requirement,
    outcomes,
    read_pack,
    signed_text,
    verify_validation,
)
from attending.ledger.verify.writer import add_member
from attending.server.cli.main import run
from attending.server.validation import ValidationFileError
from attending.server.validation.junit import Ran, read_junit
from attending.server.validation.pack import write_pack
from attending.server.validation.requirements import Requirements
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
SIGNER = SignerKey("validation.example", Ed25519PrivateKey.from_private_bytes(b"\7" * 32))
OTHER = SignerKey("validation.example", Ed25519PrivateKey.from_private_bytes(b"\x08" * 32))

SAMPLE = """
import pytest

def test_good(): pass

@pytest.mark.parametrize("word", ["a b", "caf\\u00e9", "x]::test_good["])
def test_many(word): assert word != "never"

@pytest.mark.parametrize("number", [1, 2])
def test_half(number): assert number == 1, "PATIENT NAME"

@pytest.mark.skip
def test_skipped(): pass

@pytest.fixture
def broken():
    yield
    raise RuntimeError

def test_teardown(broken): pass

class TestInside:
    def test_it(self): pass
"""


@pytest.fixture(scope="module")
def run_of(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a run of pytest left `tests.xml`."""
    root = tmp_path_factory.mktemp("run")
    (root / "tests" / "deep").mkdir(parents=True)
    (root / "tests" / "deep" / "test_sample.py").write_text(SAMPLE, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib"]
    done = subprocess.run(
        [*command, "--junitxml=tests.xml", "tests"], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stdout
    (root / "sbom.json").write_text(json.dumps({"bomFormat": "CycloneDX", "components": []}))
    return root


FILE = "tests/deep/test_sample.py"


def requirement(name: str, *tests: str) -> Requirement:
    return Requirement(name, f"What {name} says.", tests)


REQUIREMENTS = Requirements(
    date(2026, 11, 28),
    "0" * 64,
    (
        requirement("good", f"{FILE}::test_good", f"{FILE}::test_many"),
        requirement("half", f"{FILE}::test_half"),
        requirement("teardown", f"{FILE}::test_teardown"),
        requirement("skipped", f"{FILE}::test_skipped"),
        requirement("part", f"{FILE}::test_good", "tests/deep/test_other.py"),
        requirement("elsewhere", "tests/deep/test_other.py"),
        requirement("inside", f"{FILE}::TestInside"),
        requirement("file", FILE),
    ),
)


def made(root: Path, out: Path) -> Path:
    write_pack(
        out,
        requirements=REQUIREMENTS,
        results=[root / "tests.xml"],
        bill=root / "sbom.json",
        root=root,
        release="1.2.3",
        signer=SIGNER,
        now=NOW,
    )
    return out


def verified(path: Path, *keys: VerifierKey) -> Report:
    return verify_validation(path, keys or (SIGNER.verifier,))


def failed_at(report: Report) -> set[str]:
    return {one.check for one in report.failures}


def test_what_pytest_wrote_is_read(run_of: Path) -> None:
    found = {name.partition("::")[2]: one.outcome for name, one in read_junit(run_of / "tests.xml").items()}
    assert found == {
        "test_good": "passed",
        "test_many[a b]": "passed",
        "test_many[caf\\xe9]": "passed",
        "test_many[x]::test_good[]": "passed",
        "test_half[1]": "passed",
        "test_half[2]": "failed",
        "test_skipped": "skipped",
        "test_teardown": "error",
        "TestInside::test_it": "passed",
    }


def test_a_requirement_comes_to_what_its_tests_do(run_of: Path, tmp_path: Path) -> None:
    path = made(run_of, tmp_path / "pack")
    assert verified(path).verdict is Status.PASSED
    pack, files = read_pack(path)
    assert pack.outcomes == {
        "good": "proved",
        "half": "failed",
        "teardown": "failed",
        "skipped": "not_run",
        "part": "partly_run",
        "elsewhere": "not_run",
        "inside": "proved",
        "file": "failed",
    }
    assert pack.tests == {"passed": 6, "failed": 1, "error": 1, "skipped": 1}
    assert not any(b"PATIENT NAME" in data for data in files.values())
    environment = parse_canonical(files["environment.json"])
    assert environment["packages"]["pytest"] == pytest.__version__
    assert environment["changed"] is True  # no checkout: nobody can tell


def test_the_same_run_gives_the_same_bytes(run_of: Path, tmp_path: Path) -> None:
    one, two = (made(run_of, tmp_path / name).read_bytes() for name in ("one", "two"))
    assert one == two


def test_no_byte_of_it_can_be_changed(run_of: Path, tmp_path: Path) -> None:
    data = made(run_of, tmp_path / "pack").read_bytes()
    other = tmp_path / "other"
    for at in range(0, len(data), max(1, len(data) // 400)):
        flipped = bytearray(data)
        flipped[at] ^= 1
        other.write_bytes(flipped)
        assert verified(other).verdict is not Status.PASSED or _same_content(other, tmp_path / "pack"), at


def _same_content(one: Path, two: Path) -> bool:
    """A byte of the archive that no reader reads, such as a date."""
    return read_pack(one) == read_pack(two)


def test_whose_key_it_is_decides(run_of: Path, tmp_path: Path) -> None:
    path = made(run_of, tmp_path / "pack")
    elsewhere = SignerKey("somebody.example", SIGNER.private_key)
    assert verified(path, elsewhere.verifier).verdict is Status.INDETERMINATE
    assert failed_at(verified(path, OTHER.verifier)) == {"V1"}


def again(path: Path, out: Path, change: Callable[[dict[str, bytes]], object], signer: SignerKey) -> Path:
    """The pack with other files, listed and signed anew."""
    pack, files = read_pack(path)
    change(files)
    with zipfile.ZipFile(out, "w") as archive:
        listed = {name: add_member(archive, name, [data]) for name, data in files.items()}
        manifest = parse_canonical(pack.encode())
        manifest["files"] = [
            {"name": name, "sha256": item.sha256, "size": item.size_bytes}
            for name, item in sorted(listed.items())
        ]
        data = encode(manifest)
        add_member(archive, "manifest.json", [data])
        note = sign_note(signed_text(pack.signer, data), [signer])
        add_member(archive, "manifest.sig", [note.encode()])
    return out


def _better(files: dict[str, bytes]) -> None:
    files[RESULTS] = files[RESULTS].replace(b'"failed"', b'"passed"')


def _twice(files: dict[str, bytes]) -> None:
    lines = files[RESULTS].splitlines(keepends=True)
    files[RESULTS] = b"".join([lines[0], *lines])


def _fewer(files: dict[str, bytes]) -> None:
    files[RESULTS] = b"".join(
        line for line in files[RESULTS].splitlines(keepends=True) if b"test_skipped" not in line
    )


def _no_form(files: dict[str, bytes]) -> None:
    files[RESULTS] += b"{}\n"


def _more(files: dict[str, bytes]) -> None:
    files["more.json"] = b"{}"


@pytest.mark.parametrize(
    ("change", "check"),
    [(_better, "V20"), (_fewer, "V20"), (_twice, "V5"), (_no_form, "V5"), (_more, "V1")],
)
def test_a_pack_that_was_signed_anew_still_has_to_add_up(
    run_of: Path, tmp_path: Path, change: Callable[[dict[str, bytes]], object], check: str
) -> None:
    path = again(made(run_of, tmp_path / "pack"), tmp_path / "again", change, SIGNER)
    assert failed_at(verified(path)) == {check}


def test_the_command_verifies_one(run_of: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = made(run_of, tmp_path / "pack")
    assert verify_command([str(path), "--key", str(SIGNER.verifier)]) == 0
    said = capsys.readouterr().out
    assert "2 proved, 3 failed, 1 partly run, 2 not run" in said
    assert verify_command([str(path)]) == 3
    assert verify_command([str(path), "--key", str(OTHER.verifier)]) == 1
    assert verify_command([str(path), "--key", str(SIGNER.verifier), "--require-time"]) == 4


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<testsuites><testsuite></testsuite></testsuites>",
        b"<testsuites><testcase classname='tests.test_a' name='x'>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><testsuites><testcase classname='tests.test_a' name='&b;'/></testsuites>",
        b"<testsuites><testcase classname='elsewhere' name='x'/></testsuites>",
        b"<testsuites><testcase classname='tests.test_a' name=''/></testsuites>",
        b"<testsuites><testcase classname='tests.test_a' name='x' time='soon'/></testsuites>",
        b"<testsuites><testcase classname='tests.test_a' name='x' time='nan'/></testsuites>",
        b"PK\x03\x04",
    ],
)
def test_what_is_no_result_is_refused(tmp_path: Path, run_of: Path, content: bytes) -> None:
    path = tmp_path / "tests.xml"
    path.write_bytes(content)
    with pytest.raises(ValidationFileError):
        read_junit(path)
    out = tmp_path / "pack"
    with pytest.raises(ValidationFileError):
        write_pack(
            out,
            requirements=REQUIREMENTS,
            results=[run_of / "tests.xml", path],
            bill=run_of / "sbom.json",
            root=run_of,
            release="1.2.3",
            signer=SIGNER,
            now=NOW,
        )
    assert {one.name for one in tmp_path.iterdir()} == {"tests.xml"}


def test_what_one_run_skips_and_another_ran_was_run(run_of: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.xml"
    name = "classname='tests.deep.test_sample'"
    more.write_text(
        f"<testsuites><testcase {name} name='test_skipped' time='0.25'/>"
        f"<testcase {name} name='test_good'><failure/></testcase>"
        f"<testcase {name} name='test_half[2]'/></testsuites>"
    )
    out = tmp_path / "pack"
    found = write_pack(
        out,
        requirements=REQUIREMENTS,
        results=[run_of / "tests.xml", more],
        bill=run_of / "sbom.json",
        root=run_of,
        release="1.2.3",
        signer=SIGNER,
        now=NOW,
    )
    said = found.pack.outcomes
    assert (said["skipped"], said["good"], said["half"]) == ("proved", "failed", "failed")
    assert read_junit(more)[f"{FILE}::test_skipped"] == Ran("passed", 250)


@pytest.mark.parametrize("first", ["failure", "error"])
def test_of_two_runs_the_worse_outcome_stands_whichever_is_read_first(
    run_of: Path, tmp_path: Path, first: str
) -> None:
    runs = []
    for number, outcome in enumerate(sorted(("failure", "error"), key=lambda one: one != first)):
        runs.append(tmp_path / f"{number}.xml")
        runs[-1].write_text(
            "<testsuites><testcase classname='tests.deep.test_sample' name='test_good'>"
            f"<{outcome}/></testcase></testsuites>"
        )
    found = write_pack(
        tmp_path / "pack",
        requirements=REQUIREMENTS,
        results=runs,
        bill=run_of / "sbom.json",
        root=run_of,
        release="1.2.3",
        signer=SIGNER,
        now=NOW,
    )
    assert found.pack.tests == {"passed": 0, "failed": 0, "error": 1, "skipped": 0}


def test_results_of_one_name_are_refused_since_the_pack_could_name_one_of_them(tmp_path: Path) -> None:
    given = []
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        given.append(tmp_path / folder / "tests.xml")
        given[-1].write_text("<testsuites><testcase classname='tests.test_x' name='test_it'/></testsuites>")
    (tmp_path / "sbom.json").write_text(json.dumps({"bomFormat": "CycloneDX"}))
    with pytest.raises(ValidationFileError, match="has the name of other results"):
        write_pack(
            tmp_path / "pack",
            requirements=REQUIREMENTS,
            results=given,
            bill=tmp_path / "sbom.json",
            root=tmp_path,
            release="1.2.3",
            signer=SIGNER,
            now=NOW,
        )
    assert not (tmp_path / "pack").exists()


def test_the_command_makes_one_of_the_real_requirements(
    run_of: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, out = tmp_path / "key.pem", tmp_path / "pack"
    assert run(["keys", "signing", "--out", str(key)]) == 0
    arguments = [
        "validation",
        "pack",
        "--junit",
        str(run_of / "tests.xml"),
        "--key",
        str(key),
        "--out",
        str(out),
    ]
    arguments += [
        "--signer",
        "us.example",
        "--root",
        str(run_of),
        "--sbom",
        str(run_of / "sbom.json"),
        "--json",
    ]
    capsys.readouterr()
    assert run(arguments) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["requirements"]["proved"] == 0
    assert said["requirements"]["not_run"] == len(read_pack(out)[0].outcomes)
    assert verify_command([str(out), "--key", said["verifier_key"]]) == 0
    assert run(arguments) == 4
    out.unlink()
    assert run([*arguments, "--signer", "a+b"]) == 4
    key.write_bytes(b"no key")
    assert run(arguments) == 4
    assert not out.exists()


RESULT = st.sampled_from(TESTED)
NAMES = st.sampled_from(
    ["tests/test_a.py::test_x", "tests/test_a.py::test_y[1]", "tests/test_a.py::test_y[2]"]
)


@given(st.dictionaries(NAMES, RESULT), NAMES)
def test_one_failure_more_never_makes_it_better(results: dict[str, str], name: str) -> None:
    wanted = (
        requirement("file", "tests/test_a.py"),
        requirement("y", "tests/test_a.py::test_y"),
        requirement("both", "tests/test_a.py::test_x", "tests/test_a.py::test_y"),
    )
    before, after = outcomes(wanted, results), outcomes(wanted, {**results, name: "failed"})
    assert after["file"] == "failed"
    for one in ("y", "both"):
        assert after[one] in (before[one], "failed")
    assert set(before.values()) <= set(OUTCOMES)


def test_names_that_no_requirement_has_take_no_memory() -> None:
    """A line of 4 KiB names 1,300 classes in each other: a file at its bound would keep ten gigabytes of names."""
    results = {f"{number:03d}" + "::x" * 1300: "passed" for number in range(20)}
    asked = requirement("deep", "007::x::x")
    tracemalloc.start()
    try:
        assert outcomes([asked], results) == {"deep": "proved"}
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20  # all names together have 50 MB
