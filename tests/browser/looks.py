"""How a page is looked at by every test: in both colours, at both sizes, at twice the size, and printed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Frame, Page

DESK: Final = {"width": 1440, "height": 900}
PHONE: Final = {"width": 390, "height": 844}
NARROW: Final = (
    PHONE,
    # A desk of 1440 by 900 at 200 %, and the width at which WCAG 1.4.10 wants no scrolling in two directions.
    {"width": 720, "height": 450},
    {"width": 320, "height": 640},
)
AXE: Final = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def found(page: Page | Frame) -> list[tuple[str, list[str]]]:
    """(rule, places) of what axe-core objects to on the page as it is."""
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    report: dict[str, Any] = page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})", RULES
    )
    return [
        (one["id"], [str(node["target"]) + " " + node["failureSummary"] for node in one["nodes"]])
        for one in report["violations"]
    ]


def shot(page: Page, name: str) -> None:
    """A picture to look at, in the folder that ATTENDING_SHOTS names."""
    if folder := os.environ.get("ATTENDING_SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def faults(page: Page) -> list[tuple[object, ...]]:
    """What is wrong with the page in light and dark, at a desk and on a phone: WCAG 2.2 AA by axe-core, what reaches
    beyond the edge of a narrow screen, and controls on paper. The page is as it was afterwards, and light.
    """
    size = page.viewport_size
    assert size is not None
    wrong: list[tuple[object, ...]] = []
    for scheme in ("light", "dark"):
        # At once: half-way between two colours no contrast is what it will be.
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for viewport in (DESK, PHONE):
            page.set_viewport_size(viewport)
            wrong += [(scheme, viewport["width"], *one) for one in found(page)]
    for viewport in NARROW:
        page.set_viewport_size(viewport)
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if wide > 0:
            wrong.append(("wider than the screen", viewport["width"], wide))
    page.set_viewport_size(size)
    page.emulate_media(color_scheme="light", media="print")
    on_paper = page.locator("button:visible, .button:visible, .top:visible, nav:visible")
    wrong += [("on paper", words) for words in on_paper.all_inner_texts()]
    page.emulate_media(media="screen", reduced_motion="no-preference")
    return wrong
