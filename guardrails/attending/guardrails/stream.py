"""Windows of a stream: what of a growing output may be shown before it is whole.

The output rails judge the whole text so far at each window. A window is shown only once it has been judged together
with the one that follows it: a drug and what is wrong with it often stand in neighbouring sentences. The first window
that would not be released ends the showing for good, and so does a rail that failed. What was shown before cannot be
taken back, so a held class does not stream: `streaming.text` excludes `mandatory_review: always`, and a recommendation
stops the first window that it is in.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final

from attending.guardrails.guard import OutputDecision
from attending.guardrails.policy.schema import Policy

Check = Callable[[str], Awaitable[OutputDecision]]
"""Judges the text so far, as it came from the model, for the caller's policy, audience and placeholders."""

# The next window begins with white space, so that neither a placeholder nor a composed character is cut in two.
_SENTENCE_END: Final = re.compile(r"[.!?:;\n](?=\s)")


class StreamWindows:
    """The windows of one output. Not for concurrent use."""

    def __init__(self, policy: Policy, check: Check) -> None:
        """Raises ValueError for a policy that does not stream."""
        if not policy.streaming.text or policy.mandatory_review == "always":
            raise ValueError("the policy does not stream text")
        self._window = policy.streaming.window_characters
        self._check = check
        self._raw = ""
        self._judged = 0
        self._pending = ""
        self.shown = ""
        """What has been given out: always the beginning of a text that was judged and released as far as it went."""
        self.stopped = False
        """Whether nothing more may be shown before the verdict over the whole text, and a reviewer's where it holds."""

    async def add(self, piece: str) -> str:
        """What may be shown now that `piece` has come, often nothing.

        Raises what the check raises, and is stopped then.
        """
        self._raw += piece
        if self.stopped:
            return ""
        end = self._window_end()
        if end is None:
            return ""
        decision = await self._judge(self._raw[:end])
        self._judged = end
        text = decision.output_final
        if decision.disposition != "release" or not text.startswith(self._pending):
            self.stopped = True
            return ""
        now, self._pending = self._pending, text
        return self._show(now)

    async def end(self) -> tuple[str, OutputDecision]:
        """The rest that may be shown, and the decision over the whole text, which alone counts for the record."""
        decision = await self._judge(self._raw)
        released = decision.disposition == "release" and decision.output_final.startswith(self.shown)
        if self.stopped or not released:
            self.stopped = True
            return "", decision
        return self._show(decision.output_final), decision

    async def _judge(self, text: str) -> OutputDecision:
        try:
            return await self._check(text)
        except BaseException:
            # Whoever goes on after this has a text that nobody judged.
            self.stopped = True
            raise

    def _window_end(self) -> int | None:
        """Where the next window ends: the last end of a sentence, at least a window after the last one."""
        ends = [match.end() for match in _SENTENCE_END.finditer(self._raw, self._judged)]
        return ends[-1] if ends and ends[-1] - self._judged >= self._window else None

    def _show(self, upto: str) -> str:
        more = upto[len(self.shown) :]
        self.shown = upto
        return more
