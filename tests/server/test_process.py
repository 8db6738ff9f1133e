"""Nothing that a server's process prints by itself, or lets a library print, holds what a person wrote."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SECRET = "Jane Q. Patient, MRN 00123"
_HEAD = f"""
import asyncio, gc, logging, logging.config, os, sys, threading, traceback, warnings
SECRET = {SECRET!r}
from attending.server.process import confined, loud, quiet
from attending.server.telemetry import configure
def serve(body):
    with confined():
        configure("debug", "json")
        with quiet():
            body()
"""
WAYS = {
    "a thread": "t = threading.Thread(target=int, args=(SECRET,)); t.start(); t.join()",
    "a destructor": """
class Dying:
    def __del__(self): raise ValueError(SECRET)
Dying(); gc.collect()""",
    "a warning": "warnings.warn(SECRET)",
    "a print": "print(SECRET); print(SECRET, file=sys.stderr); sys.stdout.write(SECRET)",
    "a printed traceback": """
try: int(SECRET)
except ValueError: traceback.print_exc(); logging.getLogger('a').exception(SECRET)""",
    "a handler of a library's own": """
own = logging.getLogger('late'); own.addHandler(logging.StreamHandler()); own.error('%s', SECRET)""",
    "logging set up anew": """
logging.basicConfig(level=0); logging.getLogger('late').error(SECRET)""",
    "a configuration of logging": """
logging.config.dictConfig({'version': 1, 'disable_existing_loggers': False,
  'handlers': {'h': {'class': 'logging.StreamHandler'}}, 'loggers': {'late': {'handlers': ['h']}}})
logging.getLogger('late').error(SECRET)""",
    "a record that does not format": "logging.getLogger('a').error('%d', SECRET)",
    "a level of a library's own": "logging.getLogger('a').log(35, SECRET); logging.getLogger('a').log(5, SECRET)",
    "a record without a place": """
logging.getLogger('a').handle(logging.LogRecord('a', 40, None, 1, SECRET, (), None))""",
    "extra that shadows": """
logging.getLogger('attending.ledger').error('a.b', extra={'event': SECRET, 'level': SECRET, 'timestamp': SECRET})""",
    "an error in a loop": """
from attending.server.telemetry import quiet_loop_errors
async def main():
    loop = asyncio.get_running_loop(); quiet_loop_errors(loop); loop.set_debug(True)
    async def fail(text): raise ValueError(text)
    task = asyncio.create_task(fail(SECRET), name=SECRET)
    await asyncio.sleep(0.01); del task; gc.collect(); loop.call_soon(int, SECRET); await asyncio.sleep(0.01)
asyncio.run(main())""",
    "a future that nobody asked": """
from concurrent.futures import Future
future = Future(); future.add_done_callback(lambda _: int(SECRET)); future.set_result(SECRET)""",
}


def run(script: str, tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("way", sorted(WAYS))
def test_no_words_get_out_by(way: str, tmp_path: Path) -> None:
    body = "\n    ".join(WAYS[way].strip().splitlines())
    script = f"{_HEAD}\ndef body():\n    {body}\n\nserve(body)\nprint('ended')"
    done = run(script, tmp_path)
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr
    assert SECRET not in done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert lines, "and nothing is lost without a line that says so"
    assert "Jane" not in done.stderr


@pytest.mark.parametrize("way", ["a thread", "a destructor", "a print", "a handler of a library's own"])
def test_without_all_of_it_they_would(way: str, tmp_path: Path) -> None:
    done = run(f"{_HEAD}\n{WAYS[way].strip()}", tmp_path)
    assert SECRET in done.stdout + done.stderr


def test_an_error_that_ends_the_process_is_named_by_type_and_place(tmp_path: Path) -> None:
    done = run(f"{_HEAD}\nimport sys\nwith confined():\n    configure('info', 'json')\n"
               f"    sys.excepthook(*(lambda e: (type(e), e, None))(ValueError(SECRET)))", tmp_path)  # fmt: skip
    [line] = [json.loads(line) for line in done.stderr.splitlines()]
    assert (line["event"], line["error_type"]) == ("process.uncaught_error", "ValueError")


def test_the_server_says_what_it_means_to_say(tmp_path: Path) -> None:
    body = "def body():\n    print(SECRET)\n    with loud():\n        print('listening')\n    print(SECRET)\n"
    done = run(f"{_HEAD}\n{body}\nserve(body)\nprint('ended')", tmp_path)
    assert done.stdout == "listening\nended\n"
    assert [json.loads(line)["event"] for line in done.stderr.splitlines()] == ["process.output_dropped"]


def test_variables_that_make_libraries_trace_are_gone(tmp_path: Path) -> None:
    body = "def body():\n    import grpc, ssl\n    context = ssl.create_default_context()\n"
    body += "    left = sorted(set(os.environ) & {'GRPC_TRACE', 'OPENAI_LOG'})\n"
    body += "    with loud():\n        print(context.keylog_filename, left)\n"
    done = run(
        f"{_HEAD}\n{body}\nserve(body)",
        tmp_path,
        GRPC_TRACE="all",
        OPENAI_LOG="debug",
        SSLKEYLOGFILE=str(tmp_path / "keys"),
    )
    assert done.stdout == "None []\n", done.stderr
    assert not (tmp_path / "keys").exists()


_CRASH = """
import os, resource, signal
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
{first}
os.kill(os.getpid(), signal.SIGABRT)
"""


def _crashed(first: str, folder: Path) -> list[Path]:
    """The core files that a process leaves which does `first` and is then killed by SIGABRT."""
    folder.mkdir()

    # The process lets itself leave one, not this one on its behalf: what forks between threads may itself abort.
    done = subprocess.run(
        [sys.executable, "-c", _CRASH.format(first=first)],
        cwd=folder,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGABRT
    return list(folder.iterdir())


def test_a_crash_leaves_no_core_file(tmp_path: Path) -> None:
    if not _crashed("pass", tmp_path / "without"):
        pytest.skip("this machine writes no core files into the folder of a process")
    first = "from attending.guardrails.no_dump import forbid_core_dumps; forbid_core_dumps()"
    assert _crashed(first, tmp_path / "with") == []


def test_no_other_process_may_read_the_memory(tmp_path: Path) -> None:
    """PR_GET_DUMPABLE (3) is 0, also where a kernel pipes cores to a program and heeds no limit."""
    script = (
        "import ctypes, resource; from attending.guardrails.no_dump import forbid_core_dumps; forbid_core_dumps()\n"
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE))"
    )
    assert run(script, tmp_path).stdout == "0 (0, 0)\n"
