"""The verifier page as a file: one, the same each time, with nothing from elsewhere. tests/browser has what it does."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest
from attending.ledger.entry import ENTRY_TYPES
from attending.ledger.verify import page
from attending.ledger.verify.__main__ import main
from attending.ledger.verify.page import script, verifier_page
from attending.ledger.verify.report import CHECKS


def test_the_page_is_the_same_each_time_and_complete() -> None:
    made = verifier_page().decode()
    assert made == verifier_page().decode()
    assert re.search(r"@[A-Z_]+@", made) is None
    assert all(f'"{kind}"' in made for kind in ENTRY_TYPES)
    assert all(f'{check}: "{sentence}"' in made for check, sentence in CHECKS.items())


def test_the_policy_allows_what_is_in_the_page_and_nothing_else() -> None:
    made = verifier_page().decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', made)
    assert policy is not None
    allowed = dict(part.strip().split(" ", 1) for part in policy[1].split(";"))
    assert allowed.pop("default-src") == "'none'"
    for directive, tag in (("script-src", "<script>"), ("style-src", "<style>")):
        assert made.count(tag) == 1
        inner = made.split(tag)[1].split(f"</{tag[1:]}")[0]
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert allowed.pop(directive) == f"'sha256-{digest}'"
    assert allowed == {"worker-src": "blob:", "base-uri": "'none'", "form-action": "'none'"}


@pytest.mark.parametrize(
    "reaching",
    [
        *("fetch(", "XMLHttpRequest", "WebSocket", "EventSource", "sendBeacon", "importScripts", "import("),
        *("eval(", "new Function", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write"),
        *("http://", "src=", "url(", "localStorage", "indexedDB", "document.cookie"),
    ],
)
def test_no_part_of_it_reaches_out_or_makes_markup(reaching: str) -> None:
    page = verifier_page().decode().replace("^(https?)://", "")
    # Names of code systems, as FHIR has them; the policy of the page forbids every request besides.
    page = re.sub(r'"http://(?:dicom\.nema\.org|terminology\.hl7\.org)/[A-Za-z0-9/-]+"', '""', page)
    assert reaching not in page


def test_a_module_that_cannot_be_put_into_the_page_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {
        "one": 'import { two } from "./two.js";\nexport const one = two;\n',
        "two": 'import { one } from "./one.js";\nexport const two = one;\n',
        "markup": 'const text = "</script>";\n',
        "other": 'import fs from "node:fs";\n',
    }
    monkeypatch.setattr(page, "_source", sources.__getitem__)
    for name, why in (("one", "circle"), ("markup", "cannot be put"), ("other", "cannot be put")):
        with pytest.raises(ValueError, match=why):
            script(name)


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "verify.html"
    assert main(["--page", str(out)]) == 0
    assert out.read_bytes() == verifier_page()
    assert hashlib.sha256(out.read_bytes()).hexdigest() in capsys.readouterr().out
    assert main(["--page", str(out), "a.attending"]) == 4
    assert main(["--page", str(tmp_path / "absent/verify.html")]) == 4
    assert main([]) == 4
