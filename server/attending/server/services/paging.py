"""Page tokens: the offset of the next row, as a decimal number."""

from __future__ import annotations

from attending.server.errors import InvalidRequest

MAX_TOKEN_DIGITS = 9


def page_offset(token: str) -> int:
    """The offset that a previous answer's token stands for, 0 for none; InvalidRequest for anything else."""
    if not token:
        return 0
    if not token.isascii() or not token.isdigit() or len(token) > MAX_TOKEN_DIGITS:
        raise InvalidRequest([("page_token", "is not from a previous answer")])
    return int(token)
