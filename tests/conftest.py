"""What holds for all tests."""

import signal

import pytest

# A shell that starts the tests in the background makes them ignore Ctrl-C, and so every process that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests that share what a module's fixture makes run in one process: made once, not once in each."""
    for item in items:
        if isinstance(item, pytest.Function) and item.get_closest_marker("xdist_group") is None:
            made = [found[-1] for found in item._fixtureinfo.name2fixturedefs.values()]
            if any(one.scope == "module" and one.baseid for one in made):
                item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
