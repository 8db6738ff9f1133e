"""Reads `attending ...` command lines out of texts, and says whether they parse, without running anything."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from functools import cache

import click
from attending.ledger.verify.__main__ import main as verify_main
from attending.server.cli.main import cli

_BLOCK = re.compile(r"^```(?P<language>[a-z]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_SHELL = {"", "sh", "shell", "bash", "console"}
_SPAN = re.compile(r"(?<!`)`(attending [^`\n]*)`(?!`)")
_ENDS = {"|", ">", ">>", "<", "&", "&&", "||", ";", "2>", "2>&1"}


def walk(
    command: click.Command = cli, context: click.Context | None = None, path: str = "attending"
) -> Iterator[tuple[str, click.Command]]:
    """Every command with its path, groups included."""
    context = context or click.Context(cli, info_name="attending")
    yield path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from walk(inner, click.Context(inner, parent=context, info_name=name), f"{path} {name}")


def in_markdown(text: str) -> list[str]:
    """The command lines of shell blocks and of code spans; continued lines are joined."""
    found = []
    for block in _BLOCK.finditer(text):
        if block["language"] in _SHELL:
            found += in_shell(block["body"])
    found += [span.replace("\n", " ") for span in _SPAN.findall(_BLOCK.sub("", text))]
    return found


def in_shell(text: str) -> list[str]:
    """The parts of a script that begin with the word `attending`."""
    found = []
    for raw in text.replace("\\\n", " ").splitlines():
        line = raw.strip().removeprefix("$ ")
        if not re.search(r"(^|[\s/(\"'])attending\s", f"{line} "):
            continue
        try:
            lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
            lexer.whitespace_split = True
            words = list(lexer)
        except ValueError:
            continue
        current: list[str] | None = None
        for word in words:
            if current is None and (word == "attending" or word.endswith("bin/attending")):
                current = []
            elif current is not None and (word in _ENDS or set(word) <= set("|&;<>()")):
                found.append(shlex.join(["attending", *current]))
                current = None
            elif current is not None:
                current.append(word)
        if current is not None:
            found.append(shlex.join(["attending", *current]))
    return found


def problem(line: str) -> str | None:
    """What is wrong with a command line: an unknown command or option, a missing value; None when it parses."""
    words = shlex.split(line)[1:]
    command: click.Command = cli
    context = click.Context(cli, info_name="attending")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        inner = command.get_command(context, words[0])
        if inner is None:
            return f"no command `{words[0]}` in `{context.command_path}`"
        context = click.Context(inner, parent=context, info_name=words[0])
        command, words = inner, words[1:]
    if context.command_path == "attending verify":
        unknown = [word for word in words if word.startswith("-") and word not in _verify_options()]
        return f"no option `{unknown[0]}`" if unknown else None
    try:
        command.make_parser(context).parse_args(list(words))
    except click.UsageError as err:
        return err.format_message()
    return None


@cache
def _verify_options() -> frozenset[str]:
    """The options in the help of the stand-alone verifier, which is no click command."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        verify_main(["--help"])
    return frozenset(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", printed.getvalue()))
