"""Examples under a command's help: one a line, so that each can be copied whole."""

from __future__ import annotations


def examples(*commands: str, after: str = "") -> str:
    """The epilog of a command: its examples, each on a line of its own, then a paragraph `after` when given."""
    lines = "\n".join(f"  {command}" for command in commands)
    # \b keeps click from filling the lines of this paragraph.
    text = f"\b\n{'Example' if len(commands) == 1 else 'Examples'}:\n{lines}"
    return f"{text}\n\n{after}" if after else text
