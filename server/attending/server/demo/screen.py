"""How the demo speaks: headings, facts, tables and a line of progress; plain text where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

NAME_WIDTH = 18
STATE_STYLE = {"released": "green", "held": "yellow", "blocked": "red", "failed": "red"}


class Screen:
    """Writes to standard output; colours and the moving line only on a terminal."""

    def __init__(self) -> None:
        width = None if Console().is_terminal else 110
        self.console = Console(highlight=False, width=width)

    @property
    def interactive(self) -> bool:
        return self.console.is_terminal

    def title(self, text: str, below: str) -> None:
        self.console.print(Panel(escape(below), title=f"[bold]{escape(text)}[/]", title_align="left"))

    def step(self, number: int, text: str) -> None:
        self.console.print()
        self.console.rule(f"[bold]{number}. {escape(text)}[/]", align="left", characters="-")

    def say(self, text: str) -> None:
        self.console.print(escape(text))

    def command(self, text: str) -> None:
        """A line to be copied: never broken, however narrow the terminal."""
        self.console.print(Text(f"    {text}"), soft_wrap=True)

    def fact(self, name: str, value: str, style: str = "") -> None:
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=2 + NAME_WIDTH)
        grid.add_column(overflow="fold")
        grid.add_row(Text(f"  {name}", style="dim"), Text(value, style=style))
        self.console.print(grid)

    def state(self, state: str, why: str = "") -> None:
        self.fact(
            "outcome", state.upper() + (f": {why}" if why else ""), f"bold {STATE_STYLE.get(state, '')}"
        )

    def quote(self, label: str, text: str, limit: int = 600) -> None:
        shown = text.strip()
        if len(shown) > limit:
            shown = shown[:limit].rstrip() + " ..."
        self.console.print(f"  [dim]{escape(label)}[/]")
        self.console.print(Padding(Text(shown, style="italic"), (0, 2, 0, 4), expand=False))

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for position, column in enumerate(columns):
            table.add_column(column, justify="right" if position in right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        self.console.print(table)

    def panel(self, title: str, lines: Sequence[str]) -> None:
        self.console.print()
        body = "\n".join(escape(line) for line in lines)
        self.console.print(Panel(body, title=f"[bold]{escape(title)}[/]", title_align="left"))

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        """A moving line on a terminal; elsewhere one line when it took more than a second."""
        began = time.monotonic()
        if self.interactive:
            with self.console.status(escape(what)):
                yield
        else:
            yield
        seconds = time.monotonic() - began
        if seconds > 1:
            self.console.print(f"  [dim]{escape(what)}: {seconds:.1f} s[/]")
