"""The embedded server with use cases that the package has none of (two blind readers, break-glass), a third clinician,
a second provider whose model judges what the other's wrote.

`python -m tests.browser.ward FOLDER REPLAY` serves until SIGTERM; more configuration may lie in FOLDER's neighbour
`more.json`. The policies are the package's discharge plan with a few lines changed. The clock is the machine's, moved
ahead by the seconds in FOLDER's neighbour `ahead`, if it is there.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from attending.server import clock

from tests.e2e.server_process import ServerProcess

POLICIES: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "two-readers": (("  count: 1\n", "  count: 2\n  blinded_second_read: true\n"),),
    "emergency-order": (
        ("  count: 1\n", "  count: 2\n"),
        ("urgent_contact:", "break_glass:\n  roles: [clinician]\n  review_within_hours: 24\nurgent_contact:"),
    ),
    "own-view": (("urgent_contact:", "oversight:\n  own_view_first: true\nurgent_contact:"),),
    **{
        f"second-model-{answer}": (
            (
                "urgent_contact:",
                f"second_opinion:\n  provider: second\n  model: {answer}\nurgent_contact:",
            ),
        )
        for answer in ("agrees", "disagrees", "silent")
    },
    "read-again": (("released_percent: 5\n", "released_percent: 100\n"),),
    "short-lived": (
        ("sla_minutes: 60\n", "sla_minutes: 5\n"),
        ("expiry_minutes: 1440\n", "expiry_minutes: 10\n"),
        ("after_minutes: 120\n", "after_minutes: 8\n"),
    ),
}
"""Name of each further policy to what differs in it from the discharge plan."""


SECOND_MODEL: Final[tuple[dict[str, str], ...]] = (
    {"name": "agrees", "output": "1: yes\n2: yes"},
    {"name": "disagrees", "output": "1: yes\n2: no"},
    {"name": "silent", "fail": "PROVIDER_UNAVAILABLE"},
)
"""What the second provider's models answer about a text of two sentences."""


class Ward(ServerProcess):
    """The process, as `ServerProcess` has it."""

    def command(self) -> list[str]:
        return [sys.executable, "-m", "tests.browser.ward", str(self.folder), str(self.replay)]

    @contextmanager
    def ahead(self, seconds: int) -> Iterator[None]:
        """Moves the server's clock; back at the end, for whoever comes next."""
        path = self.folder.parent / "ahead"
        path.write_text(str(seconds))
        try:
            yield
        finally:
            path.unlink()


def policies(folder: Path) -> Path:
    """The package's policies and those above, made once."""
    from attending.server.shipped import package_policies

    if folder.exists():
        return folder
    shutil.copytree(package_policies(), folder)
    for name, changes in POLICIES.items():
        shutil.copytree(folder / "discharge-plan", folder / name)
        path = folder / name / "policy.yaml"
        text = path.read_text(encoding="utf-8")
        for before, after in (("name: discharge-plan\n", f"name: {name}\n"), *changes):
            assert before in text, (name, before)
            text = text.replace(before, after)
        path.write_text(text, encoding="utf-8")
    return folder


def knowledge(folder: Path) -> Path:
    """The package's drug knowledge in a folder of its own, made once: a test puts another version there."""
    from attending.guardrails.knowledge.load import DEFAULT

    if not folder.exists():
        shutil.copytree(DEFAULT, folder)
    return folder


def second_provider(path: Path) -> dict[str, str]:
    """Its configuration, with its file of answers at `path`."""
    path.write_text("".join(json.dumps(line) + "\n" for line in SECOND_MODEL), encoding="utf-8")
    return {"name": "second", "kind": "replay", "replay_file": str(path)}


def main(folder: Path, replay: Path) -> None:
    machine, ahead, more = clock.now, folder.parent / "ahead", folder.parent / "more.json"

    def moved() -> datetime:
        try:
            return machine() + timedelta(seconds=int(ahead.read_text()))
        except (FileNotFoundError, ValueError):
            return machine()

    # Before anything that takes the clock as a default is imported: the one place where it is given.
    clock.now = moved
    from attending.server.bootstrap import folder as bootstrap
    from attending.server.bootstrap.identities import DEMO_IDENTITIES, DemoIdentity
    from attending.server.bootstrap.run import serve_embedded

    third = DemoIdentity("dr-okafor", "human", ("clinician",), "Dr Okafor (demo)", signs=True)
    vars(bootstrap)["DEMO_IDENTITIES"] = (*DEMO_IDENTITIES, third)
    embedded = bootstrap.prepare(
        folder,
        port=0,
        token_port=0,
        providers=[*bootstrap.local_providers(replay), second_provider(folder.parent / "second.jsonl")],
        overrides={
            "guard": {"workers": 1},
            "policies": {"folder": str(policies(folder.parent / "policies"))},
            "knowledge": {"folder": str(knowledge(folder.parent / "knowledge"))},
            "review": {"expiry_sweep_seconds": 1, "lease_seconds": 600},
            **(json.loads(more.read_text()) if more.exists() else {}),
        },
    )
    asyncio.run(serve_embedded(embedded, on_ready=lambda _at: None))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
