"""What a provider may answer: text that can be checked, stored and shown, and names that may stand in an entry.

A provider is not trusted. Its text goes through the rails; everything else that it says (model, fingerprint, reason of
the end, ids) would stand in entries in clear, so only what looks like a name is kept.
"""

from __future__ import annotations

import re
from dataclasses import replace

from attending.server.providers.port import ProviderError, ProviderReply
from attending.server.wire.request import MODEL_NAME

MAX_OUTPUT_CODE_POINTS = 65_536
_FINGERPRINT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}\Z")
MOST_IDS = 4
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}\Z")
_FINISH_REASON = re.compile(r"[a-z][a-z_]{0,31}\Z")


def acceptable(reply: ProviderReply, model: str) -> ProviderReply:
    """The reply with every name outside its alphabet left out; `model` is what was asked for.

    Raises ProviderError: PROVIDER_BAD_REPLY for a text that is blank or holds NUL or half a surrogate pair (no
    Unicode text, RFC 3629 section 3), PROVIDER_OUTPUT_TOO_LARGE beyond 65,536 code points.
    """
    if not isinstance(reply, ProviderReply) or not isinstance(reply.text, str):
        raise ProviderError("PROVIDER_BAD_REPLY")
    if not reply.text.strip() or "\x00" in reply.text or _half_pairs(reply.text):
        raise ProviderError("PROVIDER_BAD_REPLY")
    if len(reply.text) > MAX_OUTPUT_CODE_POINTS:
        raise ProviderError("PROVIDER_OUTPUT_TOO_LARGE")
    return replace(
        reply,
        model=reply.model if MODEL_NAME.match(reply.model) else model,
        fingerprint=_if_named(reply.fingerprint, _FINGERPRINT),
        finish_reason=_if_named(reply.finish_reason, _FINISH_REASON),
        ids=tuple(one for one in reply.ids if _ID.match(one))[:MOST_IDS],
    )


def _half_pairs(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _if_named(value: str | None, alphabet: re.Pattern[str]) -> str | None:
    return value if value is not None and alphabet.match(value) else None
