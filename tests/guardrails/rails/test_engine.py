"""Off-topic by a model that a policy configures: NeMo's own rail, against a real HTTP endpoint on this machine."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from attending.guardrails.rails.nemo import Flows, RailsConfigError

FLOW = "topic safety check input $model=topic_control"
TASK = "topic_safety_check_input $model=topic_control"


class _Model(http.server.BaseHTTPRequestHandler):
    """Answers as an OpenAI-compatible classifier that knows one topic."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        off = "football" in body["messages"][-1]["content"]
        message = {"role": "assistant", "content": "off-topic" if off else "on-topic"}
        answer = json.dumps(
            {
                "id": "1",
                "object": "chat.completion",
                "created": 1,
                "model": "m",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            }
        ).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture
def server() -> Iterator[http.server.HTTPServer]:
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Model)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield served
    served.shutdown()
    served.server_close()


def _config(folder: Path, port: int, *, models: bool = True) -> Path:
    engine = {
        "type": "topic_control",
        "engine": "openai",
        "model": "m",
        "api_key_env_var": "TOPIC_CONTROL_KEY",
        "parameters": {"base_url": f"http://127.0.0.1:{port}/v1"},
    }
    config = {
        "models": [engine] if models else [],
        "rails": {"input": {"flows": [FLOW]}},
        "prompts": [{"task": TASK, "content": "Only the running of the clinic is on topic."}],
    }
    (folder / "config.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder


def test_a_configured_model_decides(
    tmp_path: Path, server: http.server.HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOPIC_CONTROL_KEY", "local")
    flows = Flows.compile(_config(tmp_path, server.server_port), [FLOW], [], [])

    async def statuses() -> list[str]:
        try:
            return [
                (await flows.run("input", FLOW, prompt=text, output=None, timeout_seconds=20)).status
                for text in ("When is my visit?", "Who won the football?")
            ]
        finally:
            await flows.close()

    assert asyncio.run(statuses()) == ["passed", "flagged"]


def test_a_model_that_cannot_be_reached_is_a_failed_rail(
    tmp_path: Path, server: http.server.HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOPIC_CONTROL_KEY", "local")
    flows = Flows.compile(_config(tmp_path, server.server_port), [FLOW], [], [])
    server.shutdown()
    server.server_close()

    async def status() -> str:
        try:
            return (await flows.run("input", FLOW, prompt="When?", output=None, timeout_seconds=20)).status
        finally:
            await flows.close()

    assert asyncio.run(status()) in ("raised", "timed_out")


def test_a_flow_whose_model_is_not_declared_does_not_compile(tmp_path: Path) -> None:
    with pytest.raises(RailsConfigError) as caught:
        Flows.compile(_config(tmp_path, 1, models=False), [FLOW], [], [])
    assert "topic_control" in str(caught.value)
