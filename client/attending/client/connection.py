"""A channel to one server with one identity: TLS always, a bearer token or a client certificate."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc

MAX_MESSAGE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Connection:
    """Where and as whom to call, and the log key that receipts must verify under.

    `log_key` is the tenant log's C2SP verifier key; get it from the operator by another way than this server. When the
    log's key is rotated a client goes on from the pinned one by itself: the old key introduces the new one.
    Exactly one of `token` and `certificate` (paths of certificate and key, PEM) names the caller.
    """

    target: str
    ca_path: Path
    log_key: str | None
    token: str | None = None
    certificate: tuple[Path, Path] | None = None

    @classmethod
    def from_folder(cls, folder: Path, identity: str) -> Connection:
        """The demo identity `identity` of an embedded server's data folder (`attending serve`)."""
        endpoint = json.loads((folder / "endpoint.json").read_text(encoding="utf-8"))
        person = endpoint["identities"][identity]
        return cls(
            target=endpoint["target"],
            ca_path=folder / endpoint["ca"],
            log_key=endpoint["log_keys"][person["tenant"]],
            certificate=(folder / person["certificate"], folder / person["key"]),
        )

    def channel(self) -> grpc.Channel:
        """A TLS channel; nothing is sent before the first call."""
        ca = self.ca_path.read_bytes()
        if self.certificate is not None:
            chain, key = (path.read_bytes() for path in self.certificate)
            credentials = grpc.ssl_channel_credentials(ca, key, chain)
        else:
            credentials = grpc.ssl_channel_credentials(ca)
        if self.token is not None:
            credentials = grpc.composite_channel_credentials(
                credentials, grpc.access_token_call_credentials(self.token)
            )
        return grpc.secure_channel(self.target, credentials, options=_options())


def _options() -> Sequence[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ]
