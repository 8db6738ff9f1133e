"""The verifier page: one HTML file that checks a bundle in a browser, opened from disk, with no network.

`verifier_page` puts the parts in this folder together: the modules of `modules/` become one script. The page is the
second reading of docs/format.md; it shares nothing with the verifier in Python but the list of entry types, which is
data.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib.resources import files
from typing import Final

from attending.ledger.entry import ENTRY_TYPES

_WORKER, _WINDOW = "worker", "window"
"""The modules that nothing imports: what runs apart from the page, and what runs in it."""
_TYPES: Final = "entrytypes"
_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./([a-z0-9]+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?(?:function\*?|class|const|let) (\w+))", re.MULTILINE)
_LEFT_OVER = re.compile(r"^(?:import|export)\b|</script|<!--", re.MULTILINE)


def verifier_page() -> bytes:
    """The page, the same bytes from the same parts. Nothing in it is read from anywhere when it runs."""
    here = files(__name__)
    style = here.joinpath("page.css").read_text(encoding="utf-8")
    window = script(_WINDOW)
    parts = {
        "STYLE": style,
        "STYLE_HASH": _csp_hash(style),
        "WINDOW": window,
        "WINDOW_HASH": _csp_hash(window),
        "WORKER": script(_WORKER),
    }
    page = here.joinpath("page.html").read_text(encoding="utf-8")
    return re.sub(r"@([A-Z_]+)@", lambda match: parts[match[1]], page).encode()


def script(entry: str) -> str:
    """The module `entry` and all that it imports, each in a scope of its own and after what it needs.

    ValueError for a module that imports itself by a circle, or that holds what cannot stand in a page.
    """
    scopes: dict[str, str] = {}
    _gather(entry, scopes, ())
    return "\n".join(['"use strict";', *scopes.values()])


def _gather(module: str, scopes: dict[str, str], within: tuple[str, ...]) -> None:
    if module in scopes:
        return
    if module in within:
        raise ValueError(f"modules import each other in a circle: {' -> '.join([*within, module])}")
    text = _source(module)
    for _names, needed in _IMPORT.findall(text):
        _gather(needed, scopes, (*within, module))
    exports = ", ".join(name for _declared, name in _EXPORT.findall(text))
    body = _EXPORT.sub(r"\1", _IMPORT.sub(r"const \1 = \2_module;\n", text))
    if _LEFT_OVER.search(body):
        raise ValueError(f"`{module}.js` holds an import, an export or markup that cannot be put into a page")
    scopes[module] = f"const {module}_module = (() => {{\n{body.strip()}\nreturn {{ {exports} }};\n}})();\n"


def _source(module: str) -> str:
    if module == _TYPES:
        return f"export const ENTRY_TYPES = new Set({json.dumps(sorted(ENTRY_TYPES))});\n"
    return files(__name__).joinpath(f"modules/{module}.js").read_text(encoding="utf-8")


def _csp_hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
