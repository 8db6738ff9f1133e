"""How fast a large log opens and proves, against reading each node of a proof by itself.

The log is filled through the ledger's own door, a thousand entries an append. Then, in one process: the time to
open it (every check of the start); inclusion proofs of random entries, cold (an empty tile cache) and warm, and
over a set of entries that the cache holds and one that it does not; the receipt as a caller asks for it; and the
baseline: the same proofs with each node computed from its tile, read again each time, as a reader without memory
would. Every proof is verified.

    python bench/proof.py [--json] [--entries N] [--proofs N] [--folder DIR]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attending.ledger import merkle
from attending.ledger.entry import PendingEntry
from attending.ledger.ledger import Ledger
from attending.ledger.proof import verify_receipt
from attending.ledger.store.sqlite import SqliteStore
from attending.ledger.tiles import CACHED_TILES, TILE_HEIGHT, TILE_WIDTH, TREE_BYTES
from times import quantile, timed

LOG = "bench"
ENTRIES_AN_APPEND = 1_000
HOT_ENTRIES = 512 * TILE_WIDTH


async def fill(folder: Path, entries: int) -> None:
    """Makes the log, or adds what it lacks."""
    async with await Ledger.open(folder) as ledger:
        await ledger.create_log(LOG, "attending.example/bench")
        size, _root = await ledger.head(LOG)
        while size < entries:
            count = min(ENTRIES_AN_APPEND, entries - size)
            batch = [
                PendingEntry("inference.requested", f"inf_{size + n}", "app:bench", None, {"n": size + n})
                for n in range(count)
            ]
            await ledger.append(LOG, batch)
            size += count
            if sys.stderr.isatty() and size % 50_000 == 0:
                print(f"{size} of {entries} entries", file=sys.stderr)


def naive(store: SqliteStore, partial: Sequence[Sequence[bytes]], size: int) -> merkle.GetNode:
    """Reads the tile of every node anew and hashes up to the node, as a reader without memory does."""

    def node(level: int, index: int) -> bytes:
        tile_level, height = divmod(level, TILE_HEIGHT)
        first, width = index << height, 1 << height
        tile, offset = divmod(first, TILE_WIDTH)
        if tile == (size >> TILE_HEIGHT * tile_level) // TILE_WIDTH:
            hashes = list(partial[tile_level][offset : offset + width])
        else:
            data = store.tile(LOG, tile_level, tile)
            assert data is not None
            hashes = [data[32 * i : 32 * (i + 1)] for i in range(offset, offset + width)]
        while len(hashes) > 1:
            hashes = [merkle.node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
        return hashes[0]

    return node


async def measure(folder: Path, proofs: int) -> dict[str, Any]:
    """The figures of a filled folder."""
    start = time.perf_counter()
    ledger = await Ledger.open(folder)
    opening = time.perf_counter() - start
    store = SqliteStore(folder / "ledger.db")
    try:
        size, root = await ledger.head(LOG)
        chance = random.Random(1)
        anywhere = [chance.randrange(size) for _ in range(proofs)]
        recent = [chance.randrange(max(0, size - HOT_ENTRIES), size) for _ in range(proofs)]
        state = ledger._sequencer.state(LOG)
        each_node = naive(store, state.edge.partial, size)

        async def check(index: int, proof: Sequence[bytes]) -> None:
            entry = await ledger.get_entry(LOG, index)
            merkle.verify_inclusion(entry.leaf_hash, index, size, proof, root)

        async def prove(index: int) -> list[bytes]:
            return await ledger.inclusion_proof(LOG, index, size)

        async def without_memory(index: int) -> list[bytes]:
            return await asyncio.to_thread(merkle.inclusion_proof, index, size, each_node)

        async def receipt(index: int) -> str:
            return await ledger.receipt(LOG, index)

        cold = await timed(prove, anywhere[:1])
        first = await timed(prove, anywhere)
        await timed(prove, recent)
        warm = await timed(prove, recent)
        receipts = await timed(receipt, recent)
        baseline = await timed(without_memory, recent)
        for index in anywhere[:200]:
            proof = await prove(index)
            assert proof == await without_memory(index)
            await check(index, proof)
        text = await receipt(anywhere[0])
        entry = await ledger.get_entry(LOG, anywhere[0])
        verify_receipt(text, entry.data, [ledger.verifier_key(LOG)])
        return {
            "entries": size,
            "open_seconds": round(opening, 3),
            "proof_warm_p50_ms": quantile(warm, 0.5),
            "proof_warm_p99_ms": quantile(warm, 0.99),
            "proof_anywhere_p50_ms": quantile(first, 0.5),
            "proof_anywhere_p99_ms": quantile(first, 0.99),
            "proof_cold_ms": quantile(cold, 0.5),
            "receipt_p50_ms": quantile(receipts, 0.5),
            "receipt_p99_ms": quantile(receipts, 0.99),
            "without_memory_p50_ms": quantile(baseline, 0.5),
            "without_memory_p99_ms": quantile(baseline, 0.99),
            "times_faster_p50": round(quantile(baseline, 0.5) / quantile(warm, 0.5), 1),
            "proof_hashes": len(await prove(0)),
            "receipt_bytes": len(text.encode()),
            "entry_bytes": len(entry.data),
            "cache_bytes_at_most": CACHED_TILES * TREE_BYTES,
            "database_bytes_an_entry": round((folder / "ledger.db").stat().st_size / size),
            "proofs": proofs,
        }
    finally:
        store.close()
        await ledger.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the bench and prints its figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--proofs", type=int, default=2_000)
    parser.add_argument("--folder", type=Path, help="a folder of a run before, to fill or to measure again")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name)
        start = time.perf_counter()
        asyncio.run(fill(folder, options.entries))
        filling = time.perf_counter() - start
        figures = asyncio.run(measure(folder, options.proofs))
    figures["fill_seconds"] = round(filling, 1)
    if options.json:
        print(json.dumps(figures))
    else:
        for key, value in figures.items():
            print(f"{key:26} {value}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
