"""What the gate adds to a call: open-loop load on a real server with a model that takes 500 ms.

    python bench/governed.py --json

Added latency is the time of a call less the model's 500 ms, at 5 and 15 calls a second (arrivals do not wait for
answers); saturation is closed-loop with 32 callers and no model delay. CPU is that of the server's process tree for
one inference. The NER floor is the time of spaCy's tok2vec and ner alone over the same prompt and output, measured
in this run, since no check can be faster than that.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
from attending.client import Connection
from attending.v1 import inference_pb2, inference_pb2_grpc

MODEL_DELAY_MS = 500
REFUSED = math.inf
PROMPT = (
    "Write a friendly letter that tells the patient that the yearly check of the hearing aid is due, "
    "that the visit takes about half an hour, that the clinic is on the second floor beside the lift, "
    "that parking is free for the first hour, and that the receptionist can be asked for a ride home if "
    "needed."
)
OUTPUT = (
    "Dear patient,\n\nIt is time for the yearly check of your hearing aid. The visit takes about half an "
    "hour. You will find our clinic on the second floor, beside the lift; the way is marked with blue "
    "signs from the main entrance. Parking in the garage is free for the first hour, and the bus stops "
    "in front of the building. Please bring the device, the charger and the small cleaning brush, so "
    "that we can look at everything together. If the day does not suit you, call our reception between "
    "eight and four, or answer this letter, and we will find another time with you. Somebody may of "
    "course come with you. When you need a ride home after the visit, tell the receptionist at the "
    "beginning, and it will be arranged. Afterwards you get a short note about what was done, for your "
    "own papers. We would also like to hear how satisfied you are with the device, and what could be "
    "better, so please take a few minutes to fill in the small form that lies in the waiting room.\n\nWe "
    "look forward to your visit.\n\nKind regards,\nyour hearing clinic"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seconds", type=float, default=15.0, help="length of each load (default 15)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), arguments.seconds)
    if arguments.json:
        print(json.dumps(result, indent=2, sort_keys=True))
    else:
        for name, value in result.items():
            print(f"{name:<34} {value}")


def measure(folder: Path, seconds: float) -> dict[str, Any]:
    replay = folder / "replay.jsonl"
    lines = [
        {"name": "slow", "output": OUTPUT, "delay_ms": MODEL_DELAY_MS},
        {"name": "fast", "output": OUTPUT},
    ]
    replay.write_text("\n".join(json.dumps(line) for line in lines))
    data = folder / "data"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "attending.server.cli.main", "serve"),
            *("--data", str(data), "--port", "0", "--replay", str(replay)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not (data / "endpoint.json").exists():
            if process.poll() is not None:
                raise SystemExit("error: the server did not start")
            time.sleep(0.05)
        result: dict[str, Any] = {"prompt_characters": len(PROMPT), "output_characters": len(OUTPUT)}
        connection = Connection.from_folder(data, "demo-app")
        floor = ner_floor_ms()
        result["ner_floor_ms"] = round(floor, 1)
        for rate in (5, 15):
            times = asyncio.run(
                loaded(connection, lambda call, rate=rate: open_loop(call, rate, seconds), "slow")
            )
            result[f"refused_at_{rate}_per_s"] = times.count(REFUSED)
            added = sorted(t - MODEL_DELAY_MS for t in times)
            result[f"added_p50_ms_at_{rate}_per_s"] = round(statistics.median(added), 1)
            result[f"added_p95_ms_at_{rate}_per_s"] = round(added[int(len(added) * 0.95)], 1)
            result[f"ratio_to_ner_floor_at_{rate}_per_s"] = round(statistics.median(added) / floor, 2)
        gate, checks = cpu_seconds(process.pid)
        began = time.perf_counter()
        times = asyncio.run(loaded(connection, lambda call: closed_loop(call, 32, seconds), "fast"))
        took = time.perf_counter() - began
        times = [t for t in times if t != REFUSED]
        gate_after, checks_after = cpu_seconds(process.pid)
        gate_ms = (gate_after - gate) * 1000 / len(times)
        checks_ms = (checks_after - checks) * 1000 / len(times)
        result["saturation_per_second"] = round(len(times) / took, 1)
        result["cpu_ms_per_inference"] = {
            "gate_and_ledger": round(gate_ms, 1),
            "check_processes": round(checks_ms, 1),
            "by_rail": rail_ms(),
        }
        result["ner_floor_share_of_cpu"] = round(floor / (gate_ms + checks_ms), 2)
        return result
    finally:
        process.terminate()
        process.wait()


Call = Callable[[], Awaitable[float]]


async def loaded(
    connection: Connection, load: Callable[[Call], Awaitable[list[float]]], model: str
) -> list[float]:
    certificate, key = connection.certificate or (Path(), Path())
    credentials = grpc.ssl_channel_credentials(
        connection.ca_path.read_bytes(), key.read_bytes(), certificate.read_bytes()
    )
    async with grpc.aio.secure_channel(connection.target, credentials) as channel:
        stub = inference_pb2_grpc.InferenceServiceStub(channel)

        async def call() -> float:
            request = inference_pb2.InferRequest(
                idempotency_key=uuid.uuid4().hex,
                context=inference_pb2.InferenceContext(
                    policy="administrative-letter", tags={"team": "bench", "feature": "governed"}
                ),
                prompt=PROMPT,
                model=inference_pb2.ModelRequest(provider="replay", model=model),
            )
            began = time.perf_counter()
            try:
                await stub.Infer(request)
            except grpc.aio.AioRpcError as err:
                # More than the checks can take is refused; that is said in the result, not hidden in a mean.
                if err.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
                return REFUSED
            return (time.perf_counter() - began) * 1000

        for _warm in range(4):
            await call()
        return await load(call)


async def open_loop(call: Call, rate: float, seconds: float) -> list[float]:
    """Arrivals at a fixed rate, whether or not earlier calls have answered."""
    calls = []
    began = time.perf_counter()
    for number in range(int(rate * seconds)):
        delay = began + number / rate - time.perf_counter()
        if delay > 0:
            await asyncio.sleep(delay)
        calls.append(asyncio.ensure_future(call()))
    return list(await asyncio.gather(*calls))


async def closed_loop(call: Call, callers: int, seconds: float) -> list[float]:
    until = time.perf_counter() + seconds
    times: list[float] = []

    async def caller() -> None:
        while time.perf_counter() < until:
            times.append(await call())

    await asyncio.gather(*(caller() for _ in range(callers)))
    return times


def ner_floor_ms() -> float:
    """Median of tok2vec and ner alone over the prompt and the output, in this process."""
    from attending.guardrails.phi.ner import EntityModel

    model = EntityModel()
    texts = (PROMPT, OUTPUT)
    times = []
    for _round in range(15):
        began = time.perf_counter()
        for text in texts:
            model.entities(text)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def rail_ms() -> dict[str, float]:
    """Median milliseconds of each rail, run alone in this process over the same prompt and output."""
    from attending.guardrails.guard import Guard
    from attending.guardrails.patient import Judged
    from attending.server.shipped import package_policies

    guard = Guard.load(package_policies())
    times: dict[str, list[float]] = {}
    for _round in range(15):
        checked = guard.check_input("administrative-letter", PROMPT)
        decision = guard.check_output("administrative-letter", Judged(OUTPUT, PROMPT))
        for run in (*checked.rail_runs, *decision.rail_runs):
            times.setdefault(run.name, []).append(run.elapsed_ms)
    guard.close()
    return {name: round(statistics.median(values), 1) for name, values in times.items()}


def cpu_seconds(pid: int) -> tuple[float, float]:
    """User and system time of the server's own process, and of its children, from /proc."""
    ticks = os.sysconf("SC_CLK_TCK")
    own = children = 0.0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        used = (int(fields[11]) + int(fields[12])) / ticks
        if int(entry.name) == pid:
            own = used
        elif int(fields[1]) == pid:
            children += used
    return own, children


if __name__ == "__main__":
    main()
