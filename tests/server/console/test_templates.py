"""Every page is given every name that its template and the parts in it want, in whatever branch: a part that several
pages share is where one of them forgets a name, and only of a page with rows in it would anybody notice.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import pytest
from attending.server.console.render import FOLDER, Pages
from jinja2 import DictLoader, Environment, nodes

ENVIRONMENT = Pages(lambda: datetime.now(UTC), embedded=False)._environment
ALWAYS = {"visit", "framed", "now"}
"""What `Pages.page` gives by itself."""
NAMING = (nodes.Include, nodes.Extends, nodes.FromImport)


class Wants:
    """The names that a template needs from whoever renders it: what may be read before it is set. Parts see what is set
    where they stand; what only one branch sets is not known after both.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def of(self, name: str) -> set[str]:
        return self._each(self._parsed(name).body, set(self._environment.globals))

    def _parsed(self, name: str) -> nodes.Template:
        loader = self._environment.loader
        assert loader is not None
        return self._environment.parse(loader.get_source(self._environment, name)[0])

    def _each(self, found: Iterable[nodes.Node], known: set[str]) -> set[str]:
        """Of nodes one after the other; `known` has then what they set."""
        return {name for one in found for name in self._one(one, known)}

    def _one(self, node: nodes.Node, known: set[str]) -> set[str]:
        if isinstance(node, nodes.Name):
            if node.ctx == "load":
                return {node.name} - known
            known.add(node.name)
        elif isinstance(node, nodes.Assign):
            return self._each((node.node, node.target), known)
        elif isinstance(node, nodes.If):
            wants = self._one(node.test, known)
            ends = []
            for body in (node.body, *([one.test, *one.body] for one in node.elif_), node.else_):
                ends.append(set(known))
                wants |= self._each(body, ends[-1])
            known |= set.intersection(*ends)
            return wants
        elif isinstance(node, nodes.For):
            wants, within = self._one(node.iter, known), known | {"loop"}
            wants |= self._each((node.target, *([node.test] if node.test else []), *node.body), within)
            return wants | self._each(node.else_, set(known))
        elif isinstance(node, nodes.Macro):
            known.add(node.name)
            return self._each((*node.defaults, *node.args, *node.body), set(known))
        elif isinstance(node, nodes.FromImport):
            # Macros of another template see what is given to them, and what every template has.
            known.update(one if isinstance(one, str) else one[1] for one in node.names)
            return self.of(constant(node))
        elif isinstance(node, nodes.Include):
            return self._each(self._parsed(constant(node)).body, set(known))
        elif isinstance(node, nodes.Extends):
            return self.of(constant(node))
        elif isinstance(node, nodes.Block):
            return self._each(node.body, set(known))
        else:
            return self._each(node.iter_child_nodes(), known)
        return set()


def constant(node: nodes.Node) -> str:
    """The name of the template that is extended, imported from or included."""
    assert isinstance(node, NAMING)
    assert isinstance(node.template, nodes.Const)
    return str(node.template.value)


def given() -> Iterator[tuple[str, str, set[str]]]:
    """(module, template, names) of each place where a page is made."""
    for path in sorted(FOLDER.glob("*.py")):
        calls = [one for one in ast.walk(ast.parse(path.read_text())) if isinstance(one, ast.Call)]
        makes = [one for one in calls if ast.unparse(one.func) in ("self._pages.page", "self._page")]
        # What a module's own `_page` adds to the names of its callers.
        shared = {
            word.arg for one in makes if not templates(one) for word in one.keywords if word.arg is not None
        }
        for one in makes:
            names = {word.arg for word in one.keywords if word.arg is not None}
            if ast.unparse(one.func) == "self._page":
                names |= shared
            for name in templates(one):
                yield path.stem, name, names | ALWAYS


def templates(call: ast.Call) -> list[str]:
    constants = [one.value for one in ast.walk(call.args[0]) if isinstance(one, ast.Constant)]
    return [one for one in constants if isinstance(one, str) and one.endswith(".html")]


GIVEN = list(given())


@pytest.mark.parametrize(("module", "name", "names"), GIVEN, ids=[f"{one[0]}-{one[1]}" for one in GIVEN])
def test_a_page_is_given_all_that_its_template_wants(module: str, name: str, names: set[str]) -> None:
    assert Wants(ENVIRONMENT).of(name) <= names


def test_every_template_is_a_page_or_a_part_of_one() -> None:
    there = {path.name for path in FOLDER.glob("templates/*.html")}
    parsed = [ENVIRONMENT.parse((FOLDER / "templates" / name).read_text(encoding="utf-8")) for name in there]
    parts = {constant(node) for template in parsed for kind in NAMING for node in template.find_all(kind)}
    assert {name for _module, name, _names in GIVEN} | parts == there


def test_a_name_that_one_of_two_pages_forgets_is_found() -> None:
    sources = {
        "one.html": "{% set total = 1 %}{% if rows %}{% include 'part.html' %}{% endif %}",
        "two.html": "{% if rows %}{% set total, more = 1, 0 %}{% include 'part.html' %}{% endif %}",
        "three.html": "{% if rows %}{% set total, more = 1, 0 %}{% endif %}{% include 'part.html' %}",
        "part.html": "{% for row in rows %}{{ row }}{{ total }}{% if more %}{{ loop.index }}{% endif %}{% endfor %}",
    }
    environment = Environment(loader=DictLoader(sources), autoescape=True)
    wants = Wants(environment)
    assert wants.of("one.html") == {"rows", "more"}
    assert wants.of("two.html") == {"rows"}
    assert wants.of("three.html") == {"rows", "more", "total"}
