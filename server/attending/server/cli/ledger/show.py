"""`attending ledger show`: one entry in full, what links and commits to it, and its proof."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from attending.server.cli.examples import examples
from attending.server.cli.ledger.reach import Reach, ledger_options, pick_log
from attending.server.cli.ledger.words import plural, printable, size_words
from attending.server.cli.outcome import CommandError, Exit

if TYPE_CHECKING:
    from attending.ledger.entry import Entry
    from attending.ledger.store.port import HeadRow, LogRow
    from attending.ledger.store.read_only import ReadOnlyStore

_MAX_STREAM: Final = 1_000
_HEX_WIDTH: Final = 32
_HEX_ROWS: Final = 16


@click.command(
    epilog=examples(
        "attending ledger show 17",
        "attending ledger show --stream inf-7f3a --log demo",
        "attending ledger show 17 --raw entry-17.bin",
        after="Exit codes: 0 all of it holds, 1 something does not, 3 not under a published head yet, 4 usage.",
    )
)
@click.argument("index", type=click.IntRange(min=0), required=False)
@ledger_options
@click.option("--stream", help="Show every entry of this stream instead.")
@click.option("--log", "log_id", help="The log; when left out, the only one beside the system log.")
@click.option(
    "--raw",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the stored bytes to this new file, as they are.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def show(
    reach: Reach, index: int | None, stream: str | None, log_id: str | None, raw: Path | None, as_json: bool
) -> int:
    """Print an entry: its bytes, leaf hash, links to its neighbours, commitments, and proof.

    Bytes that are not an entry are shown as hex with the reason, and stay as they are. Payloads are never opened:
    what is said of them is whether they are there and are those that the entry commits to.
    """
    if (index is None) == (stream is None):
        raise click.UsageError("give an INDEX or --stream")
    if raw is not None and index is None:
        raise click.UsageError("--raw needs an INDEX")
    published = reach.published_heads()
    with reach.opened() as store, store.snapshot():
        heads = {row.log_id: (row, head) for row, head in store.heads()}
        log_id = pick_log(sorted(heads), log_id)
        row, head = heads[log_id]
        proof = _Proofs(store, row, head, published.get(log_id))
        found = [_describe(store, row, proof, number) for number in _indices(store, row, head, index, stream)]
        if raw is not None and index is not None:
            _write_raw(raw, store.entries(log_id, index, 1)[0])
    for one in found:
        if as_json:
            click.echo(json.dumps(one, sort_keys=True))
        else:
            _print(one)
    if raw is not None:
        click.echo(f"the stored bytes are in {raw}", err=True)
    if any(one["outcome"] == "failed" for one in found):
        return Exit.FAILED
    return Exit.INDETERMINATE if any(one["outcome"] == "undecided" for one in found) else Exit.OK


class _Proofs:
    """Inclusion proofs under the published head of a log; the tree is loaded once."""

    def __init__(self, store: ReadOnlyStore, row: LogRow, head: HeadRow, note: str | None) -> None:
        from attending.ledger.health import examine_head

        self._store, self._row, self._note = store, row, note
        self._edge, self._published, self._findings = examine_head(store, row, head, note)

    def of(self, entry: bytes, index: int) -> dict[str, Any]:
        """`verified` with the head and the number of hashes, `undecided` or `failed` with the detail."""
        from attending.ledger import merkle
        from attending.ledger.errors import CorruptLog, VerificationError
        from attending.ledger.proof import format_receipt, verify_receipt
        from attending.ledger.signing import read_chain
        from attending.ledger.tiles import NodeReader

        bad = [one.detail for one in self._findings if one.level == "failed"]
        if bad:
            return {"state": "failed", "detail": bad[0]}
        if self._published is None or self._note is None or self._edge is None:
            return {"state": "undecided", "detail": "no head of this log is published"}
        size = self._published.size
        if index >= size:
            return {
                "state": "undecided",
                "detail": f"the published head is over {plural(size, 'entry', 'entries')}, not over this one yet",
            }
        reader = NodeReader(self._edge, lambda level, at: self._store.tile(self._row.log_id, level, at))
        try:
            hashes = merkle.inclusion_proof(index, size, reader.node)
            terms = read_chain(self._store, self._row).terms
            verify_receipt(format_receipt(index, hashes, self._note), entry, terms)
        except (VerificationError, CorruptLog) as err:
            return {"state": "failed", "detail": str(err)}
        return {
            "state": "verified",
            "size": size,
            "root": self._published.root.hex(),
            "hashes": [value.hex() for value in hashes],
        }


def _indices(
    store: ReadOnlyStore, row: LogRow, head: HeadRow, index: int | None, stream: str | None
) -> list[int]:
    if index is not None:
        if index >= head.size:
            raise CommandError(
                f"log `{row.log_id}` has {plural(head.size, 'entry', 'entries')}, the last is {head.size - 1}"
                if head.size
                else f"log `{row.log_id}` is empty",
                "give an index below that; `attending ledger tail` shows the newest",
                Exit.USAGE,
            )
        return [index]
    found = store.rows(
        "SELECT entry_index FROM entry WHERE log_id = ? AND stream = ? ORDER BY stream_version LIMIT ?",
        row.log_id,
        stream,
        _MAX_STREAM,
    )
    if not found:
        raise CommandError(
            f"log `{row.log_id}` has no stream `{stream}`",
            "`attending ledger tail` shows streams",
            Exit.USAGE,
        )
    return [int(number) for (number,) in found]


def _describe(store: ReadOnlyStore, row: LogRow, proofs: _Proofs, index: int) -> dict[str, Any]:
    from attending.ledger.entry import GENESIS_PREV, parse_entry
    from attending.ledger.errors import VerificationError
    from attending.ledger.merkle import leaf_hash

    first = max(index - 1, 0)
    around = store.rows(
        "SELECT entry_index, data, leaf_hash FROM entry WHERE log_id = ? AND entry_index >= ?"
        " ORDER BY entry_index LIMIT 3",
        row.log_id,
        first,
    )
    stored = {int(at): (data, leaf) for at, data, leaf in around}
    result: dict[str, Any] = {"log": row.log_id, "index": index, "problems": [], "payloads_opened": False}
    problems: list[str] = result["problems"]
    if index not in stored:
        problems.append("it is missing, though the head is over it")
        return {**result, "outcome": "failed"}
    data, column = stored[index]
    leaf = leaf_hash(data)
    result |= {"leaf_hash": leaf.hex(), "size_bytes": len(data)}
    if leaf != column:
        problems.append(f"the leaf hash stored beside it is {column.hex()}")
    after = _prev_of(stored.get(index + 1, (None, None))[0])
    result["next_links"] = None if after is None else after == leaf
    if after is not None and after != leaf:
        problems.append(
            f"entry {index + 1} names another predecessor: these bytes or that entry were changed"
        )
    try:
        entry = parse_entry(data)
    except VerificationError as err:
        problems.insert(0, f"its bytes are not an entry: {err.detail} ({err.reason})")
        return {**result, "hex": data.hex(), "outcome": "failed"}
    result |= {"entry": json.loads(data), "canonical": data.decode()}
    if entry.index != index or entry.origin != row.origin:
        problems.append("its bytes belong to another place")
    before = GENESIS_PREV if index == 0 else leaf_hash(stored[index - 1][0]) if index - 1 in stored else None
    result["prev_links"] = entry.prev == before
    if entry.prev != before:
        problems.append(f"the entry before has another leaf hash than the one it names ({entry.prev.hex()})")
    result["commitments"] = [_commitment(store, row, entry, item) for item in entry.commitments]
    problems += [
        f"payload `{item['record']}` is {item['payload']}"
        for item in result["commitments"]
        if item["payload"] == "not the one that was sealed"
    ]
    result["proof"] = proofs.of(data, index)
    if result["proof"]["state"] == "failed":
        problems.append(result["proof"]["detail"])
    undecided = result["proof"]["state"] == "undecided"
    return {**result, "outcome": "failed" if problems else "undecided" if undecided else "ok"}


def _prev_of(data: bytes | None) -> bytes | None:
    from attending.ledger.entry import parse_entry
    from attending.ledger.errors import VerificationError

    try:
        return None if data is None else parse_entry(data).prev
    except VerificationError:
        return None


def _commitment(store: ReadOnlyStore, row: LogRow, entry: Entry, item: Any) -> dict[str, Any]:
    """A commitment and what is left of its payload: there, erased (its key was destroyed), or gone."""
    import hashlib

    found = store.payload(row.log_id, item.record)
    erased = entry.subject is not None and store.is_erased(row.log_id, entry.subject)
    if found is None:
        removed = store.rows(
            "SELECT removed_by FROM removal WHERE log_id = ? AND record = ?", row.log_id, item.record
        )
        if erased:
            state = "gone, its subject erased"
        else:
            state = f"gone, pruned by entry {removed[0][0]}" if removed else "not there"
    elif hashlib.sha256(found.sealed).hexdigest() != item.ciphertext:
        state = "not the one that was sealed"
    else:
        state = "there, unreadable: its subject is erased" if erased else "there"
    return {**item.to_json(), "payload": state, "sealed_bytes": None if found is None else len(found.sealed)}


def _write_raw(path: Path, data: bytes) -> None:
    from attending.ledger.files import write_durably

    if not path.parent.is_dir():
        raise CommandError(f"folder `{path.parent}` does not exist", "make it first", Exit.USAGE)
    if not write_durably(path, data, replace=False):
        raise CommandError(f"`{path}` exists", "give another file: it is never replaced", Exit.USAGE)


def _print(one: dict[str, Any]) -> None:
    colour = sys.stdout.isatty()
    title = f"entry {one['index']} of log {one['log']}"
    click.echo(click.style(title, bold=True), color=colour)
    if "leaf_hash" in one:
        click.echo(f"  leaf hash  {one['leaf_hash']}, of {one['size_bytes']:,} bytes")
    if "entry" in one:
        entry = one["entry"]
        for name in ("time", "type", "stream", "actor", "subject"):
            click.echo(f"  {name:<11}{printable(entry[name] or '-')}")
        if entry["occurred_at"] is not None:
            click.echo(f"  occurred   {entry['occurred_at']}, says the emitter")
        click.echo(f"  body       {printable(json.dumps(entry['body'], sort_keys=True, ensure_ascii=False))}")
        links = {True: "holds", False: "broken", None: "nothing after it yet"}
        click.echo(f"  links      to the one before: {links[one['prev_links']]}; ", nl=False)
        click.echo(f"from the one after: {links[one['next_links']]}")
        for item in one["commitments"]:
            size = "" if item["sealed_bytes"] is None else f" ({size_words(item['sealed_bytes'])} sealed)"
            click.echo(f"  payload    {item['kind']} {item['record']}: {item['payload']}{size}; not opened")
        proof = one["proof"]
        if proof["state"] == "verified":
            click.echo(
                f"  proof      verified under the published head of {proof['size']:,} entries"
                f" ({plural(len(proof['hashes']), 'hash', 'hashes')})"
            )
        elif proof["state"] == "undecided":
            click.echo(click.style(f"  ? proof    {proof['detail']}", fg="yellow"), color=colour)
        click.echo(f"  bytes      {printable(one['canonical'])}")
    for problem in one["problems"]:
        click.echo(click.style(f"  ! {problem}", fg="red"), color=colour)
    if "hex" in one:
        _print_hex(one["hex"])
        click.echo("  the bytes are kept as they are; --raw FILE writes them to a file")
    click.echo()


def _print_hex(text: str) -> None:
    width = 2 * _HEX_WIDTH
    rows = [text[start : start + width] for start in range(0, len(text), width)]
    for number, row in enumerate(rows[:_HEX_ROWS]):
        shown = bytes.fromhex(row).decode("ascii", "replace")
        plain = "".join(char if char.isprintable() and char.isascii() else "." for char in shown)
        click.echo(f"  {number * _HEX_WIDTH:>6}  {row:<{width}}  {plain}")
    if len(rows) > _HEX_ROWS:
        left = sum(len(row) for row in rows[_HEX_ROWS:]) // 2
        click.echo(f"  and {plural(left, 'byte')} more")


command = show
