"""The reading client against logs that were made by plain recursion: everything proves, every lie is named."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from functools import cache

import pytest
from attending.ledger import merkle
from attending.ledger.checkpoint import sign_checkpoint
from attending.ledger.errors import OutOfRange, VerificationError
from attending.ledger.proof import format_receipt, parse_receipt
from attending.ledger.static.client import TiledLog
from attending.ledger.static.paths import TilePath, bundles_of, tiles_of
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.static.logs import KEY, ORIGIN, Log, entry, vkey

SIZES = (0, 1, 2, 255, 256, 257, 511, 512, 513, 1000)


@cache
def log_of(size: int) -> Log:
    return Log([entry(number) for number in range(size)])


def opened(log: Log, older: str | None = None) -> TiledLog:
    return TiledLog.open(log.fetch, [log.vkey], older=older)


def refused(log: Log, older: str | None = None) -> VerificationError:
    with pytest.raises(VerificationError) as caught:
        read_all(opened(log, older))
    return caught.value


def read_all(log: TiledLog) -> list[bytes]:
    for path in tiles_of(log.size):
        log.tile(path)
    return list(log.entries(0, log.size))


@pytest.mark.parametrize("size", SIZES)
def test_everything_of_a_log_proves(size: int) -> None:
    made = log_of(size)
    log = opened(made)
    assert (log.size, log.head.root) == (size, made.root(0, size))
    assert read_all(log) == made.entries
    for index in range(size):
        proof = log.inclusion_proof(index)
        merkle.verify_inclusion(made.leaves[index], index, size, proof, log.head.root)
    for earlier in range(size + 1):
        assert log.root(earlier) == made.root(0, earlier)
        proof = log.consistency_proof(earlier)
        merkle.verify_consistency(earlier, size, made.root(0, earlier), log.head.root, proof)


def test_three_levels_of_tiles() -> None:
    made = log_of(70_000)
    log = opened(made)
    for index in (0, 255, 256, 65_535, 65_536, 69_887, 69_888, 69_999):
        proof = log.inclusion_proof(index)
        merkle.verify_inclusion(made.leaves[index], index, 70_000, proof, log.head.root)
        assert log.entry(index) == entry(index)
    for earlier in (1, 256, 65_535, 65_536, 65_537, 69_888, 69_999):
        proof = log.consistency_proof(earlier)
        merkle.verify_consistency(earlier, 70_000, made.root(0, earlier), log.head.root, proof)
    made.fetched.clear()
    opened(made).inclusion_proof(40_000)
    # The right edge, and then one tile of each level that the entry is under.
    edge = ["checkpoint", "tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]
    assert made.fetched == [*edge, "tile/1/000", "tile/0/156"]
    assert {str(path) for path in (*tiles_of(70_000), *bundles_of(70_000))} | {"checkpoint"} == set(
        made.files
    )


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_proof_between_any_sizes(data: st.DataObject) -> None:
    made = log_of(1000)
    log = opened(made)
    size = data.draw(st.integers(1, 1000))
    index = data.draw(st.integers(0, size - 1))
    earlier = data.draw(st.integers(0, size))
    root = made.root(0, size)
    merkle.verify_inclusion(made.leaves[index], index, size, log.inclusion_proof(index, size), root)
    proof = log.consistency_proof(earlier, size)
    merkle.verify_consistency(earlier, size, made.root(0, earlier), root, proof)


def test_a_receipt_from_tiles_alone() -> None:
    log = opened(log_of(513))
    receipt = parse_receipt(format_receipt(300, log.inclusion_proof(300), log.checkpoint))
    merkle.verify_inclusion(merkle.leaf_hash(entry(300)), receipt.index, 513, receipt.hashes, log.head.root)
    assert receipt.checkpoint == log.checkpoint


@pytest.mark.parametrize("size", [700, 65_540])
def test_every_altered_resource_is_refused_and_named(size: int) -> None:
    made = log_of(size)
    paths = [
        path for path in made.files if size < 1000 or path.startswith(("checkpoint", "tile/1", "tile/2"))
    ]
    for path in paths:
        kept = made.files[path]
        for altered, reasons in (
            (bytes([kept[0] ^ 1]) + kept[1:], {"TILE_MISMATCH", "BUNDLE_FORMAT", "UNKNOWN_KEY"}),
            (kept[:-1] + bytes([kept[-1] ^ 1]), {"TILE_MISMATCH", "BUNDLE_MISMATCH", "NOTE_FORMAT"}),
            (kept[:-1], {"TILE_FORMAT", "BUNDLE_FORMAT", "NOTE_FORMAT"}),
            (kept + b"\0", {"TILE_FORMAT", "BUNDLE_FORMAT", "NOTE_FORMAT"}),
            (b"", {"TILE_FORMAT", "BUNDLE_FORMAT", "NOTE_FORMAT"}),
        ):
            made.files[path] = altered
            error = refused(made)
            assert error.reason in reasons, (path, error.reason)
            if path.startswith("tile/entries"):
                first = int(path.split("/")[2][:3]) * 256
                assert error.index is not None
                assert first <= error.index < first + 256
            elif path != "checkpoint":
                assert f"`{path}`" in str(error)
        del made.files[path]
        assert refused(made).reason == "TILE_MISSING"
        made.files[path] = kept
    read_all(opened(made))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_flipped_bit_is_refused(data: st.DataObject) -> None:
    made = Log([entry(number) for number in range(300)])
    path = data.draw(st.sampled_from(sorted(made.files)))
    content = bytearray(made.files[path])
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= 1 << data.draw(st.integers(0, 7))
    made.files[path] = bytes(content)
    assert refused(made).reason.isupper()


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(log_of(300).files)), st.binary(max_size=9000))
def test_any_bytes_in_place_of_a_resource(path: str, content: bytes) -> None:
    made = Log([entry(number) for number in range(300)])
    if made.files[path] != content:
        made.files[path] = content
        refused(made)


def test_an_altered_entry_is_named_by_its_index() -> None:
    made = Log([entry(number) for number in range(300)])
    made.files["tile/entries/000"] = made.files["tile/entries/000"].replace(b'"n":77}', b'"n":78}')
    error = refused(made)
    assert (error.reason, error.index) == ("BUNDLE_MISMATCH", 77)


def test_a_partial_tile_may_be_gone_once_the_full_one_is_there() -> None:
    made, later = Log([entry(n) for n in range(500)]), log_of(600)
    for path in [path for path in made.files if ".p/244" in path]:
        del made.files[path]
    made.files |= {path: later.files[path] for path in ("tile/0/001", "tile/entries/001")}
    assert read_all(opened(made)) == made.entries
    altered = bytearray(made.files["tile/0/001"])
    altered[0] ^= 1
    made.files["tile/0/001"] = bytes(altered)
    assert refused(made).reason == "TILE_MISMATCH"


def test_an_older_checkpoint() -> None:
    older = log_of(300).files["checkpoint"].decode()
    assert opened(log_of(513), older).size == 513
    assert opened(log_of(300), older).size == 300
    assert refused(log_of(257), older).reason == "CHECKPOINT_ROLLED_BACK"
    fork = Log([entry(number if number != 20 else 0) for number in range(513)])
    assert refused(fork, older).reason == "CONSISTENCY_PROOF"
    same_size = Log([entry(number if number != 20 else 0) for number in range(300)])
    assert refused(same_size, older).reason == "CONSISTENCY_PROOF"
    empty = log_of(0).files["checkpoint"].decode()
    assert opened(log_of(513), empty).size == 513
    other = sign_checkpoint("log.example/other", 300, bytes(32), KEY)
    assert refused(log_of(513), other).reason == "UNKNOWN_KEY"
    with pytest.raises(VerificationError) as caught:
        TiledLog.open(log_of(513).fetch, [log_of(513).vkey, vkey("log.example/other")], older=other)
    assert caught.value.reason == "CHECKPOINT_ORIGIN"


def test_a_checkpoint_that_nobody_known_signed() -> None:
    stranger = Ed25519PrivateKey.generate()
    made = Log([entry(0)], key=stranger)
    with pytest.raises(VerificationError) as caught:
        TiledLog.open(made.fetch, [vkey()])
    assert caught.value.reason == "UNKNOWN_KEY"
    made.files["checkpoint"] = sign_checkpoint(ORIGIN, 1, bytes(32), KEY).encode()
    with pytest.raises(VerificationError) as caught:
        TiledLog.open(made.fetch, [vkey()])
    assert caught.value.reason == "TILE_MISMATCH"


def test_a_checkpoint_of_a_tree_that_no_one_has() -> None:
    """A size near 2**63 asks for eight tiles at most, not for memory."""
    made = log_of(300)
    fake = Log([entry(n) for n in range(300)])
    fake.files["checkpoint"] = sign_checkpoint(ORIGIN, 2**63 - 1, made.root(0, 300), KEY).encode()
    fake.fetched.clear()
    assert refused(fake).reason == "TILE_MISSING"
    assert len(fake.fetched) <= 4


def test_what_is_outside_the_tree() -> None:
    log = opened(log_of(300))
    for call in (
        lambda: log.inclusion_proof(300),
        lambda: log.inclusion_proof(-1),
        lambda: log.inclusion_proof(5, 5),
        lambda: log.inclusion_proof(5, 301),
        lambda: log.consistency_proof(301),
        lambda: log.consistency_proof(5, 4),
        lambda: log.root(301),
        lambda: log.node(0, 300),
        lambda: log.tile(TilePath(0, 1, 45)),
        lambda: log.tile(TilePath(None, 0, 1)),
        lambda: log.bundle(2),
        lambda: log.bundle(-1),
        lambda: log.entry(300),
        lambda: list(log.entries(0, 301)),
    ):
        with pytest.raises(OutOfRange):
            call()


def test_an_error_of_the_fetch_is_the_callers() -> None:
    def fetch(_path: str) -> bytes:
        raise OSError("network")

    with pytest.raises(OSError, match="network"):
        TiledLog.open(fetch, [vkey()])


def test_the_client_needs_the_standard_library_and_cryptography_alone() -> None:
    script = """
        import sys
        class Block:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in {"sqlalchemy", "orjson", "grpc", "httpx", "click", "pydantic"}:
                    raise ImportError(name)
        sys.meta_path.insert(0, Block())
        import attending.ledger.static.client, attending.ledger.static.bundles
        import attending.ledger.static.export, attending.ledger.static.stored
        print("lean")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False
    )
    assert done.stdout == "lean\n", done.stderr
