"""YAML of a policy, read strictly and within bounds, with the line on which each key stands.

Aliases, a second document, a key given twice, more than 256 KiB or 40 levels are errors: a policy needs none of them,
and each can make a small file large or say one thing to a reader and another to the server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from attending.guardrails.policy.problem import PolicyError, Problem

MAX_YAML_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 40

_Lines = Mapping[str, int]


class _Strict(yaml.SafeLoader):
    """A SafeLoader without aliases and without two equal keys, of which PyYAML would keep the last."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.constructor.ConstructorError(None, None, "an alias (`*name`) has no place here", mark)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise yaml.constructor.ConstructorError(None, None, f"more than {MAX_DEPTH} levels deep", mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _unique_mapping(loader: _Strict, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
    seen = set()
    for key, _value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(None, None, "a key must be a word", key.start_mark)
        name = loader.construct_object(key, deep=True)
        if name in seen:
            raise yaml.constructor.ConstructorError(None, None, f"`{name}` stands twice", key.start_mark)
        seen.add(name)
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


_Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def read_yaml(folder: Path, relative: str) -> tuple[Any, _Lines]:
    """The value of one file of a policy's folder, and key path (`verdicts.1.decision`) to line.

    Raises PolicyError: FILE_MISSING, TOO_LARGE, NOT_UTF8, NOT_YAML.
    """
    text = _text(folder, relative)
    try:
        loader = _Strict(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None, {}
            return loader.construct_document(node), dict(_lines(node, ""))
        finally:
            loader.dispose()
    except yaml.YAMLError as err:
        mark = getattr(err, "problem_mark", None)
        what = getattr(err, "problem", None) or type(err).__name__
        line = mark.line + 1 if mark is not None else None
        raise _refused(folder, relative, "NOT_YAML", str(what), "correct the YAML there", line) from None
    except (ValueError, RecursionError, OverflowError) as err:
        # A value that YAML takes for a date or number and Python cannot hold.
        what = f"holds a value that cannot be read ({type(err).__name__})"
        raise _refused(folder, relative, "NOT_YAML", what, "put the value in quotes") from None


def _text(folder: Path, relative: str) -> str:
    path = folder / relative
    try:
        with path.open("rb") as file:
            data = file.read(MAX_YAML_BYTES + 1)
    except FileNotFoundError:
        raise _refused(folder, relative, "FILE_MISSING", "is missing", f"add `{relative}`") from None
    except OSError as err:
        what = f"cannot be read ({type(err).__name__})"
        raise _refused(folder, relative, "FILE_MISSING", what, "make it a file the server may read") from None
    if len(data) > MAX_YAML_BYTES:
        what = f"is larger than {MAX_YAML_BYTES} bytes"
        raise _refused(folder, relative, "TOO_LARGE", what, "keep texts short; documents do not belong here")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise _refused(folder, relative, "NOT_UTF8", "is not UTF-8 text", "save it as UTF-8") from None


def line_of(lines: _Lines, key: str) -> int | None:
    """The line of `key`, or of the nearest key above it; None where none is known."""
    while key:
        if key in lines:
            return lines[key]
        key = key.rpartition(".")[0]
    return lines.get("")


def _lines(node: yaml.Node, path: str) -> Iterator[tuple[str, int]]:
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = f"{path}.{key.value}" if path else str(key.value)
            yield from _lines(value, below)
            yield below, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _lines(value, f"{path}.{number}" if path else str(number))


def _refused(
    folder: Path, relative: str, reason: str, what: str, step: str, line: int | None = None
) -> PolicyError:
    said = what if line is None else f"line {line}: {what}"
    return PolicyError(folder.name, (Problem(relative, line, relative, reason, said, step),))
