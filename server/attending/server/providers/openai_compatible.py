"""Any server that speaks the OpenAI chat completions protocol, through the `openai` client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import openai
from attending.server.providers.port import ProviderError, ProviderReply, ProviderRequest

MAX_OUTPUT_CODE_POINTS = 65_536
_ID_HEADERS = ("x-request-id", "request-id", "x-amzn-requestid")
"""By which OpenAI, Anthropic and Amazon Bedrock name a call in their logs, besides the answer's own id."""


class OpenAICompatibleProvider:
    """One base URL and key. The client's own retries are off: a retry is a decision of the pipeline.

    A function as `api_key` is asked before each call, so that a key can be replaced while running; it raises
    ProviderError when there is none, and then nothing is sent.
    """

    def __init__(self, name: str, base_url: str, api_key: str | Callable[[], str]) -> None:
        async def key() -> str:
            # Such a function may read a file.
            return api_key if isinstance(api_key, str) else await asyncio.to_thread(api_key)

        self.name = name
        self._client = openai.AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0)

    async def complete(self, request: ProviderRequest) -> ProviderReply:
        try:
            raw = await self._client.chat.completions.with_raw_response.create(
                model=request.model,
                messages=[{"role": "user", "content": request.prompt}],
                max_tokens=request.max_output_tokens,
                temperature=request.temperature_milli / 1000,
                timeout=request.timeout_seconds,
            )
            reply: Any = raw.parse()
        except openai.APITimeoutError:
            raise ProviderError("PROVIDER_TIMEOUT") from None
        except openai.RateLimitError:
            raise ProviderError("PROVIDER_RATE_LIMITED") from None
        except openai.NotFoundError:
            raise ProviderError("PROVIDER_UNKNOWN_MODEL") from None
        except openai.APIStatusError as err:
            server_side = err.status_code >= 500
            raise ProviderError("PROVIDER_UNAVAILABLE" if server_side else "PROVIDER_REFUSED") from None
        except openai.APIConnectionError:
            raise ProviderError("PROVIDER_UNAVAILABLE") from None
        except (openai.OpenAIError, ValueError):
            raise ProviderError("PROVIDER_BAD_REPLY") from None
        # A lying server may answer 200 with anything: check every field that is used.
        choices: Any = getattr(reply, "choices", None)
        message = getattr(choices[0], "message", None) if choices else None
        text = getattr(message, "content", None)
        if not isinstance(text, str) or not text:
            raise ProviderError("PROVIDER_BAD_REPLY")
        if len(text) > MAX_OUTPUT_CODE_POINTS:
            raise ProviderError("PROVIDER_OUTPUT_TOO_LARGE")
        usage = reply.usage
        model = reply.model if isinstance(reply.model, str) and reply.model else request.model
        finish = choices[0].finish_reason
        fingerprint = reply.system_fingerprint
        return ProviderReply(
            text=text,
            model=model,
            input_tokens=_count(getattr(usage, "prompt_tokens", None)),
            output_tokens=_count(getattr(usage, "completion_tokens", None)),
            finish_reason=finish if isinstance(finish, str) else None,
            fingerprint=fingerprint if isinstance(fingerprint, str) else None,
            ids=_ids(getattr(reply, "id", None), *map(raw.headers.get, _ID_HEADERS)),
        )

    async def close(self) -> None:
        await self._client.close()


def _count(value: object) -> int | None:
    """A token count as reported, or None when it is not a plausible count."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31:
        return value
    return None


def _ids(*given: object) -> tuple[str, ...]:
    """Those that are there, each once."""
    return tuple(dict.fromkeys(one for one in given if isinstance(one, str) and one))
