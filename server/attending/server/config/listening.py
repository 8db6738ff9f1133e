"""Where the server listens, and what one may ask of it how often: `[server]`, `[http]`, `[limits]`."""

from __future__ import annotations

from attending.server.config.base import MIB, FilePath, Section
from pydantic import Field


class ServerSection(Section):
    """Where the server listens and what one caller may use of it. It speaks TLS only."""

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(
        default=50051,
        ge=0,
        le=65535,
        description="Port for callers with a client certificate (mTLS); 0 takes a free one.",
    )
    token_port: int = Field(
        default=50052, ge=0, le=65535, description="Port for callers with a bearer token; 0 takes a free one."
    )
    tokens: bool = Field(
        default=True, description="Whether bearer tokens are accepted at all, on their own port."
    )
    tls_certificate: FilePath = Field(description="PEM file: the server's certificate and its chain.")
    tls_key: FilePath = Field(description="PEM file: the server's private key, readable by its owner only.")
    client_ca: FilePath | None = Field(
        default=None,
        description="PEM file: authorities of client certificates. Without it there is no mTLS port.",
    )
    client_crl: list[FilePath] = Field(
        default=[],
        max_length=32,
        description="Revocation lists (PEM or DER) of those authorities, one each. Once any is given, an authority "
        "without a list that is up to date lets nobody in.",
    )
    reload_seconds: float = Field(
        default=10.0,
        ge=0.1,
        le=3600,
        description="How often the TLS files are looked at; changed ones are taken without a restart, on SIGHUP at "
        "once. Broken ones are not.",
    )
    max_message_bytes: int = Field(
        default=4 * MIB,
        ge=64 * 1024,
        le=64 * MIB,
        description="Largest request or response message, in bytes.",
    )
    max_concurrent_rpcs: int = Field(
        default=256,
        ge=1,
        le=100_000,
        description="Calls at once; more are answered UNAVAILABLE with a time to retry.",
    )
    max_concurrent_rpcs_per_caller: int = Field(
        default=128, ge=1, le=100_000, description="Calls at once of one identity."
    )
    deadline_seconds: float = Field(
        default=300.0,
        gt=0,
        le=3600,
        description="Longest time of a unary call, whatever deadline the client set.",
    )
    stream_deadline_seconds: float = Field(
        default=3600.0,
        gt=0,
        le=86400,
        description="Longest time of a streaming call; clients take it up again.",
    )
    drain_seconds: float = Field(
        default=30.0,
        ge=0,
        le=600,
        description="Time for running calls to end when the server is told to stop.",
    )
    reuse_port: bool = Field(
        default=False,
        description="Whether other processes may listen on the same ports (SO_REUSEPORT): the system then spreads "
        "connections over them. Only with a database, and only for processes of one configuration.",
    )


class HttpSection(Section):
    """Static reads of the logs over HTTP, as C2SP tlog-tiles; see docs/tiles.md. Off when the section is left out."""

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(default=50053, ge=0, le=65535, description="Port; 0 takes a free one.")
    tls: bool = Field(
        default=True,
        description="TLS with the certificate of `[server]`, which also asks for client certificates when "
        "`server.client_ca` is set. Without it `host` must be a loopback address, for a proxy on this machine.",
    )
    public_tiles: bool = Field(
        default=False,
        description="Whether checkpoints and tiles, which hold hashes only, are served without a credential. "
        "Entries never are.",
    )
    max_connections: int = Field(
        default=512, ge=1, le=1_000_000, description="Connections at once; more are closed as they come."
    )
    max_connections_per_address: int = Field(
        default=64,
        ge=1,
        le=1_000_000,
        description="Connections at once from one address (IPv6: one /64). Set it high behind a proxy.",
    )
    max_concurrent_requests: int = Field(
        default=32,
        ge=2,
        le=10_000,
        description="Requests worked on at once, half of them for one caller; more are answered 503 with a time to "
        "retry. One takes at most 34 MiB, usually less than 1.",
    )


class LimitsSection(Section):
    """How often, and how slowly, one may call. Each server process counts for itself. docs/limits.md lists every limit
    with the reason that it is refused with."""

    caller_rate: float = Field(
        default=500.0,
        gt=0,
        le=1_000_000,
        description="Units a second of one identity. A call that reads is 1, one that runs checks or a model 10, one "
        "that goes through a whole log 50.",
    )
    caller_burst: float = Field(
        default=5_000.0, ge=50, le=10_000_000, description="Units that one identity may use at once."
    )
    tenant_rate: float = Field(
        default=1_500.0, gt=0, le=1_000_000, description="Units a second of all identities of one tenant."
    )
    tenant_burst: float = Field(
        default=15_000.0, ge=50, le=10_000_000, description="Units that they may use at once."
    )
    refused_credentials_rate: float = Field(
        default=1.0,
        gt=0,
        le=1_000_000,
        description="Refused credentials a second from one address (IPv6: one /64); beyond it calls from there wait "
        "before their credential is looked at, unless they come with a client certificate. Set it high behind a proxy "
        "that hides addresses.",
    )
    refused_credentials_burst: float = Field(
        default=50.0, ge=1, le=10_000_000, description="Refused credentials at once from one address."
    )
    max_concurrent_rpcs_per_tenant: int = Field(
        default=192, ge=1, le=100_000, description="Calls at once of one tenant."
    )
    max_streams_per_caller: int = Field(
        default=32, ge=1, le=100_000, description="Streaming calls at once of one identity."
    )
    max_streams_per_tenant: int = Field(
        default=96, ge=1, le=100_000, description="Streaming calls at once of one tenant."
    )
    request_seconds: float = Field(
        default=30.0,
        gt=0,
        le=3600,
        description="Longest time from the head of a call to the end of its first message.",
    )
    idle_stream_seconds: float = Field(
        default=900.0,
        gt=0,
        le=86400,
        description="Longest time between two messages of a stream of requests; clients take it up again.",
    )
    slow_reader_seconds: float = Field(
        default=60.0,
        gt=0,
        le=3600,
        description="Longest time that a client may leave a message unread while the next one waits.",
    )
    handshake_seconds: float = Field(
        default=10.0,
        ge=0.1,
        le=600,
        description="Longest time from a connection to the end of its TLS handshake, gRPC and HTTP.",
    )
    idle_connection_seconds: float = Field(
        default=600.0,
        ge=1,
        le=86400,
        description="A gRPC connection without a call is closed after this time.",
    )
    connection_seconds: float = Field(
        default=3600.0,
        ge=1,
        le=86400,
        description="A gRPC connection takes no new call after this time, give or take a tenth; clients open another.",
    )
    connection_grace_seconds: float = Field(
        default=600.0,
        ge=1,
        le=86400,
        description="How long calls that run on it may then go on; a client that reads nothing is let go of by then.",
    )
    max_connections: int = Field(
        default=1_024,
        ge=1,
        le=1_000_000,
        description="gRPC connections at once on each port; more are closed as they come.",
    )
