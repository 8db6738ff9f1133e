"""The layout that makes five source roots one namespace package."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE_ROOTS = ("proto", "ledger", "guardrails", "server", "client")


@pytest.mark.parametrize("root", SOURCE_ROOTS)
def test_the_namespace_folder_is_no_package(root: str) -> None:
    """An `__init__.py` here would make the siblings unimportable."""
    assert (ROOT / root / "attending").is_dir()
    assert not (ROOT / root / "attending" / "__init__.py").exists()


def test_every_part_imports_beside_the_others() -> None:
    import attending.client
    import attending.guardrails
    import attending.ledger
    import attending.server
    import attending.v1  # noqa: F401 - imported for its entry in sys.modules

    assert {"ledger", "server", "client", "guardrails", "v1"} <= {
        name.partition(".")[2] for name in __import__("sys").modules if name.startswith("attending.")
    }


@pytest.mark.xdist_group("told")
def test_a_group_is_told_to_the_scheduler(request: pytest.FixtureRequest) -> None:
    """A group that is in no id fails nothing, and makes each module's fixtures again in every worker."""
    assert request.node.nodeid.endswith("@told") is getattr(request.config.option, "loadgroup", False)
