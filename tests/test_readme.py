"""README's commands do what it says: its blocks run in order in one folder, against a real server.

A comment before a block says what it is for: `<!-- run -->` runs it (shell with `set -e`, or Python), `<!-- shows -->`
is the output of the block before, where `...` stands for any text in a line and, alone, for any lines, and
`<!-- grpcurl -->` is a call that is made through the server's reflection.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from attending.client import Connection
from attending.server.bootstrap.folder import REPLAY_FILE
from attending.server.demo import steps
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.e2e.server_process import ServerProcess

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
_MARKED = re.compile(
    r"^<!-- (?P<mark>run|shows|grpcurl) -->\n```(?P<language>[a-z]+)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A marked block of README and the line at which it begins."""

    mark: str
    language: str
    body: str
    line: int


BLOCKS = [
    Block(found["mark"], found["language"], found["body"], README.count("\n", 0, found.start()) + 1)
    for found in _MARKED.finditer(README)
]


def pattern(shown: str) -> re.Pattern[str]:
    """What an output must be to be the one shown."""
    lines = []
    for line in shown.splitlines():
        if line.strip() == "...":
            lines.append(r"(?:[^\n]*\n)*?")
        else:
            lines.append(r"[^\n]*?".join(re.escape(part) for part in line.split("...")) + r"[ ]*\n")
    return re.compile("".join(lines))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("readme") / "attending-data", REPLAY_FILE)
    process.start()
    yield process
    assert process.stop() == 0


def execute(block: Block, folder: Path) -> subprocess.CompletedProcess[str]:
    program = ["bash", "-euo", "pipefail", "-c"] if block.language == "sh" else [sys.executable, "-c"]
    return subprocess.run(
        [*program, block.body],
        cwd=folder,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=180,
        check=False,
    )


def test_its_blocks_run_and_show_what_it_says(server: ServerProcess) -> None:
    ran = shown = 0
    printed = ""
    for block in BLOCKS:
        if block.mark == "run":
            done = execute(block, server.folder.parent)
            assert done.returncode == 0, f"README.md:{block.line}: {done.stdout}"
            printed, ran = done.stdout, ran + 1
        elif block.mark == "shows":
            assert pattern(block.body).fullmatch(printed), (
                f"README.md:{block.line} shows otherwise:\n{printed}"
            )
            shown += 1
    assert ran >= 3
    assert shown >= 3


def test_an_output_other_than_shown_is_told() -> None:
    shown = pattern("a ... c\n...\nend\n")
    assert shown.fullmatch("a b c\nend\n")
    assert shown.fullmatch("a b c\nx\ny\nend\n")
    assert not shown.fullmatch("a b d\nend\n")
    assert not shown.fullmatch("a b c\nend\nmore\n")
    assert not pattern("held\n").fullmatch("released\n")


def grpcurl(words: list[str], connection: Connection, target: str) -> dict[str, Any]:
    """What `grpcurl` does with these arguments: learn the types from the server, send JSON, return JSON."""
    options: dict[str, str] = {}
    places: list[str] = []
    rest = iter(words)
    for word in rest:
        if word.startswith("-"):
            options[word] = next(rest)
        else:
            places.append(word)
    assert set(options) == {"-cacert", "-H", "-d"}
    [_address, method] = places
    header, _colon, value = options["-H"].partition(": ")
    credentials = grpc.ssl_channel_credentials((connection.ca_path).read_bytes())
    with grpc.secure_channel(target, credentials) as channel:
        pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
        service, _slash, name = method.partition("/")
        described = pool.FindServiceByName(service).FindMethodByName(name)
        request = json_format.Parse(options["-d"], GetMessageClass(described.input_type)())
        call: Any = channel.unary_unary(
            f"/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(described.output_type).FromString,
        )
        answer = call(request, metadata=[(header, value)], timeout=60)
        answered: dict[str, Any] = json_format.MessageToDict(answer)
        return answered


def test_the_grpcurl_call_is_answered(server: ServerProcess) -> None:
    [block] = [block for block in BLOCKS if block.mark == "grpcurl"]
    # The shell puts the token into the words, as it would for the real program.
    listed = subprocess.run(
        ["bash", "-euc", block.body.replace("grpcurl ", "printf '%s\\0' ", 1)],
        cwd=server.folder.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    words = listed.stdout.split("\0")[:-1]
    assert words[words.index("-cacert") + 1] == "attending-data/tls/ca.pem"
    assert "localhost:50052" in words, "the port of a server that was started without --port"
    answered = grpcurl(words, server.connection("demo-app"), server.endpoint()["token_target"])
    assert answered["result"]["state"] == "INFERENCE_STATE_RELEASED"
    assert answered["result"]["receipts"]


def test_what_it_says_of_the_demo_are_steps_of_the_demo() -> None:
    tour = README.split("## What the demo shows")[1].split("\n## ")[0]
    titles = re.findall(r"^(\d)\. (.*?) -{3,}$", tour, re.MULTILINE)
    source = Path(steps.__file__).read_text()
    assert len(titles) >= 4
    assert [title for title in titles if f'screen.step({title[0]}, "{title[1]}")' not in source] == []


def test_its_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(
        r"\bmake ([a-z-]+)\b", " ".join(re.findall(r"`[^`]*`|^make .*$", README, re.MULTILINE))
    )
    assert {"demo", "test"} <= set(named) <= targets


def test_its_table_of_folders_is_the_tree() -> None:
    named = {
        name.strip("/")
        for row in re.findall(r"^\| (`.*?) \|", README.split("## Where things are")[1], re.MULTILINE)
        for name in shlex.split(row.replace("`", "").replace(",", " "))
    }
    hidden = {"docs", "requirements", "build", "dist", "demo-data", "attending-data", "data"}
    there = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] not in "._"} - hidden
    assert named == there
