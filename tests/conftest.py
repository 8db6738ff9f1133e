"""What holds for all tests."""

from __future__ import annotations

import gc
import importlib.util
import os
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.scratch import scratch_folder

if TYPE_CHECKING:
    from tests.e2e.server_process import ServerProcess

# A shell that starts the tests in the background makes them ignore Ctrl-C, and so every process that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Read where the first folder of a test is made. What is left there by tests that failed is bounded in pyproject.toml.
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(scratch_folder()))

# Modules and collected tests stay: nothing of them is garbage, and looking through them takes a third of the time.
gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """From here on only what the tests themselves make is looked through for garbage.

    Not where collection ends: the process that hands tests out to others collects none itself.
    """
    gc.freeze()
    gc.enable()


# No test judges by the clock: what is slow on a busy machine is no failure.
settings.register_profile("attending", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("attending")

# The browser suite has packages of its own, which `make test-browser` installs; named there, a missing one is an error.
collect_ignore = [] if importlib.util.find_spec("playwright") else ["browser"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The tests that share what a module's fixture makes run in one process: made once, not once in each."""
    for item in items:
        marked = item.get_closest_marker("xdist_group")
        if marked is None and isinstance(item, pytest.Function):
            made = [found[-1] for found in item._fixtureinfo.name2fixturedefs.values()]
            if any(one.scope == "module" and one.baseid for one in made):
                marked = pytest.mark.xdist_group(item.nodeid.partition("::")[0]).mark
        if marked is not None and getattr(config.option, "loadgroup", False):
            # The scheduler reads the group from the id. pytest-xdist 3.8 writes it where pytest 9.2 no longer looks.
            item._id = type(item._id).parse(f"{item.nodeid}@{marked.args[0]}")


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A real embedded server, for tests that stop it never and end the halts they begin."""
    from attending.server.bootstrap.folder import REPLAY_FILE

    from tests.e2e.server_process import ServerProcess

    process = ServerProcess(tmp_path_factory.mktemp("embedded") / "data", REPLAY_FILE)
    process.start()
    yield process
    assert process.stop() == 0
